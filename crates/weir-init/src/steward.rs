//! The deciding thread, once the machine is started: it alone starts and ends the child, writes STATE's files and the status
//! file, and ends the machine.
//!
//! It takes one event at a time and looks at the clock after each; what it does takes no longer than a disk takes to write a
//! file.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{WaitOptions, WaitStatus, wait};
use weir_config::Config;

use crate::admin::Admin;
use crate::agents::Agents;
use crate::child::{Child, Orders};
use crate::clock::Clock;
use crate::command_line::CommandLine;
use crate::configuration::{self, Chosen, Store};
use crate::network::Network;
use crate::state::{self, Disk, State};
use crate::status::{self, Status};
use crate::summary::{self, Summary};
use crate::supervise::{Death, Supervision, Verdict};
use crate::watchdog::{FEED_EVERY, Watchdog};
use crate::{Event, Power, console, grubenv, power};

/// How long a child that served may give no sign of life.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a child may take to serve.
const START_MAX: Duration = Duration::from_secs(120);
/// How long changes are gathered before the box is shown for the first time, and again.
const GATHER_FIRST: Duration = Duration::from_millis(200);
const GATHER: Duration = Duration::from_secs(3);
/// What draining may take beyond the configuration's own bound.
const DRAIN_MORE: Duration = Duration::from_secs(5);
/// Notices that are kept; the latest.
const NOTICES_MAX: usize = 50;

/// What the start leaves.
#[derive(Debug)]
pub(crate) struct Inherited {
    pub(crate) line: CommandLine,
    pub(crate) boot: status::Boot,
    pub(crate) disk: Option<Disk>,
    pub(crate) state: State,
    pub(crate) store: Store,
    pub(crate) chosen: Chosen,
    pub(crate) admin: Option<Admin>,
    pub(crate) orders: Orders,
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) agents: Agents,
    pub(crate) notices: Vec<String>,
}

/// The deciding thread's own.
#[derive(Debug)]
pub(crate) struct Steward {
    events: Receiver<Event>,
    line: CommandLine,
    disk: Option<Disk>,
    store: Store,
    admin: Option<Admin>,
    orders: Orders,
    network: Network,
    clock: Clock,
    agents: Agents,
    /// The running file's text, and what it means.
    text: String,
    config: Option<Config>,
    status: Status,
    changed: bool,
    supervision: Supervision,
    life: Life,
    watchdog: Option<Watchdog>,
    /// Whether the slot that runs was said to be a good one, or need not be.
    settled: bool,
    show_at: Option<Instant>,
    shown: String,
}

/// The child's.
#[derive(Debug)]
enum Life {
    Running {
        child: Child,
        since: Instant,
        served: bool,
        alive: Instant,
    },
    /// Dead, until then.
    Waiting {
        until: Instant,
        alive: Instant,
    },
}

