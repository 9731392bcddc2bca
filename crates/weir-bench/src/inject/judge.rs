//! Whether the figures are the target's: what was the limit, and what a reader has to know. Pure.

use super::options::Mode;
use super::outcome::{Counts, Cpu, Limit, OriginUse};

/// From this share of a processor on, all threads together are its limit.
const BUSY: f64 = 0.92;

/// From this on a single thread is.
const BUSIEST: f64 = 0.97;

/// From this share of the time on that threads wait for a processor, they do not get what they need.
const WAITING: f64 = 0.10;

/// So much of a rate is the rate.
const REACHED: f64 = 0.99;

/// From this share of all requests on, errors are the result.
const FAILING: f64 = 0.5;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) mode: Mode,
    pub(super) measured: &'a Counts,
    pub(super) measured_seconds: f64,
    pub(super) cpu: Cpu,
    pub(super) origin: Option<OriginUse>,
}

/// The limit, and what there is to say; the first of it is about the limit.
pub(super) fn judge(evidence: &Evidence<'_>) -> (Limit, Vec<String>) {
    let limit = limit(evidence);
    let mut notes = vec![said(limit, evidence)];
    let &Evidence { measured, cpu, origin, .. } = evidence;
    if measured.errors.sum() > 0 {
        notes.push(format!("errors, which are in no other figure: {}", measured.errors.describe()));
    }
    if measured.unsent > 0 {
        notes.push(format!(
            "{} requests were due and found no place; with more --users at once they might have",
            measured.unsent
        ));
    }
    if limit.is_meaningful() && cpu.waiting >= WAITING {
        notes.push(format!(
            "the injector waited for a processor {:.0} % of the time, which is in the latencies",
            cpu.waiting * 100.0
        ));
    }
    if let Some(origin) = origin.filter(|origin| limit.is_meaningful() && origin.waiting >= WAITING) {
        notes.push(format!(
            "the origin waited for a processor {:.0} % of the time, which is in the latencies",
            origin.waiting * 100.0
        ));
    }
    if origin.is_none() {
        notes.push("the origin was not asked what it did; --origin-stats URL has it tell".into());
    }
    (limit, notes)
}

fn limit(evidence: &Evidence<'_>) -> Limit {
    let &Evidence { mode, measured, measured_seconds, cpu, origin } = evidence;
    let failed = measured.errors.sum();
    if failed > 0 && failed as f64 >= FAILING * (measured.responses + failed) as f64 {
        return Limit::Errors;
    }
    if measured.responses == 0 || measured_seconds <= 0.0 {
        return Limit::Unknown;
    }
    match mode {
        Mode::Open { rate, .. } if measured.responses as f64 / measured_seconds >= REACHED * rate => {
            return Limit::Rate;
        }
        Mode::Open { .. } | Mode::Closed { .. } => {}
    }
    if is_used_up(cpu.busy, cpu.busiest) {
        return Limit::Injector;
    }
    if cpu.waiting >= WAITING && cpu.busy + cpu.waiting >= BUSY {
        return Limit::Starved;
    }
    if origin.is_some_and(|origin| is_used_up(origin.busy + origin.waiting, origin.busiest)) {
        return Limit::Origin;
    }
    Limit::Target
}

fn is_used_up(busy: f64, busiest: f64) -> bool {
    busy >= BUSY || busiest >= BUSIEST
}

