//! The scenario file: what is to be measured, on what. One table of fields for each mapping, as Weir's own file has
//! them, so every mistake is told at once, at its place.

use std::path::PathBuf;
use std::time::Duration;

use weir_config::Diagnostics;
use weir_config::codec::{
    At, Bool, Context, Entry, FILE, Field, List, Named, Number, Numbers, Optional, Placed, Problem, Rule,
    Section, SizeOf, TEXT, TIME, TIME_OR_ZERO, Text, Words, nearest, nested,
};
use weir_config::field;

use crate::inject::Target as Url;
use crate::results::{self, Mode};

/// A valid scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// A line for readers of the report.
    pub title: Option<String>,
    /// Bytes of the objects, ascending, each once.
    pub sizes: Vec<u64>,
    /// How connections are used.
    pub modes: Vec<Mode>,
    /// How many times each is measured.
    pub rounds: u32,
    /// How long a measurement takes.
    pub duration: Duration,
    /// How long the load lasts before it counts.
    pub warm_up: Duration,
    /// Connections at once.
    pub users: u32,
    /// The injector's threads; none is one on each core.
    pub threads: Option<usize>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The target without a hypervisor.
    pub native: Option<String>,
    /// The virtual machine that others are compared with.
    pub relative_to: Option<String>,
    /// Whether work without a network is measured, too.
    pub work: bool,
    /// What stands behind the targets.
    pub origin: Option<Origin>,
    /// In the file's order.
    pub targets: Vec<Target>,
}

/// What stands behind the targets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// A command that starts it, and is ended afterwards.
    pub start: Vec<String>,
    /// A command that stops it.
    pub stop: Vec<String>,
    /// What answers when it is ready.
    pub ready: Option<UrlText>,
    /// Where it tells what it has done.
    pub stats: Option<UrlText>,
}

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Where it is asked; `{size}` stands for bytes.
    pub url: UrlText,
    /// A line about it.
    pub about: Option<String>,
    /// Its network card, where it doesn't say so itself.
    pub card: Option<String>,
    /// Certificates to trust.
    pub ca: Option<PathBuf>,
    /// Whether any certificate is trusted.
    pub insecure: bool,
    /// Its admin API.
    pub admin: Option<Admin>,
    /// What its admin API is given before each round.
    pub configuration: Option<PathBuf>,
    /// A command that starts it, and is ended after each round.
    pub start: Vec<String>,
    /// A command that stops it.
    pub stop: Vec<String>,
    /// What answers when it is ready.
    pub ready: Option<UrlText>,
    /// How long that may take.
    pub ready_within: Duration,
    /// Whose processor time is the target's on this host.
    pub host: Option<HostCpu>,
}

/// A target's admin API.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Admin {
    /// Where.
    pub url: UrlText,
    /// A file with the token.
    pub token_file: Option<PathBuf>,
    /// Certificates to trust.
    pub ca: Option<PathBuf>,
    /// The SHA-256 of the one certificate to trust.
    pub fingerprint: Option<Fingerprint>,
}

/// The SHA-256 of a certificate.
pub type Fingerprint = [u8; 32];

/// Whose processor time is the target's on this host.
#[derive(Debug, Clone, PartialEq)]
pub enum HostCpu {
    /// What the target's `start` started, with its children.
    Started,
    /// The process whose id is in this file.
    PidFile(PathBuf),
    /// A control group's directory.
    Group(PathBuf),
}

/// A URL, perhaps with `{size}` in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlText(String);

impl UrlText {
    /// The URL for an object of so many bytes: in the place of `{size}`, else as the origin takes it, `?s=`.
    pub fn sized(&self, bytes: u64) -> Url {
        let Self(text) = self;
        let text = if text.contains(PLACE) {
            text.replace(PLACE, &bytes.to_string())
        } else {
            let joint = if text.contains('?') { '&' } else { '?' };
            format!("{text}{joint}s={bytes}")
        };
        text.parse().expect("the URL was judged with a number in its place")
    }

