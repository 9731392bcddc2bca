//! Findings on made-up data of which one knows what is to be said.

use super::{Kind, findings, limits, trends};
use crate::inject::outcome::{Errors, Limit};
use crate::report::summary::{Summary, summarize};
use crate::results::{
    Aim, Card, Compared, CpuOf, CpuUse, Environment, Failure, Latency, Measurement, Mode, Results, Scenario,
    Target, Work, WorkTime,
};

const SIZES: [u64; 5] = [0, 1 << 10, 4 << 10, 16 << 10, 64 << 10];

/// A measurement of so many requests a second.
pub(crate) fn measurement(target: &str, mode: Mode, size: u64, round: u32, rate: f64) -> Measurement {
    Measurement {
        target: target.into(),
        mode,
        size,
        round,
        started_unix_ms: 0,
        seconds: 1.0,
        connections_per_second: rate,
        requests_per_second: rate,
        bits_per_second: rate * 8.0 * (size as f64 + 200.0),
        latency: Latency { p50_us: 100.0, p90_us: 200.0, p99_us: 300.0, p999_us: 400.0, max_us: 500.0 },
        responses: rate as u64,
        errors: Errors::default(),
        guest: None,
        host: None,
        injector_busy: 0.3,
        origin_busy: None,
        limit: Limit::Target,
        notes: Vec::new(),
    }
}

/// Results of these targets, each with its card and its rates at [`SIZES`], three rounds 1 % apart.
pub(crate) fn results(targets: &[(&str, &str, [f64; 5])]) -> Results {
    let scenario = Scenario {
        title: "made up".into(),
        sizes: SIZES.to_vec(),
        modes: vec![Mode::Close],
        rounds: 3,
        duration_ms: 1000,
        warm_up_ms: 0,
        users: 8,
        native: targets.iter().any(|(name, ..)| *name == "native").then(|| "native".into()),
        relative_to: None,
        compares: Compared::Machines,
        targets: targets
            .iter()
            .map(|(name, ..)| Aim { name: (*name).into(), url: "http://h/".into() })
            .collect(),
    };
    let known = |&(name, card, _): &(&str, &str, [f64; 5])| Target {
        name: name.into(),
        card: Some(card.to_owned()).filter(|card| !card.is_empty()),
        ..Target::default()
    };
    let mut results = Results::new(scenario, targets.iter().map(known).collect(), Environment::default(), 0);
    for (name, _, rates) in targets {
        for (&size, rate) in SIZES.iter().zip(rates) {
            for (round, factor) in [0.99, 1.0, 1.01].into_iter().enumerate() {
                let round = u32::try_from(round).unwrap();
                results.measurements.push(measurement(name, Mode::Close, size, round, rate * factor));
            }
        }
    }
    results
}

/// A target that opens `rate` connections a second until `megabits` are reached.
fn bounded(rate: f64, megabits: f64) -> [f64; 5] {
    SIZES.map(|size| rate.min(megabits * 1e6 / 8.0 / (size as f64 + 200.0)))
}

fn said(results: &Results) -> Vec<String> {
    findings(&summarize(results)).into_iter().map(|finding| finding.text).collect()
}

#[track_caller]
fn assert_said(results: &Results, words: &str) {
    let said = said(results);
    assert!(said.iter().any(|text| text.contains(words)), "{words} is missing:\n{}", said.join("\n"));
}

#[track_caller]
fn assert_unsaid(results: &Results, words: &str) {
    let said = said(results);
    assert!(!said.iter().any(|text| text.contains(words)), "{words} is said:\n{}", said.join("\n"));
}

#[test]
fn the_right_card_is_advised_with_what_the_others_cost() {
    let results = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("vmxnet3", "vmxnet3", bounded(7000.0, 1e9)),
        ("e1000", "e1000", bounded(1600.0, 1e9)),
    ]);
    assert_said(
        &results,
        "Emulated cards (e1000) lose 84 % of the connections a second against native, vmxnet3 loses 30 %: take vmxnet3.",
    );
    assert_said(&results, "vmxnet3 loses 30 % and e1000 loses 84 %");
    let found = findings(&summarize(&results));
    assert_eq!(found[0].kind, Kind::Advice, "{found:?}");
}