fn said(limit: Limit, evidence: &Evidence<'_>) -> String {
    let &Evidence { cpu, origin, measured, .. } = evidence;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    match limit {
        Limit::Target => format!(
            "the target was the limit: the injector used {} of its {}",
            percent(cpu.busy),
            threads(cpu.threads)
        ),
        Limit::Rate => "the rate was reached: the latencies are the result".into(),
        Limit::Injector => format!(
            "the injector was the limit, not the target: it used {} of its {} ({} of the busiest); these figures are \
             its own, use more --threads or more machines",
            percent(cpu.busy),
            threads(cpu.threads),
            percent(cpu.busiest)
        ),
        Limit::Starved => format!(
            "the injector did not get its processors: its {} ran {} of the time and waited for a processor {}; these \
             figures say little about the target, give the injector processors of its own",
            threads(cpu.threads),
            percent(cpu.busy),
            percent(cpu.waiting)
        ),
        Limit::Origin => {
            let origin = origin.unwrap_or_default();
            format!(
                "the origin was the limit: it used {} of its {} and waited for a processor {}; these figures are its own \
                 and not those of what is before it",
                percent(origin.busy),
                threads(origin.threads),
                percent(origin.waiting)
            )
        }
        Limit::Errors => format!(
            "most requests failed, so the figures say nothing: {} of {}",
            measured.errors.sum(),
            measured.errors.sum() + measured.responses
        ),
        Limit::Unknown => "nothing was answered in the measured time".into(),
    }
}

fn threads(count: usize) -> String {
    if count == 1 { "one thread".into() } else { format!("{count} threads") }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Errors;
    use super::*;

    const CLOSED: Mode = Mode::Closed { users: 1 };

    fn judged(
        mode: Mode,
        responses: u64,
        errors: u64,
        cpu: Cpu,
        origin: Option<OriginUse>,
    ) -> (Limit, String) {
        let errors = Errors { timeout: errors, ..Errors::default() };
        let measured = Counts { responses, errors, ..Counts::default() };
        let evidence = Evidence { mode, measured: &measured, measured_seconds: 1.0, cpu, origin };
        let (limit, notes) = judge(&evidence);
        (limit, notes.join("\n"))
    }

    fn used(busy: f64, waiting: f64) -> Cpu {
        Cpu { threads: 2, busy, busiest: busy, waiting, us_per_response: 0.0 }
    }

    #[test]
    fn the_limit_is_whoever_has_no_more_to_give() {
        let origin = |busy| Some(OriginUse { threads: 1, busy, busiest: busy, ..OriginUse::default() });
        let open = |rate| Mode::Open { rate, users_max: 1 };
        for (mode, responses, errors, cpu, origin, limit) in [
            (CLOSED, 100, 0, used(0.5, 0.0), None, Limit::Target),
            (CLOSED, 100, 0, used(0.5, 0.2), origin(0.5), Limit::Target),
            (CLOSED, 100, 0, used(0.95, 0.0), origin(0.95), Limit::Injector),
            (CLOSED, 100, 0, used(0.6, 0.4), None, Limit::Starved),
            (CLOSED, 100, 0, used(0.5, 0.0), origin(0.99), Limit::Origin),
            (CLOSED, 100, 100, used(0.95, 0.0), None, Limit::Errors),
            (CLOSED, 100, 99, used(0.5, 0.0), None, Limit::Target),
            (CLOSED, 0, 0, used(0.1, 0.0), None, Limit::Unknown),
            (open(100.0), 100, 0, used(0.95, 0.0), None, Limit::Rate),
            (open(200.0), 100, 0, used(0.5, 0.0), None, Limit::Target),
            (open(200.0), 100, 0, used(0.99, 0.0), None, Limit::Injector),
        ] {
            let (judged, notes) = judged(mode, responses, errors, cpu, origin);
            assert_eq!(judged, limit, "{notes}");
            assert_eq!(notes.contains("--origin-stats"), origin.is_none());
        }
    }

    #[test]
    fn one_thread_that_is_full_is_a_limit_too() {
        let cpu = Cpu { busiest: 0.99, ..used(0.5, 0.0) };
        assert_eq!(judged(CLOSED, 1, 0, cpu, None).0, Limit::Injector);
    }

    #[test]
    fn what_is_in_the_figures_beside_the_target_is_said() {
        let (limit, notes) = judged(CLOSED, 100, 3, used(0.3, 0.2), None);
        assert_eq!(limit, Limit::Target);
        assert!(
            notes.contains("3 no answer in time") && notes.contains("waited for a processor 20 %"),
            "{notes}"
        );
    }
}