    /// The URL as it is.
    pub fn plain(&self) -> Url {
        self.0.replace(PLACE, "0").parse().expect("the URL was judged")
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const PLACE: &str = "{size}";

/// The most sizes, rounds and targets: what is more is a mistake, not a benchmark.
const ROUNDS_MAX: u32 = 1000;
const SIZE_MAX: u64 = 1 << 30;

/// What is measured where the file names no sizes.
const SIZES: [u64; 9] = [0, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 48 << 10, 64 << 10];

/// Reads a scenario; its warnings beside it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str) -> Result<(Scenario, Diagnostics), Diagnostics> {
    weir_config::read(text, judge)
}

/// The file as it is written.
struct File {
    version: u64,
    title: Option<String>,
    sizes: Vec<At<u64>>,
    modes: Vec<At<Mode>>,
    rounds: u32,
    duration: Duration,
    warm_up: Duration,
    users: u32,
    threads: Option<u16>,
    timeout: Duration,
    native: Option<At<String>>,
    relative_to: Option<At<String>>,
    work: bool,
    origin: Option<Origin>,
    targets: At<Vec<Entry<RawTarget>>>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            version: 1,
            title: None,
            sizes: Vec::new(),
            modes: Vec::new(),
            rounds: 5,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(1),
            users: 64,
            threads: None,
            timeout: Duration::from_secs(10),
            native: None,
            relative_to: None,
            work: true,
            origin: None,
            targets: At::default(),
        }
    }
}

impl Section for File {
    const WHAT: &'static str = "scenario";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "version", version, Number { range: 1..=1 }, "The version of this format."),
        field!("title", title, Optional(TEXT), "A line for readers of the report."),
        field!(
            "sizes", sizes, List { of: Placed(SizeOf { range: 0..=SIZE_MAX }), min: 1 },
            "How large the objects are that are asked for.", default "0, 1, 2, 4, 8, 16, 32, 48 and 64 KiB"
        ),
        field!(
            "modes", modes, List { of: Placed(MODE), min: 1 },
            "How connections are used.", default "`close`"
        ),
        field!("rounds", rounds, Number { range: 1..=ROUNDS_MAX }, "How many times each is measured."),
        field!("duration", duration, TIME, "How long a measurement takes."),
        field!("warm_up", warm_up, TIME_OR_ZERO, "How long the load lasts before it counts."),
        field!("users", users, Number { range: 1..=100_000 }, "Connections at once."),
        field!("threads", threads, Optional(Number { range: 1..=256 }), "The injector's threads.", default "one a core"),
        field!("timeout", timeout, TIME, "How long a connection or an answer may take."),
        field!(
            "native", native, Optional(Placed(TEXT)),
            "The target without a hypervisor, against which losses are.", default "the target `native`, if there is one"
        ),
        field!(
            "relative_to", relative_to, Optional(Placed(TEXT)),
            "The virtual machine that the others are compared with.", default "the target `virtio`, if there is one"
        ),
        field!(
            "work",
            work,
            Bool,
            "Whether work without a network is measured, too, where there is an admin API."
        ),
        field!("origin", origin, Optional(nested::<Origin>()), "What stands behind the targets."),
        field!(required "targets", targets, Placed(Named(nested::<RawTarget>())), "What is measured, by name."),
    ];
}

const MODE: Words<Mode> =
    Words(&[("close", Mode::Close), ("keep_alive", Mode::KeepAlive), ("http2", Mode::Http2)]);

impl Section for Origin {
    const WHAT: &'static str = "origin";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("start", start, COMMAND, "A command that starts it, word by word; it is ended afterwards."),
        field!("stop", stop, COMMAND, "A command that stops it, before it is ended."),
        field!("ready", ready, Optional(URL), "What answers when it is ready."),
        field!(
            "stats",
            stats,
            Optional(URL),
            "The `/stats` of `weir bench origin`: shows when the origin is the limit."
        ),
    ];
}

/// A command, word by word: no shell is asked.
const COMMAND: List<Text<String>> = List { of: TEXT, min: 1 };

#[derive(Default)]
struct RawTarget {
    url: UrlText,
    about: Option<String>,
    card: Option<String>,
    ca: Option<PathBuf>,
    insecure: bool,
    admin: Option<At<Admin>>,
    configuration: Option<At<PathBuf>>,
    start: Vec<String>,
    stop: Vec<String>,
    ready: Option<UrlText>,
    ready_within: ReadyWithin,
    host: Option<At<RawHost>>,
}

/// A duration with a default of its own.
#[derive(Clone, Copy)]
struct ReadyWithin(Duration);

impl Default for ReadyWithin {
    fn default() -> Self {
        Self(Duration::from_secs(120))
    }
}

const READY_WITHIN: Text<ReadyWithin> = Text {
    what: TIME.what,
    pattern: TIME.pattern,
    numbers: Numbers::Explained,
    parse: |text| (TIME.parse)(text).map(ReadyWithin),
    print: |time| (TIME.print)(&time.0),
};

