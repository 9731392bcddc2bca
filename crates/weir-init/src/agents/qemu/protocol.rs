//! What QEMU's guest agent is asked and answers (QEMU's `qga/qapi-schema.json`): one JSON object a line. Pure.
//!
//! Only what tells and what shuts down; no command reads or writes a file, or runs anything.

use serde_json::{Map, Value, json};

use crate::Power;
use crate::agents::{Facts, OS_NAME, OS_VERSION, kernel_release};

/// The longest request, in bytes; the longest that there is takes a few hundred.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What a host sends to have everything forgotten that came before it, and wants before the answer to it.
const SENTINEL: u8 = 0xff;

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The line to send; empty where none is wanted.
    pub(super) text: Vec<u8>,
    /// What somebody wants of the machine, and who.
    pub(super) power: Option<(Power, &'static str)>,
}

/// What has come of a line so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    line: Vec<u8>,
    /// The line was too long: nothing of it is kept.
    is_overlong: bool,
}

/// Does a command, by its arguments.
type Command = fn(&Value, &Facts) -> Done;

/// The commands.
const TABLE: &[(&str, Command)] = &[
    ("guest-sync", |arguments, _| Done::Value(arguments["id"].clone())),
    ("guest-sync-delimited", |arguments, _| Done::Delimited(arguments["id"].clone())),
    ("guest-ping", |_, _| Done::Value(json!({}))),
    ("guest-info", |_, _| Done::Value(info())),
    ("guest-network-get-interfaces", |_, facts| Done::Value(interfaces(facts))),
    ("guest-get-osinfo", |_, _| Done::Value(os_info())),
    ("guest-get-host-name", |_, facts| Done::Value(json!({ "host-name": facts.hostname }))),
    ("guest-shutdown", |arguments, _| shutdown(arguments)),
];

enum Done {
    Value(Value),
    /// With the sentinel before it.
    Delimited(Value),
    /// No answer: whether it was done shows.
    Power(Power, &'static str),
    Refused(&'static str, String),
}

impl Session {
    /// Takes what came, and answers the lines that are complete.
    pub(super) fn take(&mut self, bytes: &[u8], facts: &Facts) -> Vec<Answer> {
        let mut answers = Vec::new();
        for &byte in bytes {
            match byte {
                SENTINEL => self.forget(),
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    if std::mem::take(&mut self.is_overlong) {
                        answers.push(Answer::refused(
                            "GenericError",
                            "a request is at most 65536 bytes",
                            None,
                        ));
                    } else if !line.trim_ascii().is_empty() {
                        answers.push(answer(&line, facts));
                    }
                }
                _ if self.line.len() >= LINE_BYTES_MAX => self.is_overlong = true,
                byte => self.line.push(byte),
            }
        }
        answers
    }

    fn forget(&mut self) {
        self.line.clear();
        self.is_overlong = false;
    }
}

fn answer(line: &[u8], facts: &Facts) -> Answer {
    let request = match serde_json::from_slice(line) {
        Ok(Value::Object(request)) => request,
        Ok(_) => return Answer::refused("GenericError", "a request is a JSON object", None),
        Err(error) => return Answer::refused("GenericError", &format!("not JSON: {error}"), None),
    };
    let id = request.get("id");
    let name = request.get("execute").and_then(Value::as_str).unwrap_or_default();
    let Some((_, run)) = TABLE.iter().find(|(command, _)| *command == name) else {
        let text = format!("The command {name} has not been found");
        return Answer::refused("CommandNotFound", &text, id);
    };
    match run(request.get("arguments").unwrap_or(&Value::Null), facts) {
        Done::Value(value) => Answer::line(&[], "return", value, id),
        Done::Delimited(value) => Answer::line(&[SENTINEL], "return", value, id),
        Done::Power(power, by) => Answer { text: Vec::new(), power: Some((power, by)) },
        Done::Refused(class, text) => Answer::refused(class, &text, id),
    }
}

impl Answer {
    fn line(before: &[u8], key: &str, value: Value, id: Option<&Value>) -> Self {
        let mut object = Map::new();
        object.insert(key.to_owned(), value);
        if let Some(id) = id {
            object.insert("id".to_owned(), id.clone());
        }
        let text = Value::Object(object).to_string();
        Self { text: [before, text.as_bytes(), b"\n"].concat(), power: None }
    }

