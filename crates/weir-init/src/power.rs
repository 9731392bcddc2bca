//! Off and again: who may ask for it, and the last steps.
//!
//! Signals to process 1 are read as other inits read them, and `/sbin/poweroff` and its siblings are links to us that send
//! one: the kernel runs them when Hyper-V or Xen asks for a shutdown.

use std::time::Duration;

use nix::sys::signal::{self, SigSet, Signal};
use rustix::process::Pid;
use rustix::system::{RebootCommand, reboot};

use crate::{Event, Power, Teller, console, state, threads};

/// How long the disks may take at the end.
const SYNC_MAX: Duration = Duration::from_secs(10);
/// How long the consoles may take for the last line.
const FLUSH_MAX: Duration = Duration::from_millis(500);

/// The signals, with what they ask for.
const SIGNALS: &[(Signal, Power, &str)] = &[
    // The kernel's, for Ctrl-Alt-Del and for Xen's `reboot`.
    (Signal::SIGINT, Power::Restart, "Ctrl-Alt-Del"),
    // busybox' and gokrazy's `reboot`.
    (Signal::SIGTERM, Power::Restart, "SIGTERM"),
    // Their `halt` and `poweroff`: a virtual machine that is halted is one that is off.
    (Signal::SIGUSR1, Power::Off, "SIGUSR1"),
    (Signal::SIGUSR2, Power::Off, "SIGUSR2"),
    // A power supply that is about to fail.
    (Signal::SIGPWR, Power::Off, "SIGPWR"),
];

/// Blocks all signals, here and in every thread that is started from here: they are waited for instead.
pub(crate) fn block_signals() {
    let _ = SigSet::all().thread_block();
}

/// The thread that waits for signals.
pub(crate) fn listen(teller: Teller) {
    // Ctrl-Alt-Del is a request to us, not a reset.
    let _ = reboot(RebootCommand::CadOff);
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    SIGNALS.iter().for_each(|(signal, ..)| set.add(*signal));
    threads::start("signals", move || {
        loop {
            let Ok(received) = set.wait() else { continue };
            let told = match meaning(received) {
                Some((power, by)) => teller.tell(Event::Power { power, by: by.to_owned() }),
                None => teller.tell(Event::Child),
            };
            if !told {
                return;
            }
        }
    });
}

fn meaning(received: Signal) -> Option<(Power, &'static str)> {
    SIGNALS.iter().find(|(signal, ..)| *signal == received).map(|(_, power, by)| (*power, *by))
}

/// What `poweroff`, `reboot`, `shutdown` and `halt` ask for, with their arguments; None for other names.
pub(crate) fn asked(name: &str, arguments: &[String]) -> Option<Power> {
    match name {
        "poweroff" | "halt" => Some(Power::Off),
        "reboot" => Some(Power::Restart),
        // `-r` among the letters of the first word, or spelled out.
        "shutdown" => {
            let restarts = |word: &String| {
                word == "--reboot" || (word.starts_with('-') && !word.starts_with("--") && word.contains('r'))
            };
            Some(if arguments.iter().any(restarts) { Power::Restart } else { Power::Off })
        }
        _ => None,
    }
}

/// Sends process 1 the signal for it.
pub(crate) fn ask(power: Power) -> std::io::Result<()> {
    let signal = match power {
        Power::Off => rustix::process::Signal::USR2,
        Power::Restart => rustix::process::Signal::INT,
    };
    Ok(rustix::process::kill_process(Pid::INIT, signal)?)
}

/// The last steps: every process ended, STATE unmounted, the disks written, the machine off or started again.
pub(crate) fn end(power: Power) -> ! {
    let _ = signal::kill(nix::unistd::Pid::from_raw(-1), Signal::SIGKILL);
    state::unmount_now();
    sync();
    let (command, last) = match power {
        Power::Off => (RebootCommand::PowerOff, "Off."),
        Power::Restart => (RebootCommand::Restart, "Starting again."),
    };
    console::say(last);
    console::flush(FLUSH_MAX);
    let _ = reboot(command);
    // A machine that can't do it is halted; without reboot(2) at all, our end is a panic, and `panic=10` starts it again.
    let _ = reboot(RebootCommand::Halt);
    std::process::exit(1)
}

/// A disk that does not answer must not keep the machine on.
fn sync() {
    let (done, wait) = std::sync::mpsc::channel();
    threads::start("sync", move || {
        rustix::fs::sync();
        let _ = done.send(());
    });
    if wait.recv_timeout(SYNC_MAX).is_err() {
        console::say("the disks took too long to be written");
    }
}

/// A panic of the deciding thread starts the machine again rather than leave it without one; another thread's is told, and
/// what that thread did stays undone.
pub(crate) fn set_panic_hook() {
    let deciding = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        console::say(&format!("process 1, thread {}: {panic}", thread.name().unwrap_or("?")));
        if thread.id() == deciding {
            console::say("This is a defect in Weir; please report it. Starting again in 5 seconds.");
            console::flush(FLUSH_MAX);
            std::thread::sleep(Duration::from_secs(5));
            state::unmount_now();
            rustix::fs::sync();
            let _ = reboot(RebootCommand::Restart);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(name: &str, arguments: &[&str]) -> Option<Power> {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        asked(name, &arguments)
    }

    #[test]
    fn the_names_mean_what_they_do_elsewhere() {
        assert_eq!(asks("poweroff", &[]), Some(Power::Off));
        assert_eq!(asks("halt", &["-p"]), Some(Power::Off));
        assert_eq!(asks("reboot", &[]), Some(Power::Restart));
        assert_eq!(asks("weir", &[]), None);
    }

    #[test]
    fn shutdown_restarts_only_when_asked_to() {
        assert_eq!(asks("shutdown", &["-h", "now"]), Some(Power::Off));
        assert_eq!(asks("shutdown", &["-P", "+0"]), Some(Power::Off));
        assert_eq!(asks("shutdown", &["now"]), Some(Power::Off));
        assert_eq!(asks("shutdown", &["-r", "now"]), Some(Power::Restart));
        assert_eq!(asks("shutdown", &["-fr", "now"]), Some(Power::Restart));
        assert_eq!(asks("shutdown", &["--reboot"]), Some(Power::Restart));
        assert_eq!(asks("shutdown", &["--poweroff", "for repair"]), Some(Power::Off));
    }

    #[test]
    fn signals_mean_what_they_do_to_other_inits() {
        assert_eq!(meaning(Signal::SIGINT).map(|(power, _)| power), Some(Power::Restart));
        assert_eq!(meaning(Signal::SIGUSR2).map(|(power, _)| power), Some(Power::Off));
        assert_eq!(meaning(Signal::SIGCHLD), None);
    }
}