impl Section for RawTarget {
    const WHAT: &'static str = "target";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "url", url, URL, "Where it is asked; `{size}` in it stands for bytes, else `?s=` is added."),
        field!("about", about, Optional(TEXT), "A line about it, for readers of the report."),
        field!("card", card, Optional(TEXT), "Its network card.", default "as its admin API says"),
        field!("ca", ca, Optional(FILE), "Certificates to trust with `https`, in PEM.", default "the system's"),
        field!("insecure", insecure, Bool, "Trust any certificate of the listener."),
        field!(
            "admin",
            admin,
            Optional(Placed(nested::<Admin>())),
            "Its admin API: tells its environment and processor time."
        ),
        field!(
            "configuration",
            configuration,
            Optional(Placed(FILE)),
            "A file of Weir's that its admin API is given before each round."
        ),
        field!(
            "start",
            start,
            COMMAND,
            "A command that starts it before each round, word by word; it is ended afterwards."
        ),
        field!("stop", stop, COMMAND, "A command that stops it, before it is ended."),
        field!("ready", ready, Optional(URL), "What answers when it is ready.", default "an empty object"),
        field!("ready_within", ready_within, READY_WITHIN, "How long that may take."),
        field!("host", host, Optional(Placed(nested::<RawHost>())), "Whose processor time is its on this host.", default "what `start` started"),
    ];
}

impl Section for Admin {
    const WHAT: &'static str = "admin API";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "url", url, URL, "Where it is."),
        field!("token_file", token_file, Optional(FILE), "A file with its token."),
        field!("ca", ca, Optional(FILE), "Certificates to trust, in PEM."),
        field!("fingerprint", fingerprint, Optional(FINGERPRINT), "The SHA-256 of its certificate."),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOrNone(&["ca", "fingerprint"])];
}

#[derive(Default)]
struct RawHost {
    pid_file: Option<PathBuf>,
    cgroup: Option<PathBuf>,
}

impl Section for RawHost {
    const WHAT: &'static str = "host";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "pid_file",
            pid_file,
            Optional(FILE),
            "A file with the number of the process that is the machine."
        ),
        field!(
            "cgroup",
            cgroup,
            Optional(FILE),
            "The directory of the control group that the machine is in."
        ),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOf(&["pid_file", "cgroup"])];
}

const URL: Text<UrlText> = Text {
    what: "a URL such as `http://192.0.2.1:8080/`",
    pattern: Some("^https?://[!-~]+$"),
    numbers: Numbers::Explained,
    parse: |text| match text.replace(PLACE, "0").parse::<Url>() {
        Ok(_) => Ok(UrlText(text.into())),
        Err(error) => {
            let problem = Problem::new(error.to_string());
            let is_address = format!("http://{text}/").parse::<Url>().is_ok() && !text.contains("://");
            Err(if is_address { problem.hint(format!("did you mean `http://{text}/`?")) } else { problem })
        }
    },
    print: |url| url.0.clone(),
};

const FINGERPRINT: Text<Fingerprint> = Text {
    what: "the SHA-256 of a certificate",
    pattern: Some("^(sha256:)?([0-9A-Fa-f]{2}:?){32}$"),
    numbers: Numbers::Explained,
    parse: |text| {
        let wrong = || {
            Problem::new("this is not the SHA-256 of a certificate")
                .hint("64 hexadecimal digits, as the appliance's console shows them, or `openssl x509 -noout -fingerprint -sha256`")
        };
        let digits: String =
            text.trim_start_matches("sha256:").chars().filter(|&letter| letter != ':').collect();
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
        let mut bytes = [0; 32];
        for (at, place) in bytes.iter_mut().enumerate() {
            *place = byte(2 * at)?;
        }
        Ok(bytes)
    },
    print: |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
};

/// Judges together what was read one by one.
fn judge(file: File, cx: &mut Context<'_>) -> Option<Scenario> {
    let names: Vec<String> = file.targets.value.iter().map(|entry| entry.name.value.clone()).collect();
    if names.is_empty() {
        let problem = Problem::new("there is no target: nothing is measured");
        cx.problem(
            file.targets.node,
            problem.hint("add one below `targets`: `native: { url: \"http://192.0.2.1:8080/\" }`"),
        );
    }
    let native = named("native", file.native, &names, cx);
    let relative_to = named("virtio", file.relative_to, &names, cx);
    let sizes = ascending(file.sizes, cx);
    let modes = once(file.modes, cx);
    let targets: Vec<Target> = file.targets.value.into_iter().filter_map(|entry| target(entry, cx)).collect();
    Some(Scenario {
        title: file.title,
        sizes: if sizes.is_empty() { SIZES.to_vec() } else { sizes },
        modes: if modes.is_empty() { vec![Mode::Close] } else { modes },
        rounds: file.rounds,
        duration: file.duration,
        warm_up: file.warm_up,
        users: file.users,
        threads: file.threads.map(usize::from),
        timeout: file.timeout,
        native,
        relative_to: relative_to.filter(|_| names.len() > 2),
        work: file.work,
        origin: file.origin,
        targets,
    })
}