#[test]
fn a_machine_with_more_processors_is_no_better_card() {
    let mut results = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("virtio", "virtio_net", bounded(6000.0, 1e9)),
        ("two of each", "virtio_net", bounded(9000.0, 1e9)),
        ("e1000", "e1000", bounded(2000.0, 1e9)),
    ]);
    for (target, processors) in results.targets.iter_mut().zip([4, 1, 2, 1]) {
        target.environment.processors = Some(processors);
    }
    assert_said(&results, "paravirtual ones lose 25 % (two of each and virtio): take virtio.");
}

#[test]
fn among_several_good_cards_the_best_is_taken_and_a_slow_one_does_not_speak_for_its_kind() {
    let results = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("a", "virtio_net", bounded(6000.0, 1e9)),
        ("b", "vmxnet3", bounded(7000.0, 1e9)),
        ("c", "rtl8139", bounded(1000.0, 1e9)),
        ("d", "e1000e", bounded(2000.0, 1e9)),
    ]);
    assert_said(&results, "paravirtual ones lose 35 % (b and a): take b.");
    assert_said(&results, "Emulated cards (d and c) lose 85 %");
}

#[test]
fn no_difference_is_said_to_be_none() {
    let alike = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("virtio", "virtio", bounded(7000.0, 1e9)),
        ("e1000", "e1000", bounded(6900.0, 1e9)),
    ]);
    assert_said(&alike, "makes no difference here");
    assert_unsaid(&alike, "take virtio");
    let reversed =
        results(&[("virtio", "virtio", bounded(5000.0, 1e9)), ("e1000", "e1000", bounded(7000.0, 1e9))]);
    assert_said(&reversed, "is ahead of virtio by 40 %");
    assert_unsaid(&reversed, "take");
}

#[test]
fn without_native_cards_are_compared_with_each_other() {
    let results =
        results(&[("virtio", "virtio", bounded(8000.0, 1e9)), ("e1000", "e1000", bounded(2000.0, 1e9))]);
    assert_said(
        &results,
        "Emulated cards (e1000) reach 25 % of the connections a second of virtio: take virtio.",
    );
    assert_said(&results, "There is no native target");
    assert_unsaid(&results, "against");
}

#[test]
fn one_target_alone_gives_no_comparison_and_no_nonsense() {
    for name in ["native", "other"] {
        let results = results(&[(name, "", bounded(10_000.0, 900.0))]);
        for words in ["take", "loses", "relative", "NaN", "inf", "–"] {
            assert_unsaid(&results, words);
        }
        assert_said(&results, "the connections are the limit");
    }
}

#[test]
fn the_limits_turn_where_they_do() {
    // 10,000 connections a second are 82 Mbit/s at 1 KB and 344 at 4 KB; 900 Mbit/s are 6,800 at 16 KB.
    let mut results = results(&[("native", "", bounded(10_000.0, 900.0))]);
    assert_said(
        &results,
        "native: up to 4 KB the connections are the limit (10,000 a second); from 16 KB on the bandwidth is (900 Mbit/s).",
    );
    results.targets[0].environment.cards.push(Card { speed_mbit: Some(1000), ..Card::default() });
    assert_said(&results, "(900 Mbit/s, the whole link of 1 Gbit/s)");
    results.targets[0].environment.cards[0].speed_mbit = Some(10_000);
    assert_unsaid(&results, "whole link");
}

#[test]
fn a_bandwidth_that_grows_is_no_limit() {
    let rising = results(&[("native", "", [10_000.0, 9900.0, 9800.0, 9000.0, 7000.0])]);
    assert_said(&rising, "up to 16 KB the connections are the limit");
    assert_said(&rising, "the bandwidth still grows at 64 KB");
    assert_unsaid(&rising, "whole link");
    // Below what two sizes can tell there is nothing to say of limits.
    assert_eq!(limits::turns(&[(0, 1.0, 1.0), (1024, 1.0, 2.0)]), None);
    assert_eq!(limits::turns(&[]), None);
}