impl Steward {
    pub(crate) fn new(inherited: Inherited, events: Receiver<Event>) -> Self {
        let Inherited {
            line,
            boot,
            disk,
            state,
            store,
            chosen,
            admin,
            orders,
            network,
            clock,
            agents,
            notices,
        } = inherited;
        let now = Instant::now();
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            slot: line.slot,
            fallback: line.fallback.number(),
            boot,
            configuration: chosen.origin,
            state: status::State {
                device: state.device.map(|device| device.display().to_string()),
                condition: state.condition,
                size_bytes: state::size_bytes(),
                free_bytes: state::free_bytes(),
            },
            network: network.status(),
            clock: clock.status(),
            child: status::Child::default(),
            notices,
        };
        let supervision = Supervision::new(store.is_last_good(&chosen.text));
        Self {
            events,
            settled: line.slot.is_none() || disk.is_none(),
            line,
            disk,
            store,
            admin,
            orders,
            network,
            clock,
            agents,
            text: chosen.text,
            config: chosen.config,
            status,
            changed: true,
            supervision,
            life: Life::Waiting { until: now, alive: now },
            watchdog: None,
            show_at: None,
            shown: String::new(),
        }
    }

    /// Decides, until somebody wants the machine off.
    pub(crate) fn run(mut self) -> ! {
        loop {
            let now = Instant::now();
            self.look(now);
            match self.events.recv_timeout(self.next_look(now)) {
                Ok(Event::Power { power, by }) => self.end(power, &by),
                Ok(event) => self.take(event, Instant::now()),
                // Nobody can tell anything any more, which can't be: the threads that tell never end.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(FEED_EVERY),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Power { .. } => {}
            Event::Network => {
                self.status.network = self.network.status();
                self.agents.report(&self.network.hostname(), &self.status.network);
                self.clock.nudge();
                self.changes(now);
            }
            Event::Configuration => self.replaced(now),
            Event::Clock(server) => {
                console::note(&format!("the clock was set by {server}"));
                self.status.clock = self.clock.status();
                self.changes(now);
            }
            Event::Child => self.reap(now),
            Event::Serving => {
                self.supervision.serving(now);
                if let Life::Running { served, alive, .. } = &mut self.life {
                    (*served, *alive) = (true, now);
                }
                self.changes(now);
            }
            Event::Alive => {
                if let Life::Running { alive, .. } = &mut self.life {
                    *alive = now;
                }
            }
        }
    }

    /// What is due.
    fn look(&mut self, now: Instant) {
        self.reap(now);
        match &self.life {
            Life::Waiting { until, alive } if *until <= now => self.start_child(now, *alive),
            Life::Running { child, since, served, alive } => {
                let silent = now.duration_since(*alive) > SILENCE_MAX && *served;
                if silent || (!served && now.duration_since(*since) > START_MAX) {
                    child.kill();
                    self.notice(now, "weir run gave no sign of life and was ended".to_owned());
                }
            }
            Life::Waiting { .. } => {}
        }
        if self.supervision.proves(now)
            && let Err(error) = self.store.prove()
        {
            self.notice(now, format!("the last good configuration can't be kept: {error}"));
        }
        if !self.settled && self.supervision.is_settled(now) {
            self.settle(now);
        }
        self.feed(now);
        if self.show_at.is_some_and(|at| at <= now) {
            self.show();
        }
        if self.changed {
            self.write_status();
        }
    }

    /// How long nothing is due.
    fn next_look(&self, now: Instant) -> Duration {
        let restart = match &self.life {
            Life::Waiting { until, .. } => Some(*until),
            Life::Running { .. } => None,
        };
        let due = [restart, self.show_at].into_iter().flatten().min();
        due.map_or(FEED_EVERY, |due| due.saturating_duration_since(now).min(FEED_EVERY))
    }

    fn start_child(&mut self, now: Instant, alive: Instant) {
        match Child::start(&self.orders) {
            Ok(child) => {
                self.status.child.starts += 1;
                self.status.child.pid = Some(child.pid.as_raw_nonzero().get());
                self.life = Life::Running { child, since: now, served: false, alive };
            }
            Err(error) => {
                self.life = Life::Waiting { until: now + Duration::from_secs(1), alive };
                self.notice(now, format!("weir run can't be started: {error}"));
            }
        }
        self.changes(now);
    }

    /// Every process that ended is ours to reap.
    fn reap(&mut self, now: Instant) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Life::Running { child, served, alive, .. } = &self.life
                && child.pid == pid
            {
                let (served, alive) = (*served, *alive);
                self.died(status, served, alive, now);
            }
        }
    }

    fn died(&mut self, status: WaitStatus, served: bool, alive: Instant, now: Instant) {
        let how = describe(status);
        console::say(&format!("weir run {how}"));
        self.status.child.pid = None;
        self.status.child.last_exit = Some(how);
        let refused = !served && status.exit_status() == Some(1);
        let until = match self.supervision.died(if refused { Death::Refused } else { Death::Crashed }, now) {
            Verdict::Again(at) => at,
            Verdict::TakeBack => self.take_back(now),
        };
        self.life = Life::Waiting { until, alive };
        self.changes(now);
    }

    /// The last good configuration returns; when the child may be started again.
    fn take_back(&mut self, now: Instant) -> Instant {
        match self.store.take_back() {
            Ok(Some(good)) => {
                self.notice(
                    now,
                    "the configuration ended weir run again and again: the last good one is back, and it is kept as \
                     rejected.yaml"
                        .to_owned(),
                );
                self.status.configuration.restored_last_good = true;
                self.adopt(good, now);
                now
            }
            Ok(None) => {
                self.supervision.replaced(true, now);
                now + Duration::from_secs(1)
            }
            Err(error) => {
                self.notice(now, format!("the last good configuration can't be brought back: {error}"));
                now + Duration::from_secs(1)
            }
        }
    }

    /// The file was replaced: by the child, or by ourselves.
    fn replaced(&mut self, now: Instant) {
        match self.store.text() {
            Ok(text) if text == self.text => {}
            Ok(text) => {
                self.status.configuration.source = "stored".to_owned();
                self.status.configuration.taken = false;
                self.adopt(text, now);
            }
            Err(error) => {
                self.notice(now, format!("the configuration that was replaced can't be read: {error}"));
            }
        }
    }

    /// Makes the machine what `text` says.
    fn adopt(&mut self, text: String, now: Instant) {
        self.supervision.replaced(self.store.is_last_good(&text), now);
        match weir_config::parse(&text) {
            Ok(parsed) => {
                self.network.apply(configuration::plan(&parsed.config));
                self.clock.apply(&parsed.config.system.time);
                self.config = Some(parsed.config);
            }
            Err(_) => self.notice(now, "the configuration that was replaced is not valid".to_owned()),
        }
        self.text = text;
        self.changes(now);
    }

    /// A new slot that has been well for a while is the good one from now on.
    fn settle(&mut self, now: Instant) {
        self.settled = true;
        let esp = self.disk.as_ref().and_then(|disk| disk.partition("ESP"));
        let (Some(slot), Some(esp)) = (self.line.slot, esp) else { return };
        let kept = match self.line.fallback {
            crate::command_line::Fallback::None | crate::command_line::Fallback::TriesUsedUp => {
                grubenv::settle(&esp.node, slot)
            }
            // The other slot is broken; the boot loader finds its way each time, and the operator shall see it.
            crate::command_line::Fallback::NotLoadable => Ok(()),
        };
        if let Err(error) = kept {
            self.notice(now, format!("slot {} runs well and can't be marked as good: {error}", slot.name()));
        }
    }

    fn feed(&mut self, now: Instant) {
        if self.watchdog.is_none() {
            self.watchdog = Watchdog::open();
            if self.watchdog.is_some() {
                console::note(&format!("watchdog: {}", Watchdog::identity()));
            }
        }
        let alive = match &self.life {
            Life::Running { alive, .. } | Life::Waiting { alive, .. } => *alive,
        };
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.feed(now, alive);
        }
    }

    fn notice(&mut self, now: Instant, text: String) {
        console::say(&format!("attention: {text}"));
        if self.status.notices.last() != Some(&text) {
            self.status.notices.push(text);
        }
        let more = self.status.notices.len().saturating_sub(NOTICES_MAX);
        self.status.notices.drain(..more);
        self.changes(now);
    }

    /// The status file is written after this event; the box is shown once things calm down.
    fn changes(&mut self, now: Instant) {
        self.changed = true;
        let gather = if self.shown.is_empty() { GATHER_FIRST } else { GATHER };
        self.show_at = Some(now + gather);
    }

    fn write_status(&mut self) {
        self.changed = false;
        self.status.state.free_bytes = state::free_bytes();
        if let Err(error) = self.status.write() {
            console::note(&format!("the status can't be written: {error}"));
        }
    }

    fn show(&mut self) {
        self.show_at = None;
        let served = match &self.life {
            Life::Running { served, .. } => *served,
            Life::Waiting { .. } => false,
        };
        let summary = self.summary();
        let text = summary.render();
        if served && text != self.shown {
            console::say(&text);
            self.shown = text;
            if let Some(admin) = self.admin.as_ref().filter(|_| summary.admin.token.is_some())
                && let Err(error) = admin.mark_shown()
            {
                console::note(&format!("the token will be shown again: {error}"));
            }
        }
    }

    fn summary(&self) -> Summary {
        let slot = self.line.slot.map_or_else(String::new, |slot| format!(", slot {}", slot.name()));
        Summary {
            title: format!("Weir {}{slot}", self.status.version),
            hostname: self.network.hostname(),
            interfaces: self.status.network.clone(),
            admin: self.admin_shown(),
            configuration: configuration::describe(&self.status.configuration),
            notices: self.status.notices.clone(),
        }
    }

    fn admin_shown(&self) -> summary::Admin {
        let mut addresses: Vec<String> = self
            .status
            .network
            .iter()
            .flat_map(|card| &card.addresses)
            .filter(|address| !summary::is_link_local(address))
            .filter_map(|address| Some(address.split_once('/')?.0.to_owned()))
            .collect();
        // Two cards may have been given the same.
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        configuration::admin_shown(self.config.as_ref(), &self.text, self.admin.as_ref(), &addresses)
    }

    /// Drains, ends the child, and the machine.
    fn end(mut self, power: Power, by: &str) -> ! {
        let what = match power {
            Power::Off => "off",
            Power::Restart => "restart",
        };
        console::say(&format!("{what}: asked for by {by}; draining"));
        let drain = self.config.as_ref().map_or(Duration::ZERO, |config| config.timeouts.drain) + DRAIN_MORE;
        let deadline = Instant::now() + drain;
        if let Life::Running { child, .. } = &self.life {
            child.terminate();
        }
        while let Life::Running { child, .. } = &self.life {
            let now = Instant::now();
            if now >= deadline {
                console::say("draining took too long; what is left is cut off");
                child.kill();
                break;
            }
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.feed_anyway();
            }
            match self.events.recv_timeout((deadline - now).min(FEED_EVERY)) {
                // Asked again: at once.
                Ok(Event::Power { .. }) => child.terminate(),
                Ok(_) | Err(_) => self.reap_at_the_end(),
            }
        }
        if let Some(watchdog) = self.watchdog {
            watchdog.stop();
        }
        power::end(power)
    }

    /// Without starting anything again.
    fn reap_at_the_end(&mut self) {
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            if let Life::Running { child, alive, .. } = &self.life
                && child.pid == pid
            {
                self.life = Life::Waiting { until: Instant::now(), alive: *alive };
            }
        }
    }
}

/// `exited with 1`, `killed by signal 9`.
fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => format!("ended ({status:?})"),
    }
}