    fn refused(class: &str, text: &str, id: Option<&Value>) -> Self {
        Self::line(&[], "error", json!({ "class": class, "desc": text }), id)
    }
}

fn shutdown(arguments: &Value) -> Done {
    match arguments.get("mode").and_then(Value::as_str).unwrap_or("powerdown") {
        "powerdown" | "halt" => Done::Power(Power::Off, "QEMU guest agent: shut down"),
        "reboot" => Done::Power(Power::Restart, "QEMU guest agent: restart"),
        mode => Done::Refused(
            "GenericError",
            format!("the mode `{mode}` is unknown; it is powerdown, halt or reboot"),
        ),
    }
}

fn info() -> Value {
    let commands = TABLE.iter().map(
        |(name, _)| json!({ "name": name, "enabled": true, "success-response": *name != "guest-shutdown" }),
    );
    json!({ "version": OS_VERSION, "supported_commands": commands.collect::<Vec<_>>() })
}

fn os_info() -> Value {
    json!({
        "id": "weir",
        "name": OS_NAME,
        "pretty-name": format!("{OS_NAME} {OS_VERSION}"),
        "version": OS_VERSION,
        "version-id": OS_VERSION,
        "kernel-release": kernel_release(),
        "kernel-version": rustix::system::uname().version().to_string_lossy(),
        "machine": std::env::consts::ARCH,
    })
}

fn interfaces(facts: &Facts) -> Value {
    let cards = facts.interfaces.iter().filter(|card| !card.name.is_empty()).map(|card| {
        let addresses = card.addresses.iter().filter_map(|text| {
            let (address, prefix) = text.split_once('/')?;
            let kind = if address.contains(':') { "ipv6" } else { "ipv4" };
            let prefix: u8 = prefix.parse().ok()?;
            Some(json!({ "ip-address": address, "ip-address-type": kind, "prefix": prefix }))
        });
        let addresses: Vec<Value> = addresses.collect();
        json!({ "name": card.name, "hardware-address": card.mac, "ip-addresses": addresses })
    });
    Value::Array(cards.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::tests::facts;
    use super::*;

    fn ask(request: &str) -> (String, Option<Power>) {
        let mut answers = Session::default().take(format!("{request}\n").as_bytes(), &facts());
        let answer = answers.pop().unwrap();
        assert_eq!(answers, []);
        let text = String::from_utf8(answer.text).unwrap_or_else(|error| {
            let bytes = error.into_bytes();
            assert_eq!(bytes[0], SENTINEL);
            String::from_utf8(bytes[1..].to_vec()).unwrap()
        });
        (text, answer.power.map(|(power, _)| power))
    }

    #[test]
    fn a_host_finds_its_place_again() {
        let mut session = Session::default();
        assert_eq!(session.take(b"{\"execute\": \"gue", &facts()), []);
        let answers =
            session.take(b"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7}}\n", &facts());
        assert_eq!(answers[0].text, b"\xff{\"return\":7}\n");
        assert_eq!(
            ask(r#"{"execute":"guest-sync","arguments":{"id":8},"id":"x"}"#).0,
            "{\"id\":\"x\",\"return\":8}\n"
        );
    }

    #[test]
    fn addresses_and_names_are_told() {
        let (text, _) = ask(r#"{"execute":"guest-network-get-interfaces"}"#);
        assert!(
            text.contains(r#"{"ip-address":"192.0.2.10","ip-address-type":"ipv4","prefix":24}"#),
            "{text}"
        );
        assert!(text.contains(r#""hardware-address":"52:54:00:12:34:56""#), "{text}");
        assert_eq!(ask(r#"{"execute":"guest-get-host-name"}"#).0, "{\"return\":{\"host-name\":\"lb1\"}}\n");
        assert!(ask(r#"{"execute":"guest-info"}"#).0.contains("guest-shutdown"));
        assert!(ask(r#"{"execute":"guest-get-osinfo"}"#).0.contains(r#""id":"weir""#));
        assert_eq!(ask(r#"{"execute":"guest-ping"}"#).0, "{\"return\":{}}\n");
    }

    #[test]
    fn each_way_to_shut_down_is_told_apart() {
        for (arguments, power) in [
            ("{}", Some(Power::Off)),
            (r#"{"mode":"powerdown"}"#, Some(Power::Off)),
            (r#"{"mode":"halt"}"#, Some(Power::Off)),
            (r#"{"mode":"reboot"}"#, Some(Power::Restart)),
            (r#"{"mode":"sleep"}"#, None),
        ] {
            let (text, told) = ask(&format!(r#"{{"execute":"guest-shutdown","arguments":{arguments}}}"#));
            assert_eq!((told, text.is_empty()), (power, power.is_some()), "{arguments}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(ask(r#"{"execute":"guest-exec"}"#).0.contains("CommandNotFound"));
        assert!(ask("nonsense").0.contains("not JSON"));
        assert!(ask("[]").0.contains("GenericError"));
        assert!(ask(&"x".repeat(LINE_BYTES_MAX + 1)).0.contains("at most 65536"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Session::default().take(&bytes, &facts());
        }
    }
}
