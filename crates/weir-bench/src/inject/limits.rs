//! What is told before the load because it is known before: options that contradict each other, and a machine that
//! does not allow what they ask for, with the setting to raise. Pure, but for reading the machine's [`Facts`].

use std::fs;
use std::time::Duration;

use super::InjectError;
use super::options::{COUNT_MAX, Mode, Options, Reuse, SPAN_MAX, STREAMS_MAX, THREADS_MAX, Version};

/// Files that are open besides connections: epoll, terminals, certificates, what a library opens.
const FILES_RESERVED: u64 = 64;

/// What this machine allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Open files.
    pub(super) files: u64,
    /// Ports that connections can come from.
    pub(super) ports: u64,
}

impl Facts {
    /// As it is, with the limit on files raised as far as it goes.
    pub(super) fn now() -> std::io::Result<Self> {
        let files = crate::harness::raise_files_limit()?;
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        Ok(Self { files, ports: ports(&range).unwrap_or(28_232) })
    }
}

fn ports(range: &str) -> Option<u64> {
    let mut words = range.split_ascii_whitespace().map(str::parse::<u64>);
    let (from, to) = (words.next()?.ok()?, words.next()?.ok()?);
    (to + 1).checked_sub(from)
}

/// Refuses options that can't be.
pub(super) fn options(options: &Options) -> Result<(), InjectError> {
    let refuse = |option, why: &str| Err(InjectError::Option { option, why: why.into() });
    let Some(first) = options.targets.first() else { return refuse("URL", "there has to be one") };
    if let Some(other) = options.targets.iter().find(|target| !target.is_beside(first)) {
        return refuse(
            "URL",
            &format!(
                "`{first}` and `{other}` are not of one scheme, host and port; another target is another injector's"
            ),
        );
    }
    let count = match options.mode {
        Mode::Closed { users } => users,
        Mode::Open { rate, users_max } => {
            if !(rate > 0.0 && rate <= f64::from(COUNT_MAX) * 100.0) {
                return refuse("--rate", "it has to be more than 0, and 100,000,000 at most");
            }
            users_max
        }
    };
    if !(1..=COUNT_MAX).contains(&count) {
        return refuse("--users", "they have to be 1 to 1,000,000");
    }
    if options.threads.is_some_and(|threads| !(1..=THREADS_MAX).contains(&threads)) {
        return refuse("--threads", "they have to be 1 to 256");
    }
    match (options.version, options.streams) {
        (_, 0) | (Version::Http2, STREAMS_ABOVE_MAX..) => {
            return refuse("--streams", "they have to be 1 to 1000");
        }
        (Version::Http2, _) if options.reuse == Reuse::Close && options.streams > 1 => {
            return refuse("--streams", "a connection that carries one request has one stream");
        }
        (Version::Http10 | Version::Http11, 2..) => {
            return refuse("--streams", "only HTTP/2 has several requests at once on a connection");
        }
        (Version::Http10 | Version::Http11 | Version::Http2, _) => {}
    }
    if options.reuse == Reuse::Requests(0) {
        return refuse("--requests-per-connection", "there has to be one");
    }
    if options.requests_max == Some(0) {
        return refuse("--requests", "there has to be one");
    }
    for (option, span, least) in [
        ("--duration", options.duration, Duration::from_millis(1)),
        ("--warm-up", options.warm_up, Duration::ZERO),
        ("--ramp-up", options.ramp_up, Duration::ZERO),
        ("--timeout", options.timeout, Duration::from_millis(1)),
    ] {
        if !(least..=SPAN_MAX).contains(&span) {
            return refuse(option, "it has to be more than nothing, and a day at most");
        }
    }
    if options.expect.from > options.expect.to {
        return refuse("--expect", "the first status is above the second");
    }
    if let Some(source) =
        options.sources.iter().find(|source| source.is_ipv6() != options.sources[0].is_ipv6())
    {
        return refuse("--source", &format!("{source} is of another family than {}", options.sources[0]));
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    for (name, value) in &options.fields {
        if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_text) {
            return refuse("--header", &format!("`{name}: {value}` is no field of HTTP"));
        }
    }
    Ok(())
}

const STREAMS_ABOVE_MAX: u32 = STREAMS_MAX + 1;

/// Refuses what this machine does not allow.
pub(super) fn machine(options: &Options, facts: Facts) -> Result<(), InjectError> {
    let connections = u64::from(options.connections_max());
    let files = connections + FILES_RESERVED;
    if files > facts.files {
        return Err(InjectError::Machine {
            what: format!(
                "{connections} connections at once need {files} open files, and {} are allowed",
                facts.files
            ),
            remedy: "raise the hard limit: `ulimit -Hn`, LimitNOFILE= of a service, /etc/security/limits.conf; or \
                     use fewer --users"
                .into(),
        });
    }
    let sources = options.sources.len().max(1) as u64;
    if connections > facts.ports * sources {
        return Err(InjectError::Machine {
            what: format!(
                "{connections} connections at once need as many ports, and there are {} for each of {sources} source \
                 addresses",
                facts.ports
            ),
            remedy: "widen net.ipv4.ip_local_port_range (`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`), \
                     or name more addresses with --source"
                .into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    fn usual() -> Options {
        let target: Target = "http://127.0.0.1:1/".parse().unwrap();
        Options::new(target, Mode::Closed { users: 10 }, Duration::from_secs(1))
    }

    #[test]
    fn what_can_be_is_let_through() {
        assert!(options(&usual()).is_ok());
        let mut http2 = usual();
        (http2.version, http2.streams) = (Version::Http2, 10);
        assert!(options(&http2).is_ok());
    }

    #[test]
    fn what_cannot_be_names_its_option() {
        type Spoil = fn(&mut Options);
        let cases: [(&str, Spoil); 13] = [
            ("URL", |options| options.targets.clear()),
            ("URL", |options| options.targets.push("http://127.0.0.1:2/".parse().unwrap())),
            ("--users", |options| options.mode = Mode::Closed { users: 0 }),
            ("--rate", |options| options.mode = Mode::Open { rate: 0.0, users_max: 1 }),
            ("--rate", |options| options.mode = Mode::Open { rate: f64::NAN, users_max: 1 }),
            ("--threads", |options| options.threads = Some(0)),
            ("--streams", |options| options.streams = 2),
            ("--streams", |options| (options.version, options.streams) = (Version::Http2, 1001)),
            ("--requests-per-connection", |options| options.reuse = Reuse::Requests(0)),
            ("--duration", |options| options.duration = Duration::ZERO),
            ("--timeout", |options| options.timeout = Duration::ZERO),
            ("--header", |options| options.fields.push(("a b".into(), "c".into()))),
            ("--source", |options| {
                options.sources = vec!["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
            }),
        ];
        for (name, spoil) in cases {
            let mut wrong = usual();
            spoil(&mut wrong);
            let error = options(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
        }
    }

    #[test]
    fn a_machine_that_allows_too_little_is_told_with_the_setting() {
        let mut many = usual();
        many.mode = Mode::Closed { users: 30_000 };
        let told = |files, ports| machine(&many, Facts { files, ports }).map_err(|error| error.to_string());
        assert!(told(1024, 60_000).unwrap_err().contains("ulimit"));
        assert!(told(100_000, 28_232).unwrap_err().contains("ip_local_port_range"));
        assert_eq!(told(100_000, 30_000), Ok(()));
        many.sources = vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()];
        assert!(machine(&many, Facts { files: 100_000, ports: 28_232 }).is_ok());
        assert_eq!((ports("32768\t60999\n"), ports("")), (Some(28_232), None));
    }
}