/// The target that is named, or the one that is usually called so.
fn named(usual: &str, name: Option<At<String>>, names: &[String], cx: &mut Context<'_>) -> Option<String> {
    let Some(name) = name else { return names.iter().find(|name| *name == usual).cloned() };
    if names.contains(&name.value) {
        return Some(name.value);
    }
    let problem = Problem::new(format!("no target named `{}`", name.value));
    let meant = nearest(&name.value, names.iter().map(String::as_str))
        .map(|meant| format!("did you mean `{meant}`?"));
    let hint = meant.unwrap_or_else(|| format!("there are {}", names.join(", ")));
    cx.problem(name.node, problem.hint(hint));
    None
}

fn ascending(sizes: Vec<At<u64>>, cx: &mut Context<'_>) -> Vec<u64> {
    let mut sizes = once(sizes, cx);
    sizes.sort_unstable();
    sizes
}

/// The values, each of which may stand there once.
fn once<T: PartialEq + Copy>(values: Vec<At<T>>, cx: &mut Context<'_>) -> Vec<T> {
    let mut seen: Vec<T> = Vec::new();
    for At { value, node } in values {
        if seen.contains(&value) {
            cx.problem(node, Problem::new("this stands in the list already").hint("remove it"));
        } else {
            seen.push(value);
        }
    }
    seen
}

fn target(entry: Entry<RawTarget>, cx: &mut Context<'_>) -> Option<Target> {
    let Entry { name, value: raw } = entry;
    if let Some(admin) = &raw.admin {
        let Admin { url, ca, fingerprint, .. } = &admin.value;
        let is_tls = url.as_str().starts_with("https:");
        if is_tls && ca.is_none() && fingerprint.is_none() {
            let problem = Problem::new("nothing says which certificate of the admin API is to be trusted");
            cx.problem(
                cx.child_or_self(admin.node, "url"),
                problem.hint("add `fingerprint`, which the appliance's console shows, or `ca`"),
            );
        }
        if !is_tls && (ca.is_some() || fingerprint.is_some()) {
            let problem = Problem::new("without `https` there is no certificate");
            cx.problem(
                cx.child_or_self(admin.node, "url"),
                problem.hint("write `https://`, or remove what says whom to trust"),
            );
        }
    }
    if let (Some(configuration), None) = (&raw.configuration, &raw.admin) {
        let problem = Problem::new("a `configuration` is given to the admin API, and this target has none");
        cx.problem(configuration.node, problem.hint("add `admin`"));
    }
    let host = match raw.host.map(|host| host.value) {
        Some(RawHost { pid_file: Some(path), .. }) => Some(HostCpu::PidFile(path)),
        Some(RawHost { cgroup: Some(path), .. }) => Some(HostCpu::Group(path)),
        Some(RawHost { pid_file: None, cgroup: None }) => None,
        None => (!raw.start.is_empty()).then_some(HostCpu::Started),
    };
    Some(Target {
        name: name.value,
        url: raw.url,
        about: raw.about,
        card: raw.card,
        ca: raw.ca,
        insecure: raw.insecure,
        admin: raw.admin.map(|admin| admin.value),
        configuration: raw.configuration.map(|path| path.value),
        start: raw.start,
        stop: raw.stop,
        ready: raw.ready,
        ready_within: raw.ready_within.0,
        host,
    })
}

