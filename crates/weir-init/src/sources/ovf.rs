//! The OVF environment (DMTF DSP0243, 9.2): what an appliance's deployer filled in on its form, as XML. Every property is
//! optional; empty and `null`, which ESXi without vCenter gives, mean that it was left out. Pure.

use weir_config::model::InterfaceMatch;

use super::Seed;
use super::fault::Problem;
use super::network_config::{interface, network};
use super::nocloud::host_part;
use super::text::{Encoding, weir_file};

/// What the form has. Hypervisors give a key with or without `guestinfo.`, as the OVF's transport has it.
const PREFIXES: &[&str] = &["guestinfo.weir.", "weir."];
/// What the card is called that the form's address is for: the first.
const CARD: &str = "ovf";

/// What a form said.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) seed: Seed,
    pub(super) problems: Vec<Problem>,
}

/// Reads the environment.
pub(super) fn read(text: &str) -> Result<Properties, Problem> {
    // Without document types there are no entities that could grow.
    let document = roxmltree::Document::parse(text).map_err(|error| {
        Problem::Malformed(format!("not XML: {error}; power the machine off and on for a new one"))
    })?;
    let mut form = Form::default();
    for property in document.descendants().filter(|node| node.tag_name().name() == "Property") {
        let attribute =
            |name| property.attributes().find(|attribute| attribute.name() == name).map(|a| a.value().trim());
        let (Some(key), Some(value)) = (attribute("key"), attribute("value")) else { continue };
        let Some(key) = PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix)) else { continue };
        if !value.is_empty() && !value.eq_ignore_ascii_case("null") {
            form.fill(key, value);
        }
    }
    Ok(form.properties())
}

/// As it was filled in.
#[derive(Default)]
struct Form<'t> {
    config: Option<&'t str>,
    encoding: Option<&'t str>,
    hostname: Option<&'t str>,
    address: Option<&'t str>,
    netmask: Option<&'t str>,
    gateway: Option<&'t str>,
    dns: Option<&'t str>,
}

impl<'t> Form<'t> {
    fn fill(&mut self, key: &str, value: &'t str) {
        let field = match key {
            "config" => &mut self.config,
            "config.encoding" => &mut self.encoding,
            "hostname" => &mut self.hostname,
            "address" => &mut self.address,
            "netmask" => &mut self.netmask,
            "gateway" => &mut self.gateway,
            "dns" => &mut self.dns,
            _ => return,
        };
        *field = Some(value);
    }

    fn properties(&self) -> Properties {
        let mut properties = Properties::default();
        let encoding = self.encoding.map_or(Ok(Encoding::Detect), Encoding::named);
        let config =
            encoding.and_then(|encoding| weir_file(self.config.unwrap_or_default().as_bytes(), encoding));
        match config {
            Ok(config) => properties.seed.config = config,
            Err(problem) => properties.problems.push(problem),
        }
        self.network(&mut properties);
        if let Some(name) = self.hostname {
            properties.seed.hostname = host_part(name);
            if properties.seed.hostname.is_none() {
                properties
                    .complain(format!("the host name `{name}` is none; it is letters, digits and hyphens"));
            }
        }
        properties
    }

    fn network(&self, properties: &mut Properties) {
        for word in self.dns.unwrap_or_default().split([' ', ',', ';']).filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(address) => properties.seed.name_servers.push(address),
                Err(_) => properties.complain(format!("dns: `{word}` is not an IP address")),
            }
        }
        let Some(address) = self.address else {
            if self.gateway.is_some() {
                properties.complain(
                    "gateway: there is no address with it; fill in both, or neither for DHCP".to_owned(),
                );
            }
            return;
        };
        let Some(network) = network(address, self.netmask) else {
            properties.complain(format!(
                "address: `{address}` is not an address with its prefix, such as 192.0.2.10/24"
            ));
            return;
        };
        let mut card = interface(CARD, InterfaceMatch::default());
        card.addresses.push(network);
        match self.gateway.map(str::parse) {
            None => {}
            Some(Ok(gateway)) => card.gateways.push(gateway),
            Some(Err(_)) => properties.complain("gateway: it is not an IP address".to_owned()),
        }
        properties.seed.interfaces.push(card);
    }
}

impl Properties {
    fn complain(&mut self, text: String) {
        self.problems.push(Problem::Malformed(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(properties: &[(&str, &str)]) -> String {
        let properties: String = properties
            .iter()
            .map(|(key, value)| format!("<Property oe:key=\"{key}\" oe:value=\"{value}\"/>\n"))
            .collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Environment xmlns=\"http://schemas.dmtf.org/ovf/environment/1\"
     xmlns:oe=\"http://schemas.dmtf.org/ovf/environment/1\" xmlns:ve=\"http://www.vmware.com/schema/ovfenv\"
     oe:id=\"\" ve:vCenterId=\"vm-42\">
   <PlatformSection><Kind>VMware ESXi</Kind><Version>8.0.2</Version></PlatformSection>
   <PropertySection>{properties}</PropertySection>
   <ve:EthernetAdapterSection><ve:Adapter ve:mac=\"00:50:56:00:00:01\" ve:network=\"VM Network\"/></ve:EthernetAdapterSection>
</Environment>"
        )
    }

    #[test]
    fn a_form_that_was_filled_in() {
        let text = environment(&[
            ("guestinfo.weir.config", "dmVyc2lvbjogMQo="),
            ("guestinfo.weir.hostname", "lb1"),
            ("guestinfo.weir.address", "192.0.2.10/24"),
            ("guestinfo.weir.gateway", "192.0.2.1"),
            ("guestinfo.weir.dns", "192.0.2.53, 2001:db8::53"),
            ("somebody.else", "x"),
        ]);
        let Properties { seed, problems } = read(&text).unwrap();
        assert_eq!(problems, []);
        assert_eq!((seed.config.as_deref(), seed.hostname.as_deref()), (Some("version: 1\n"), Some("lb1")));
        assert_eq!(seed.interfaces[0].addresses[0].to_string(), "192.0.2.10/24");
        assert_eq!((seed.interfaces[0].gateways.len(), seed.name_servers.len()), (1, 2));
    }

    #[test]
    fn a_form_that_was_left_empty_is_nothing() {
        for nothing in ["", "null", " "] {
            let text = environment(&[
                ("guestinfo.weir.config", nothing),
                ("guestinfo.weir.address", nothing),
                ("guestinfo.weir.gateway", nothing),
            ]);
            let Properties { seed, problems } = read(&text).unwrap();
            assert_eq!((seed, problems), (Seed::default(), Vec::new()));
        }
    }

    #[test]
    fn mistakes_are_told_and_the_rest_is_taken() {
        let text = environment(&[
            ("weir.address", "192.0.2.10"),
            ("weir.netmask", "255.255.255.0"),
            ("weir.gateway", "x"),
            ("weir.hostname", "-"),
        ]);
        let Properties { seed, problems } = read(&text).unwrap();
        assert_eq!(seed.interfaces[0].addresses[0].to_string(), "192.0.2.10/24");
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(read("<a>").is_err());
        assert!(read("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>a=\"/ &;!?]{0,60}", value in "[0-9a-f./: ]{0,20}") {
            let _ = read(&text);
            let _ = read(&environment(&[("weir.address", &value), ("weir.gateway", &value), ("weir.dns", &value)]));
        }
    }
}