#[test]
fn targets_that_turn_alike_share_a_sentence() {
    let results =
        results(&[("native", "", bounded(10_000.0, 900.0)), ("virtio", "virtio", bounded(9500.0, 880.0))]);
    assert_said(
        &results,
        "native and virtio: up to 4 KB the connections are the limit (9,500 to 10,000 a second)",
    );
}

#[test]
fn failed_rounds_are_told_and_not_averaged_in() {
    let mut results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("virtio", "virtio", bounded(5000.0, 1e9))]);
    for one in results.measurements.iter_mut().filter(|one| one.target == "virtio" && one.round == 0) {
        one.limit = Limit::Errors;
        one.errors.reset = 100;
        one.requests_per_second = 3.0;
    }
    let summary = summarize(&results);
    let cell = summary.modes[0].rows[1][0].as_ref().unwrap();
    assert_eq!((cell.rate.count, cell.rounds_failed), (2, 1));
    assert!((cell.rate.median - 5025.0).abs() < 1.0, "{:?}", cell.rate);
    assert_said(&results, "Requests failed for virtio at every size (such as 100 reset within the answer)");
}

#[test]
fn a_target_that_always_fails_has_no_figures() {
    let mut results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("e1000", "e1000", bounded(500.0, 1e9))]);
    for one in results.measurements.iter_mut().filter(|one| one.target == "e1000") {
        (one.limit, one.responses, one.requests_per_second) = (Limit::Errors, 0, 0.0);
        one.errors.connect_refused = 5;
    }
    results.failures.push(Failure {
        target: "e1000".into(),
        round: 1,
        why: "was not ready after 60 s.".into(),
    });
    results.failures.push(Failure {
        target: "e1000".into(),
        round: 2,
        why: "was not ready after 60 s.".into(),
    });
    assert_said(&results, "e1000 could not be measured in 2 rounds: was not ready after 60 s.");
    assert_said(&results, "connection refused");
    for words in ["e1000 loses", "NaN", "inf", "take"] {
        assert_unsaid(&results, words);
    }
}

#[test]
fn missing_sizes_are_left_out_of_comparisons() {
    let mut results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("virtio", "virtio", bounded(5000.0, 1e9))]);
    results.measurements.retain(|one| one.target == "native" || one.size > 1024);
    assert_said(&results, "virtio loses 50 %");
    assert_said(&results, "2 of 10 combinations of target, mode and size were not measured");
    results.measurements.retain(|one| one.target == "native");
    assert_unsaid(&results, "virtio loses");
    results.measurements.clear();
    assert_eq!(said(&results), ["Nothing was measured yet."]);
}

#[test]
fn a_bound_injector_is_told() {
    let mut results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("virtio", "virtio", bounded(5000.0, 1e9))]);
    for one in results.measurements.iter_mut().filter(|one| one.target == "native" && one.size == 0) {
        one.limit = Limit::Injector;
    }
    assert_said(&results, "For native at 0, the injector's own processors were the limit");
}

#[test]
fn an_emulated_processor_explains_its_part() {
    let mut results = results(&[
        ("native", "", bounded(20_000.0, 1e9)),
        ("virtio", "virtio", bounded(1000.0, 1e9)),
        ("e1000", "e1000", bounded(500.0, 1e9)),
    ]);
    results.scenario.relative_to = Some("virtio".into());
    for (target, milliseconds) in [("native", 50.0), ("virtio", 500.0), ("e1000", 500.0)] {
        results.work.push(Work { target: target.into(), round: 0, time: WorkTime { milliseconds } });
    }
    for target in &mut results.targets[1..] {
        target.environment.processor = Some("QEMU TCG CPU version 2.5+".into());
    }
    assert_said(
        &results,
        "Work without a network takes 10 times as long in the virtual machines as in native.",
    );
    // 1000 and 500 of 20,000 are a 27-fold loss in the middle; ten of it are the processor's.
    assert_said(&results, "the processor alone would explain 10 times; the remaining 2.7 times are the card");
    assert_said(&results, "Relative to virtio (100 %), in connections a second over all sizes: e1000 50 %");
    assert_said(&results, "Compare the cards with each other");
}

