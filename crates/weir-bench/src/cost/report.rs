//! What `make profile` prints.

use std::collections::BTreeMap;

use super::allocations::Allocations;
use super::callgrind::CaseCost;
use super::profile::{Function, Profile};
use super::strace::Counts;
use crate::harness::table::Table;

/// A row about less than this for a request is noise: something that the load's length happened to fit.
const LEAST: f64 = 0.005;

/// How long a name may be.
const NAME_CHARACTERS: usize = 100;

/// The cases, one a line.
#[must_use]
pub fn cases(costs: &[CaseCost]) -> String {
    let headers = ["case", "", "instructions", "allocations", "reallocations", "frees"];
    let mut table = Table::new(2, &headers);
    for CaseCost { case, request } in costs {
        let Allocations { allocated, reallocated, freed, .. } = Allocations::of(request);
        let mut row = vec![case.name.to_owned(), case.about.to_owned(), format!("{:.0}", request.total)];
        row.extend([allocated, reallocated, freed].map(|count| format!("{count:.2}")));
        table.row(row);
    }
    table.text()
}

/// The functions with the most instructions of their own.
#[must_use]
pub fn own(profile: &Profile, rows: usize) -> String {
    functions("own", profile, rows, |function| function.own)
}

/// The functions with the most instructions, with what they call.
#[must_use]
pub fn inclusive(profile: &Profile, rows: usize) -> String {
    functions("inclusive", profile, rows, |function| function.inclusive)
}

/// The source files with the most instructions, wherever their code was inlined.
#[must_use]
pub fn files(profile: &Profile, rows: usize) -> String {
    let mut files: BTreeMap<String, f64> = BTreeMap::new();
    for (file, &cost) in &profile.files {
        *files.entry(short_path(file)).or_default() += cost;
    }
    let mut text = String::from("instructions      %  file\n");
    for (file, cost) in sorted(files, rows, |&cost| cost) {
        text += &format!("{cost:>12.0}  {:>5}  {file}\n", percent(cost, profile.total));
    }
    text
}

/// Who allocates.
#[must_use]
pub fn allocations(profile: &Profile, rows: usize) -> String {
    counts("allocations", Allocations::of(profile).by_caller, rows)
}

/// System calls.
#[must_use]
pub fn system_calls(calls: &Counts) -> String {
    counts("calls", calls.clone(), usize::MAX)
}

fn functions(what: &str, profile: &Profile, rows: usize, cost: impl Fn(&Function) -> f64) -> String {
    let mut text = format!("{what:>12}      %    calls  function\n");
    for (name, function) in sorted(profile.functions.clone(), rows, &cost) {
        let (cost, calls, name) = (cost(&function), function.calls, short_name(&name));
        text += &format!("{cost:>12.0}  {:>5}  {calls:>7.2}  {name}\n", percent(cost, profile.total));
    }
    text
}

fn counts(what: &str, counts: BTreeMap<String, f64>, rows: usize) -> String {
    let mut text = format!("{what:>12}\n");
    for (name, count) in sorted(counts, rows, |&count| count) {
        text += &format!("{count:>12.2}  {}\n", short_name(&name));
    }
    text
}

/// Those with the most first, without those that have nothing.
fn sorted<T>(all: BTreeMap<String, T>, rows: usize, cost: impl Fn(&T) -> f64) -> Vec<(String, T)> {
    let mut all: Vec<(String, T)> = all.into_iter().filter(|(_, value)| cost(value) >= LEAST).collect();
    all.sort_by(|(_, one), (_, other)| cost(other).total_cmp(&cost(one)));
    all.truncate(rows);
    all
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.1}", part / whole * 100.0)
}

fn short_name(name: &str) -> String {
    let short: String = name.chars().take(NAME_CHARACTERS).collect();
    if short.len() < name.len() { short + "…" } else { short }
}

/// A source file without what differs from machine to machine.
fn short_path(path: &str) -> String {
    if path == "???" {
        return "(unknown: the C library, mostly)".into();
    }
    let after = |mark: &str| path.split_once(mark).map(|(_, rest)| rest);
    if let Some(rest) = after("/library/") {
        return rest.into();
    }
    if let Some((_index, rest)) = after("/registry/src/").and_then(|rest| rest.split_once('/')) {
        return rest.into();
    }
    after("crates/").unwrap_or(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_whose_code_it_is_and_no_more() {
        for (path, short) in [
            ("/rustc/59807616e1fa/library/core/src/str/mod.rs", "core/src/str/mod.rs"),
            ("/home/x/.cargo/registry/src/some-index-1/tokio-1.54.1/src/lib.rs", "tokio-1.54.1/src/lib.rs"),
            ("crates/weir-proxy/src/fields.rs", "weir-proxy/src/fields.rs"),
            ("./string/memcpy.S", "./string/memcpy.S"),
        ] {
            assert_eq!(short_path(path), short);
        }
    }

    #[test]
    fn the_costliest_come_first_and_what_costs_nothing_not_at_all() {
        let function = |own| Function { own, inclusive: own, calls: 1.0 };
        let functions = [("a", 1.0), ("b", 30.0), ("gone", -2.0), ("once", 0.001)];
        let functions = functions.map(|(name, own)| (name.to_owned(), function(own)));
        let profile = Profile { total: 40.0, functions: functions.into(), ..Profile::default() };
        assert_eq!(
            own(&profile, 5),
            "         own      %    calls  function\n          30   75.0     1.00  b\n           1    2.5     1.00  a\n"
        );
    }
}
