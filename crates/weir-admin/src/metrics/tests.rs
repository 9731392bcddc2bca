//! The text format, without an operator.

use super::text::{Labels, Text};
use super::*;

#[test]
fn labels_are_escaped() {
    let mut text = Text::for_servers(0);
    text.series("m", "", &Labels::new([("a", "q\"b\\n\n")]), 1);
    assert_eq!(text.finish(), "m{a=\"q\\\"b\\\\n\\n\"} 1\n");
}

#[test]
fn classes_of_statuses_are_one_family() {
    let rows = |base| {
        ["exchanges", "responses_2xx", "responses_5xx", "refused"]
            .into_iter()
            .zip(base..)
            .map(|(name, value)| Row { name, help: "Help.", value })
            .collect()
    };
    let samples = [("a", 1), ("b", 5)].map(|(name, base)| Sample {
        labels: Labels::new([("pool", name)]),
        rows: rows(base),
        now: (),
    });
    let mut text = Text::for_servers(0);
    counters(&mut text, "p_", &samples);
    let expected = "\
# HELP p_exchanges_total Help.
# TYPE p_exchanges_total counter
p_exchanges_total{pool=\"a\"} 1
p_exchanges_total{pool=\"b\"} 5
# HELP p_responses_total Responses by the class of their status.
# TYPE p_responses_total counter
p_responses_total{pool=\"a\",class=\"2xx\"} 2
p_responses_total{pool=\"a\",class=\"5xx\"} 3
p_responses_total{pool=\"b\",class=\"2xx\"} 6
p_responses_total{pool=\"b\",class=\"5xx\"} 7
# HELP p_refused_total Help.
# TYPE p_refused_total counter
p_refused_total{pool=\"a\"} 4
p_refused_total{pool=\"b\"} 8
";
    assert_eq!(text.finish(), expected);
}

#[test]
fn buckets_are_cumulated() {
    let mut totals = HistogramTotals { seconds: 1.5, ..HistogramTotals::default() };
    totals.buckets[0] = 2;
    totals.buckets[16] = 3;
    let mut text = Text::for_servers(0);
    histogram(&mut text, "h", &Labels::new([("pool", "a")]), &totals);
    let text = text.finish();
    assert!(text.starts_with("h_bucket{pool=\"a\",le=\"0.0005\"} 2\n"), "{text}");
    assert!(text.contains("h_bucket{pool=\"a\",le=\"60\"} 2\n"), "{text}");
    assert!(text.ends_with("le=\"+Inf\"} 5\nh_sum{pool=\"a\"} 1.5\nh_count{pool=\"a\"} 5\n"), "{text}");
}
