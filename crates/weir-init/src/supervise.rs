//! What becomes of the child when it dies, and which configuration is a good one. Pure: instants come in, verdicts go out.
//!
//! A configuration is **proven** when the child has served it for [`PROVEN_AFTER`]; it then is the last good one. One that
//! is not proven yet and ends the child a few times is taken back. With a proven one, the child is started again,
//! at once the first time, and then with pauses; only if it is refused many times in a row is that one taken back, too.

use std::time::{Duration, Instant};

/// How long the child serves with a configuration before that is a good one.
pub(crate) const PROVEN_AFTER: Duration = Duration::from_secs(30);
/// How long all has to be well before a new slot is the good one.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// Deaths with a configuration that isn't proven before it is taken back.
const DEATHS_MAX: u32 = 3;
/// Times that the child may refuse a configuration that isn't proven: once more than at once, in case the machine was at
/// fault (a certificate on its way).
const REFUSALS_MAX: u32 = 2;
/// The same, for one that was a good one: its certificates are gone, perhaps. An appliance without its admin API could not be
/// mended.
const REFUSALS_OF_PROVEN_MAX: u32 = 8;
/// The pauses before the child is started again, the last one from then on.
const PAUSES: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Status 1 before it served: it refused the configuration.
    Refused,
    /// Anything else.
    Crashed,
}

/// What is to be done about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start the child again at this instant.
    Again(Instant),
    /// Take the configuration back first, then start it at once.
    TakeBack,
}

/// What is known of the child.
#[derive(Debug)]
pub(crate) struct Supervision {
    /// Since when the child serves with the configuration as it is.
    serving_since: Option<Instant>,
    /// Since when the child serves without a death.
    well_since: Option<Instant>,
    proven: bool,
    /// With this configuration.
    deaths: u32,
    /// In a row, with this configuration.
    refusals: u32,
    /// In a row.
    restarts: usize,
}

impl Supervision {
    /// `proven`: the configuration that the child starts with is the last good one.
    pub(crate) fn new(proven: bool) -> Self {
        Self { serving_since: None, well_since: None, proven, deaths: 0, refusals: 0, restarts: 0 }
    }

    /// Every listener is bound.
    pub(crate) fn serving(&mut self, now: Instant) {
        self.serving_since = Some(now);
        self.well_since = Some(now);
    }

    /// The configuration was replaced; `proven` where the new one is the last good one.
    pub(crate) fn replaced(&mut self, proven: bool, now: Instant) {
        (self.proven, self.deaths, self.refusals) = (proven, 0, 0);
        self.serving_since = self.serving_since.map(|_| now);
    }

    /// The child ended.
    pub(crate) fn died(&mut self, death: Death, now: Instant) -> Verdict {
        let lived = self.well_since.take().is_some_and(|since| now.duration_since(since) >= PROVEN_AFTER);
        self.serving_since = None;
        if lived {
            self.restarts = 0;
        }
        match death {
            Death::Refused => self.refusals += 1,
            Death::Crashed => self.refusals = 0,
        }
        self.deaths += 1;
        let (deaths_max, refusals_max) =
            if self.proven { (u32::MAX, REFUSALS_OF_PROVEN_MAX) } else { (DEATHS_MAX, REFUSALS_MAX) };
        if self.deaths >= deaths_max || self.refusals >= refusals_max {
            return Verdict::TakeBack;
        }
        let pause = PAUSES[self.restarts.min(PAUSES.len() - 1)];
        self.restarts += 1;
        Verdict::Again(now + pause)
    }

    /// True once, when the configuration turns out to be a good one.
    pub(crate) fn proves(&mut self, now: Instant) -> bool {
        let served = self.serving_since.is_some_and(|since| now.duration_since(since) >= PROVEN_AFTER);
        if served {
            (self.restarts, self.refusals) = (0, 0);
        }
        let proves = served && !self.proven;
        self.proven |= proves;
        proves
    }

    /// Whether all has been well for so long that a new slot is a good one.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        self.well_since.is_some_and(|since| now.duration_since(since) >= SETTLED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_child_that_is_killed_is_back_at_once_and_later_with_pauses() {
        let mut now = Instant::now();
        let mut child = Supervision::new(true);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            child.serving(now);
            let Verdict::Again(at) = child.died(Death::Crashed, now) else { panic!("taken back") };
            pauses.push(at - now);
            now = at;
        }
        assert_eq!(pauses[..7], PAUSES);
        assert_eq!(pauses[8], PAUSES[6]);
        child.serving(now);
        now += PROVEN_AFTER;
        assert_eq!(child.died(Death::Crashed, now), Verdict::Again(now), "it was well for a while");
    }

    #[test]
    fn a_configuration_is_proven_once_and_after_a_while() {
        let start = Instant::now();
        let mut child = Supervision::new(false);
        assert!(!child.proves(start + PROVEN_AFTER), "it does not serve yet");
        child.serving(start);
        assert!(!child.proves(start + PROVEN_AFTER - SECOND));
        assert!(child.proves(start + PROVEN_AFTER));
        assert!(!child.proves(start + PROVEN_AFTER * 2));
        child.replaced(false, start + PROVEN_AFTER * 2);
        assert!(!child.proves(start + PROVEN_AFTER * 3 - SECOND));
        assert!(child.proves(start + PROVEN_AFTER * 3));
    }

    #[test]
    fn a_new_configuration_that_kills_is_taken_back() {
        let now = Instant::now();
        let mut child = Supervision::new(true);
        child.serving(now);
        child.replaced(false, now);
        assert!(matches!(child.died(Death::Crashed, now), Verdict::Again(_)));
        child.serving(now);
        assert!(matches!(child.died(Death::Crashed, now + SECOND), Verdict::Again(_)));
        assert_eq!(child.died(Death::Crashed, now + SECOND), Verdict::TakeBack);
    }

    #[test]
    fn one_that_is_refused_is_taken_back_sooner() {
        let now = Instant::now();
        let mut child = Supervision::new(false);
        assert!(matches!(child.died(Death::Refused, now), Verdict::Again(_)));
        assert_eq!(child.died(Death::Refused, now), Verdict::TakeBack);
        child.replaced(true, now);
        for _ in 1..REFUSALS_OF_PROVEN_MAX {
            assert!(
                matches!(child.died(Death::Refused, now), Verdict::Again(_)),
                "a good one has more patience"
            );
        }
        assert_eq!(child.died(Death::Refused, now), Verdict::TakeBack);
    }

    #[test]
    fn a_slot_is_good_when_all_was_well_for_a_minute() {
        let start = Instant::now();
        let mut child = Supervision::new(true);
        assert!(!child.is_settled(start + SETTLED_AFTER));
        child.serving(start);
        assert!(!child.is_settled(start + SETTLED_AFTER - SECOND));
        assert!(child.is_settled(start + SETTLED_AFTER));
        child.died(Death::Crashed, start + SETTLED_AFTER);
        assert!(!child.is_settled(start + SETTLED_AFTER * 2));
    }
}
