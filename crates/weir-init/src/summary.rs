//! The box on the consoles: where the appliance is reached, and what needs attention. Pure: text comes out.
//!
//! ASCII alone, at most 80 columns: it has to look right on a VGA screen, a serial line and a web console.

use crate::network::InterfaceStatus;

/// Columns of the box, frame included.
const WIDTH: usize = 78;
/// Columns of what a line is called.
const LABEL: usize = 13;
/// Notices that are shown; the latest.
const NOTICES_MAX: usize = 8;

/// What the box tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// "Weir 0.1.0, slot A".
    pub(crate) title: String,
    pub(crate) hostname: String,
    /// What each card has come to.
    pub(crate) interfaces: Vec<InterfaceStatus>,
    /// Where the admin API is.
    pub(crate) admin: Admin,
    /// "first-boot data from fw_cfg (opt/weir/config)".
    pub(crate) configuration: String,
    pub(crate) notices: Vec<String>,
}

/// The admin API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Admin {
    /// One URL or several.
    pub(crate) urls: Vec<String>,
    /// Of the appliance's own certificate, while that serves.
    pub(crate) fingerprint: Option<String>,
    /// While nobody has been told otherwise.
    pub(crate) token: Option<String>,
}

impl Summary {
    pub(crate) fn render(&self) -> String {
        let mut rows = Vec::new();
        rows.extend(row("Name", &self.hostname));
        let cards: Vec<String> = self.interfaces.iter().map(card).collect();
        rows.extend(list("Network", &cards, "no network card"));
        rows.extend(list("Admin", &self.admin.urls, "not reachable: no address yet"));
        if let Some(fingerprint) = &self.admin.fingerprint {
            // Sixteen bytes of it fit beside the label.
            let half = fingerprint.len() / 2;
            let halves = [fingerprint.get(..=half), fingerprint.get(half + 1..)];
            let halves: Vec<String> = halves.into_iter().flatten().map(str::to_owned).collect();
            rows.extend(list("SHA-256", &halves, ""));
        }
        if let Some(token) = &self.admin.token {
            rows.extend(row("Token", token));
        }
        rows.extend(row("Configured", &self.configuration));
        let newest = self.notices.len().saturating_sub(NOTICES_MAX);
        for notice in &self.notices[newest..] {
            rows.extend(row("Attention", notice));
        }
        let edge = format!("+{}+\n", "-".repeat(WIDTH - 2));
        let mut text = format!("\n{edge}{}{}", framed(&self.title), framed(""));
        rows.iter().for_each(|row| text += &framed(row));
        text + &edge
    }
}

/// `eth0  192.0.2.10/24, fe80::1/64  dhcp`; the link-local address only where there is no other.
fn card(card: &InterfaceStatus) -> String {
    let name = match &card.configured_as {
        Some(configured) if card.name.is_empty() => configured.clone(),
        Some(configured) if *configured != card.name => format!("{configured} ({})", card.name),
        Some(_) | None => card.name.clone(),
    };
    let routed: Vec<&str> =
        card.addresses.iter().map(String::as_str).filter(|address| !is_link_local(address)).collect();
    if routed.is_empty() {
        format!("{name}: {}", card.condition)
    } else {
        format!("{name}: {} ({})", routed.join(", "), card.condition)
    }
}

/// Whether an address with its prefix is of no use to others than neighbours.
pub(crate) fn is_link_local(address: &str) -> bool {
    address.starts_with("fe80:")
}

fn list(label: &str, items: &[String], none: &str) -> Vec<String> {
    if items.is_empty() {
        return row(label, none);
    }
    let label = |position| if position == 0 { label } else { "" };
    items.iter().enumerate().flat_map(|(position, item)| row(label(position), item)).collect()
}

/// A label and a text, wrapped at spaces.
fn row(label: &str, text: &str) -> Vec<String> {
    let width = WIDTH - 6 - LABEL;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let (line, length) = (lines.len() - 1, word.chars().count());
        let used = lines[line].chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
        }
        let line = lines.len() - 1;
        if !lines[line].is_empty() {
            lines[line].push(' ');
        }
        lines[line] += word;
    }
    let label = |position| if position == 0 { label } else { "" };
    lines.iter().enumerate().map(|(position, line)| format!("{:LABEL$}{line}", label(position))).collect()
}

fn framed(text: &str) -> String {
    format!("|  {text:<width$}  |\n", width = WIDTH - 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth0(addresses: &[&str], condition: &str) -> InterfaceStatus {
        InterfaceStatus {
            name: "eth0".into(),
            configured_as: None,
            mac: "52:54:00:12:34:56".into(),
            driver: "virtio_net".into(),
            carrier: true,
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            condition: condition.into(),
        }
    }

    #[test]
    fn a_fresh_appliance_shows_how_it_is_reached() {
        let summary = Summary {
            title: "Weir 0.1.0, slot A".into(),
            hostname: "weir".into(),
            interfaces: vec![eth0(&["10.0.2.15/24", "fe80::5054:ff:fe12:3456/64"], "dhcp")],
            admin: Admin {
                urls: vec!["https://10.0.2.15:9000/".into()],
                fingerprint: Some(["AB"; 32].join(":")),
                token: Some("abcdefghijklmnopqrstuvwxyz234567".into()),
            },
            configuration: "as it is made: nothing is balanced yet".into(),
            notices: vec!["STATE is in memory, and forgotten when the machine stops: no disk has a partition named STATE".into()],
        };
        let text = summary.render();
        assert_eq!(
            text,
            "\n\
+----------------------------------------------------------------------------+\n\
|  Weir 0.1.0, slot A                                                        |\n\
|                                                                            |\n\
|  Name         weir                                                         |\n\
|  Network      eth0: 10.0.2.15/24 (dhcp)                                    |\n\
|  Admin        https://10.0.2.15:9000/                                      |\n\
|  SHA-256      AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:             |\n\
|               AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB              |\n\
|  Token        abcdefghijklmnopqrstuvwxyz234567                             |\n\
|  Configured   as it is made: nothing is balanced yet                       |\n\
|  Attention    STATE is in memory, and forgotten when the machine stops:    |\n\
|               no disk has a partition named STATE                          |\n\
+----------------------------------------------------------------------------+\n"
        );
    }

    #[test]
    fn a_card_without_an_address_says_why() {
        assert_eq!(
            card(&eth0(&["fe80::1/64"], "no DHCP answer, still asking")),
            "eth0: no DHCP answer, still asking"
        );
        let mut named = eth0(&["192.0.2.1/24"], "static");
        named.configured_as = Some("front".into());
        assert_eq!(card(&named), "front (eth0): 192.0.2.1/24 (static)");
    }
}
