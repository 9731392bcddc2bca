//! In which order a scenario is measured, and what is left of it. Pure.
//!
//! Rounds are outermost, so that what changes with time (a warm processor, a busy neighbour) meets every target alike;
//! and each round begins with another target, so that none is always the first.

use crate::results::{Mode, Results};

use super::scenario::Scenario;

/// A target in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// From 0.
    pub round: u32,
    /// Which of the scenario's targets.
    pub target: usize,
}

/// A measurement on a target in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How.
    pub mode: Mode,
    /// Bytes.
    pub size: u64,
}

/// All visits, in order.
pub fn visits(scenario: &Scenario) -> impl Iterator<Item = Visit> {
    let targets = scenario.targets.len();
    (0..scenario.rounds).flat_map(move |round| {
        (0..targets).map(move |turn| Visit { round, target: (turn + round as usize) % targets.max(1) })
    })
}

/// What is not measured yet of a visit.
pub fn left(scenario: &Scenario, results: &Results, visit: Visit) -> Vec<Step> {
    let name = &scenario.targets[visit.target].name;
    let is_done = |step: &Step| {
        results.measurements.iter().any(|one| {
            one.round == visit.round && one.target == *name && (one.mode, one.size) == (step.mode, step.size)
        })
    };
    let steps =
        scenario.modes.iter().flat_map(|&mode| scenario.sizes.iter().map(move |&size| Step { mode, size }));
    steps.filter(|step| !is_done(step)).collect()
}

/// Whether the work without a network is left of a visit.
pub fn is_work_left(scenario: &Scenario, results: &Results, visit: Visit) -> bool {
    let target = &scenario.targets[visit.target];
    let is_done = results.work.iter().any(|work| work.round == visit.round && work.target == target.name);
    scenario.work && target.admin.is_some() && !is_done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::scenario;
    use crate::report::test_measurement;
    use crate::results::Environment;

    fn scenario() -> Scenario {
        let text = "version: 1\nrounds: 3\nsizes: [0, 1KiB]\ntargets:\n  a: { url: \"http://h/\" }\n  b: { url: \"http://h/\" }\n  \
                    c: { url: \"http://h/\" }\n";
        scenario::parse(text).unwrap().0
    }

    #[test]
    fn every_round_has_every_target_and_begins_with_another() {
        let visits: Vec<(u32, usize)> =
            visits(&scenario()).map(|visit| (visit.round, visit.target)).collect();
        assert_eq!(visits, [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 0), (2, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn what_is_measured_is_not_left() {
        let scenario = scenario();
        let mut results = Results::new(scenario.record("t"), Vec::new(), Environment::default(), 0);
        let visit = Visit { round: 1, target: 2 };
        assert_eq!(left(&scenario, &results, visit).len(), 2);
        results.measurements.push(test_measurement("c", Mode::Close, 1024, 1, 100.0));
        results.measurements.push(test_measurement("b", Mode::Close, 0, 1, 100.0));
        assert_eq!(left(&scenario, &results, visit), [Step { mode: Mode::Close, size: 0 }]);
        assert_eq!(left(&scenario, &results, Visit { round: 0, target: 2 }).len(), 2);
        assert!(!is_work_left(&scenario, &results, visit), "there is no admin API to ask");
    }
}