#[test]
fn processor_time_is_compared_where_it_was_measured() {
    let mut results = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("virtio", "virtio", bounded(5000.0, 1e9)),
        ("e1000", "e1000", bounded(5000.0, 1e9)),
    ]);
    assert_unsaid(&results, "processor time");
    for one in &mut results.measurements {
        let us = if one.target == "e1000" { 300.0 } else { 100.0 };
        one.host = Some(CpuUse { seconds: us * 1e-6 * 1000.0, requests: 1000, of: CpuOf::Process });
    }
    assert_said(
        &results,
        "A request costs 100 µs of processor time on the host with virtio; the same work costs e1000 3.0 times that.",
    );
}

#[test]
fn rounds_that_lie_apart_are_told() {
    let mut results = results(&[("native", "", bounded(10_000.0, 1e9))]);
    for one in results.measurements.iter_mut().filter(|one| one.size == 0 && one.round == 0) {
        one.requests_per_second = 6000.0;
    }
    assert_said(&results, "Rounds lie more than 20 % apart for native at 0");
    results.scenario.rounds = 1;
    results.measurements.retain(|one| one.round == 0);
    assert_said(&results, "One round a target");
}

#[test]
fn runs_are_compared_beyond_their_noise() {
    let run = |rate: f64| {
        summarize(&results(&[("native", "", bounded(10_000.0, 1e9)), ("a", "virtio", bounded(rate, 1e9))]))
    };
    let said = |runs: &[Summary]| trends(runs).into_iter().map(|finding| finding.text).collect::<Vec<_>>();
    let better = said(&[run(5000.0), run(6000.0)]);
    assert!(better[0].contains("a +20 % in connections a second"), "{better:?}");
    assert!(better[0].contains("The others did not change"), "{better:?}");
    let same = said(&[run(5000.0), run(5050.0)]);
    assert!(same[0].contains("nothing changed"), "{same:?}");
    let strange = summarize(&results(&[("z", "", bounded(1.0, 1.0))]));
    assert!(said(&[run(1.0), strange])[0].contains("no target in common"));
    assert_eq!(said(&[run(1.0)]), Vec::<String>::new());
}

#[test]
fn work_that_is_as_quick_is_said_to_be() {
    let mut results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("virtio", "virtio", bounded(5000.0, 1e9))]);
    for (target, milliseconds) in [("native", 50.0), ("virtio", 52.0)] {
        results.work.push(Work { target: target.into(), round: 0, time: WorkTime { milliseconds } });
    }
    assert_said(&results, "as quick in the virtual machines as in native");
    assert_unsaid(&results, "explain");
}

#[test]
fn noise_is_no_difference_and_no_limit() {
    let results = results(&[
        ("native", "", bounded(10_000.0, 1e9)),
        ("virtio", "virtio", [64.0, 103.0, 45.0, 90.0, 39.0]),
        ("e1000", "e1000", [72.0, 49.0, 120.0, 70.0, 30.0]),
    ]);
    assert_said(&results, "makes no difference that can be told from how far rounds lie apart");
    assert_said(&results, "for virtio and e1000: something else disturbed");
    for words in ["take virtio", "virtio: up to", "e1000: up to"] {
        assert_unsaid(&results, words);
    }
}

#[test]
fn a_gain_is_no_loss() {
    let results =
        results(&[("native", "", bounded(10_000.0, 1e9)), ("virtio", "virtio", bounded(11_000.0, 1e9))]);
    assert_said(&results, "virtio gains 10 %");
}

#[test]
fn programs_are_no_machines() {
    let mut results = results(&[("weir", "", [900.0; 5]), ("haproxy", "", [800.0; 5])]);
    results.scenario.compares = Compared::Programs;
    results.measurements.retain(|one| one.size != SIZES[1]);
    let said = findings(&summarize(&results));
    for word in ["native", "hypervisor", "weir bench matrix", "host"] {
        assert!(said.iter().all(|finding| !finding.text.contains(word)), "{word} in {said:?}");
    }
}
