//! NTP servers: their names looked up, and asked. rsntp speaks the protocol and judges answers (RFC 5905: kisses of
//! death, servers without a clock of their own, answers to another question).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;

/// How long one server may take; more would be no measurement of an offset either.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long one name may take.
const LOOK_UP_MAX: Duration = Duration::from_secs(2);

/// How many addresses are asked in one round.
const ADDRESSES_MAX: usize = 4;

/// How many names are looked up in one round.
const NAMES_MAX: usize = 8;

/// What a server said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answer {
    pub(super) server: IpAddr,
    /// Seconds that the clock is behind.
    pub(super) offset: f64,
    /// Seconds that the question and its answer were under way.
    pub(super) delay: f64,
}

/// The addresses of `names`, each of which is one or has some.
pub(super) fn resolve<'a>(
    names: impl Iterator<Item = &'a str>,
    resolv_conf: &Path,
) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    let mut failure = String::new();
    for name in names.take(NAMES_MAX) {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => match look_up(name, resolv_conf) {
                Ok(found) => addresses.extend(found),
                Err(error) => failure = format!("{name}: {error}"),
            },
        }
        if addresses.len() >= ADDRESSES_MAX {
            break;
        }
    }
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() { Err(failure) } else { Ok(addresses) }
}

/// A resolver of its own for each question: they are rare, and the file says who is asked now.
fn look_up(name: &str, resolv_conf: &Path) -> Result<Vec<IpAddr>, String> {
    let text = std::fs::read(resolv_conf).map_err(|error| format!("{}: {error}", resolv_conf.display()))?;
    let (config, mut options) = parse_resolv_conf(text).map_err(|error| error.to_string())?;
    options.timeout = LOOK_UP_MAX / 2;
    options.attempts = 1;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        // Absolute: no search domain has a say in who tells the time.
        let question = if name.contains('.') { format!("{name}.") } else { name.to_owned() };
        match tokio::time::timeout(LOOK_UP_MAX, resolver.lookup_ip(question)).await {
            Ok(Ok(answer)) => Ok(answer.iter().collect()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("nobody answers".to_owned()),
        }
    })
}

/// The first that answers.
pub(super) fn ask_first(servers: &[IpAddr], port: u16) -> Result<Answer, String> {
    let mut failure = "no server is known".to_owned();
    for server in servers.iter().take(ADDRESSES_MAX) {
        match ask(*server, port) {
            Ok(answer) => return Ok(answer),
            Err(error) => failure = format!("{server}: {error}"),
        }
    }
    Err(failure)
}

/// What those that answer agree on.
pub(super) fn ask_all(servers: &[IpAddr], port: u16) -> Result<Answer, String> {
    let mut failure = "no server is known".to_owned();
    let mut answers = Vec::new();
    for server in servers.iter().take(ADDRESSES_MAX) {
        match ask(*server, port) {
            Ok(answer) => answers.push(answer),
            Err(error) => failure = format!("{server}: {error}"),
        }
    }
    choose(answers).ok_or(failure)
}

/// Of three and more the one in the middle, which one liar can't move; of two the nearer.
fn choose(mut answers: Vec<Answer>) -> Option<Answer> {
    if answers.len() >= 3 {
        answers.sort_by(|a, b| a.offset.total_cmp(&b.offset));
        return answers.get(answers.len() / 2).copied();
    }
    answers.into_iter().min_by(|a, b| a.delay.total_cmp(&b.delay))
}

fn ask(server: IpAddr, port: u16) -> Result<Answer, String> {
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let config = rsntp::Config::default().bind_address(SocketAddr::new(any, 0)).timeout(ANSWER_MAX);
    let answer = rsntp::SntpClient::with_config(config)
        .synchronize((server, port))
        .map_err(|error| error.to_string())?;
    let offset = answer.clock_offset().as_secs_f64();
    Ok(Answer { server, offset, delay: answer.round_trip_delay().as_secs_f64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offset: f64, delay: f64) -> Answer {
        Answer { server: Ipv4Addr::LOCALHOST.into(), offset, delay }
    }

    #[test]
    fn one_liar_among_three_is_not_believed() {
        let chosen = choose(vec![answer(3600.0, 0.001), answer(0.01, 0.2), answer(0.02, 0.1)]);
        assert_eq!(chosen.map(|answer| answer.offset), Some(0.02));
    }

    #[test]
    fn of_two_the_nearer_is_believed() {
        let chosen = choose(vec![answer(0.5, 0.2), answer(0.1, 0.01)]);
        assert_eq!(chosen.map(|answer| answer.offset), Some(0.1));
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(choose(Vec::new()), None);
    }

    #[test]
    fn addresses_need_no_resolver() {
        let found = resolve(["192.0.2.1", "2001:db8::1"].into_iter(), Path::new("/nowhere"));
        assert_eq!(found.unwrap().len(), 2);
    }

    #[test]
    fn a_name_without_a_resolver_is_an_error_that_names_both() {
        let error = resolve(["time.example.com"].into_iter(), Path::new("/nowhere")).unwrap_err();
        assert!(error.contains("time.example.com") && error.contains("/nowhere"), "{error}");
    }
}
