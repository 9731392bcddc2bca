//! Who we are this time: one binary has many names. Process 1; a link by which the kernel or an agent asks for something; the
//! moment between process 1 and `weir run`.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;

use crate::{boot, child, modules, power};

/// `weir init` was started by somebody else than the kernel.
#[derive(Debug, thiserror::Error)]
#[error(
    "`weir init` is process 1 of the appliance and mounts, loads and reboots; here it would be process {pid}. \
     To serve a configuration on this machine: weir run --config FILE"
)]
pub struct NotProcessOne {
    pid: u32,
}

/// What the process is to be.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    ProcessOne,
    /// Ask process 1 for it.
    Ask(crate::Power),
    /// Load modules for the kernel.
    Modprobe,
    /// Become the child, with these arguments.
    Child(&'a [String]),
    /// Whatever the arguments say.
    Program,
}

/// Does what the process was started for, where its name or its number says so; None where its arguments do.
#[must_use]
pub fn take_over() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match part(&words, std::process::id()) {
        Part::ProcessOne => boot::boot(),
        Part::Ask(wanted) => Some(power::ask(wanted).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)),
        Part::Modprobe => {
            modules::modprobe(words.into_iter().skip(1));
            Some(ExitCode::SUCCESS)
        }
        Part::Child(arguments) => Some(match child::become_child(arguments) {
            Ok(never) => match never {},
            Err(error) => {
                crate::console::say(&format!("weir: the child is not started: {error}"));
                // Not 1, which would mean that the configuration is refused.
                ExitCode::from(125)
            }
        }),
        Part::Program => None,
    }
}

/// `weir init`, by its name among the arguments.
///
/// # Errors
/// The process isn't process 1.
pub fn run() -> Result<Infallible, NotProcessOne> {
    match std::process::id() {
        1 => boot::boot(),
        pid => Err(NotProcessOne { pid }),
    }
}

fn part(words: &[String], pid: u32) -> Part<'_> {
    let name = words.first().map_or("", |name| base(name));
    let arguments = words.get(1..).unwrap_or_default();
    if pid == 1 {
        return Part::ProcessOne;
    }
    if name == "modprobe" {
        return Part::Modprobe;
    }
    if let Some(wanted) = power::asked(name, arguments) {
        return Part::Ask(wanted);
    }
    match arguments {
        [init, confined, rest @ ..] if init == "init" && confined == child::CONFINED => Part::Child(rest),
        _ => Part::Program,
    }
}

fn base(name: &str) -> &str {
    Path::new(name).file_name().and_then(std::ffi::OsStr::to_str).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_name_or_a_number_says_what_is_wanted() {
        assert_eq!(part(&words("/init"), 1), Part::ProcessOne);
        assert_eq!(part(&words("weir run --config x"), 1), Part::ProcessOne);
        assert_eq!(part(&words("/sbin/poweroff"), 70), Part::Ask(crate::Power::Off));
        assert_eq!(part(&words("/sbin/reboot"), 70), Part::Ask(crate::Power::Restart));
        assert_eq!(part(&words("/sbin/modprobe -q -- fs-vfat"), 70), Part::Modprobe);
        assert_eq!(
            part(&words("/weir init confined run --config x"), 70),
            Part::Child(&words("run --config x"))
        );
        assert_eq!(part(&words("/weir run --config init"), 70), Part::Program);
        assert_eq!(part(&words("weir init"), 70), Part::Program);
        assert_eq!(part(&[], 70), Part::Program);
    }
}
