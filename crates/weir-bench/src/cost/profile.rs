//! What callgrind wrote down: instructions and calls, by function.
//!
//! The format is that of the Valgrind manual's chapter "Callgrind Format Specification", as far as callgrind itself
//! uses it here: one event, positions that are lines, names compressed to numbers.

use std::collections::BTreeMap;
use std::collections::HashMap;

/// Counts, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// Instructions.
    pub total: f64,
    /// Each function that did something.
    pub functions: BTreeMap<String, Function>,
    /// Instructions by source file, of the code that stands there, wherever it was inlined. Only where the binary knows.
    pub files: BTreeMap<String, f64>,
    /// How often the first of two functions called the second.
    pub calls: BTreeMap<(String, String), f64>,
}

/// What a function did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Function {
    /// Instructions of its own code, with what was inlined into it.
    pub own: f64,
    /// The same with all that it called. What calls itself through others is counted more than once.
    pub inclusive: f64,
    /// How often it was called.
    pub calls: f64,
}

impl Profile {
    /// Reads a file of callgrind's.
    ///
    /// # Errors
    /// In words, with the line that isn't understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            reader.line(line).ok_or_else(|| format!("line {} is not callgrind's: `{line}`", number + 1))?;
        }
        Ok(reader.profile)
    }

    /// What `self` has more than `less`, divided by `divisor`. Where a function has fewer, that is below zero.
    #[must_use]
    pub fn minus(&self, less: &Self, divisor: f64) -> Self {
        let difference = |more: Option<&f64>, less: Option<&f64>| {
            (more.copied().unwrap_or(0.0) - less.copied().unwrap_or(0.0)) / divisor
        };
        let functions = self.functions.iter().map(|(name, more)| {
            let less = less.functions.get(name).copied().unwrap_or_default();
            let function = Function {
                own: (more.own - less.own) / divisor,
                inclusive: (more.inclusive - less.inclusive) / divisor,
                calls: (more.calls - less.calls) / divisor,
            };
            (name.clone(), function)
        });
        let files = self
            .files
            .keys()
            .map(|name| (name.clone(), difference(self.files.get(name), less.files.get(name))));
        let calls = self
            .calls
            .keys()
            .map(|pair| (pair.clone(), difference(self.calls.get(pair), less.calls.get(pair))));
        Self {
            total: (self.total - less.total) / divisor,
            functions: functions.collect(),
            files: files.collect(),
            calls: calls.collect(),
        }
    }
}

/// Where in a file the reader stands.
#[derive(Debug, Default)]
struct Reader {
    profile: Profile,
    /// Names by their numbers: of functions, and of files.
    functions: HashMap<String, String>,
    files: HashMap<String, String>,
    function: String,
    /// The file whose code the next costs are of.
    file: String,
    called: String,
    /// How often, if the next line is the cost of calls.
    calls: Option<f64>,
}

impl Reader {
    /// Takes a line; `None` if it makes no sense.
    fn line(&mut self, line: &str) -> Option<()> {
        let Some(first) = line.bytes().next() else { return Some(()) };
        if first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'*') {
            return self.cost(line);
        }
        let Some((key, value)) = line.split_once('=') else {
            // The header: `key: value`, and a comment that says what wrote it.
            return (line.contains(':') || first == b'#').then_some(());
        };
        match key {
            "fn" => self.function = name(&mut self.functions, value)?,
            "cfn" => self.called = name(&mut self.functions, value)?,
            "fl" | "fi" | "fe" => self.file = name(&mut self.files, value)?,
            "cfl" | "cfi" => {
                name(&mut self.files, value)?;
            }
            "calls" => self.calls = Some(value.split(' ').next()?.parse().ok()?),
            // Objects; and headers with a `=` somewhere in their values.
            "ob" | "cob" => {}
            _ => return key.contains(':').then_some(()),
        }
        Some(())
    }

    fn cost(&mut self, line: &str) -> Option<()> {
        // A line without a number of instructions took none.
        let cost: f64 = line.split(' ').nth(1).map_or(Some(0.0), |cost| cost.parse().ok())?;
        let caller = self.profile.functions.entry(self.function.clone()).or_default();
        let Some(calls) = self.calls.take() else {
            caller.own += cost;
            caller.inclusive += cost;
            *self.profile.files.entry(self.file.clone()).or_default() += cost;
            self.profile.total += cost;
            return Some(());
        };
        if self.called != self.function {
            caller.inclusive += cost;
        }
        self.profile.functions.entry(self.called.clone()).or_default().calls += calls;
        *self.profile.calls.entry((self.function.clone(), self.called.clone())).or_default() += calls;
        Some(())
    }
}

/// The name that `(7) name` introduces and `(7)` repeats.
fn name(known: &mut HashMap<String, String>, value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('(') else { return Some(value.into()) };
    let (number, new) = rest.split_once(')')?;
    // "(below main)" is a name.
    if !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(value.into());
    }
    if let Some(new) = new.strip_prefix(' ') {
        known.insert(number.into(), new.into());
    }
    known.get(number).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# callgrind format\nversion: 1\ncmd:  ./weir run --config=x\npositions: line\nevents: Ir\n\
        summary: 65\n\nob=(1) /weir\nfl=(1) a.rs\nfn=(1) main\n10 5\nfi=(2) b.rs\n+3 7\ncfi=(3) c.rs\ncfn=(2) leaf\n\
        calls=4 20\n* 40\nfe=(1)\n-2 3\ncfn=(1)\ncalls=1 1\n11 1000\n\nfl=(3)\nfn=(2)\n20 40\n21\n\n\
        fn=(3) (below main)\ncob=(1)\ncfl=(1)\ncfn=(1)\ncalls=1 10\n1 55\n1 10\ntotals: 65\n";

    #[test]
    fn costs_go_to_functions_files_and_callers() {
        let profile = Profile::parse(TEXT).unwrap();
        assert!((profile.total - 65.0).abs() < 0.1);
        let function = |name: &str| profile.functions[name];
        assert_eq!(function("main"), Function { own: 15.0, inclusive: 55.0, calls: 2.0 });
        assert_eq!(function("leaf"), Function { own: 40.0, inclusive: 40.0, calls: 4.0 });
        assert_eq!(function("(below main)"), Function { own: 10.0, inclusive: 65.0, calls: 0.0 });
        let files: Vec<(&str, f64)> = profile.files.iter().map(|(name, &cost)| (&**name, cost)).collect();
        assert_eq!(files, [("a.rs", 8.0), ("b.rs", 7.0), ("c.rs", 50.0)]);
        assert_eq!(profile.calls.get(&("main".into(), "leaf".into())), Some(&4.0));
    }

    #[test]
    fn what_was_done_once_cancels_out() {
        let once = Profile::parse("fn=(1) start\n1 100\nfn=(2) each\n2 20\n").unwrap();
        let more = Profile::parse("fn=(1) start\n1 100\nfn=(2) each\n2 120\ncfn=(3) new\ncalls=10 1\n2 0\n")
            .unwrap();
        let each = more.minus(&once, 10.0);
        assert!((each.total - 10.0).abs() < 1e-9);
        assert_eq!(each.functions["start"].own, 0.0);
        assert_eq!(each.functions["each"].own, 10.0);
        assert_eq!(each.functions["new"].calls, 1.0);
    }

    #[test]
    fn what_is_not_callgrinds_is_refused() {
        for wrong in ["fn=(1)\n", "fn=(x\n", "nonsense\n", "1 x\n", "calls=x 1\n"] {
            assert!(Profile::parse(wrong).is_err(), "{wrong}");
        }
    }
}