impl Scenario {
    /// What the results remember of it; `usual` is its title if it has none.
    pub fn record(&self, usual: &str) -> results::Scenario {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let aim =
            |target: &Target| results::Aim { name: target.name.clone(), url: target.url.as_str().to_owned() };
        results::Scenario {
            title: self.title.clone().unwrap_or_else(|| usual.to_owned()),
            sizes: self.sizes.clone(),
            modes: self.modes.clone(),
            rounds: self.rounds,
            duration_ms: millis(self.duration),
            warm_up_ms: millis(self.warm_up),
            users: self.users,
            native: self.native.clone(),
            relative_to: self.relative_to.clone(),
            compares: results::Compared::Machines,
            targets: self.targets.iter().map(aim).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::Color;

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().render("s.yaml", text, Color::Never)
    }

    #[test]
    fn little_has_to_be_written() {
        let (scenario, warnings) =
            parse("version: 1\ntargets:\n  native: { url: \"http://192.0.2.1:8080/\" }\n").unwrap();
        assert!(warnings.is_empty());
        assert_eq!(scenario.sizes, SIZES);
        assert_eq!((scenario.modes, scenario.rounds, scenario.users), (vec![Mode::Close], 5, 64));
        assert_eq!(scenario.native.as_deref(), Some("native"));
        assert_eq!(scenario.targets[0].url.sized(1024).to_string(), "http://192.0.2.1:8080/?s=1024");
    }

    #[test]
    fn the_example_of_the_documentation_is_one() {
        let page = include_str!("../../../../docs/hypervisors.md");
        let (_, rest) = page.split_once("```yaml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let (scenario, _) = parse(example).unwrap_or_else(|found| panic!("{found}"));
        assert_eq!(scenario.native.as_deref(), Some("native"));
    }

    #[test]
    fn everything_can_be_written() {
        let text = format!(
            "version: 1\ntitle: Rack 4\nsizes: [64KiB, 0, 1KiB]\nmodes: [close, keep_alive, http2]\nrounds: 3\nduration: 5s\n\
             warm_up: 0s\nusers: 8\nthreads: 2\ntimeout: 3s\nnative: bare\nrelative_to: kvm\nwork: false\n\
             origin: {{ start: [weir, bench, origin], ready: \"http://h:8000/\", stats: \"http://h:8000/stats\" }}\n\
             targets:\n  bare: {{ url: \"http://h/f/{{size}}.bin\", host: {{ cgroup: /sys/fs/cgroup/a }} }}\n  \
             kvm:\n    url: https://h/?x=1\n    ca: ca.pem\n    about: KVM on rack 4\n    card: vmxnet3\n    admin:\n      \
             url: https://h:9000/\n      token_file: token\n      fingerprint: \"sha256:{}\"\n    configuration: weir.yaml\n    \
             start: [qemu, -m, \"512\"]\n    stop: [kill]\n    ready: http://h/\n    ready_within: 30s\n  third: {{ url: \"http://h/\" }}\n",
            "ab:".repeat(32).trim_end_matches(':')
        );
        let (scenario, _) = parse(&text).unwrap_or_else(|found| panic!("{found}"));
        assert_eq!(scenario.sizes, [0, 1024, 65_536]);
        assert_eq!(scenario.relative_to.as_deref(), Some("kvm"));
        let [bare, kvm, _] = &scenario.targets[..] else { panic!() };
        assert_eq!(bare.url.sized(7).path, "/f/7.bin");
        assert_eq!(bare.host, Some(HostCpu::Group("/sys/fs/cgroup/a".into())));
        assert_eq!(kvm.url.sized(7).path, "/?x=1&s=7");
        assert_eq!(kvm.host, Some(HostCpu::Started));
        assert_eq!(kvm.admin.as_ref().unwrap().fingerprint, Some([0xab; 32]));
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place() {
        let said = refused(
            "version: 2\nsizes: [1KB, 0, 0]\nmodes: [clos]\nrounds: 0\nduraton: 1s\nnative: virtoi\ntargets:\n  virtio:\n    \
             url: 192.0.2.1:8080\n    admin: { url: \"https://h:9000/\" }\n  other:\n    about: nothing\n    configuration: a\n",
        );
        for expected in [
            "s.yaml:1:10",
            "did you mean `1KiB`?",
            "stands in the list already",
            "did you mean `close`?",
            "0 is not between 1 and 1000",
            "did you mean `duration`?",
            "did you mean `virtio`?",
            "did you mean `http://192.0.2.1:8080/`?",
            "add `fingerprint`",
            "this target has no `url`",
            "add `admin`",
            "11 errors",
        ] {
            assert!(said.contains(expected), "{expected} is missing:\n{said}");
        }
        assert!(refused("version: 1\ntargets: {}\n").contains("there is no target"));
        assert!(refused("version: 1\n").contains("no `targets`"));
        assert!(refused("").contains("the file is empty"));
        assert!(
            refused("version: 1\ntargets:\n  a: { url: \"http://h/\", host: {} }\n").contains("`pid_file`")
        );
    }
}
