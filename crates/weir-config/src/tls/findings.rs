//! What is wrong with files, and where in the text of the configuration their paths stand.
//!
//! A configuration does not remember its text; the place is looked up when there is something to say.

use crate::Diagnostics;
use crate::codec::Problem;
use crate::diagnostic::{Findings, Severity};
use crate::tree::{Kind, NodeId, Tree};

/// A place in a configuration, from the top.
#[derive(Debug, Clone, Default)]
pub(super) struct Place(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Item(usize),
}

impl Place {
    pub(super) fn listener(name: &str) -> Self {
        Self::default().key("listeners").key(name).key("tls")
    }

    pub(super) fn admin() -> Self {
        Self::default().key("admin").key("tls")
    }

    pub(super) fn pool(name: &str) -> Self {
        Self::default().key("pools").key(name).key("tls")
    }

    pub(super) fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    pub(super) fn item(mut self, index: usize) -> Self {
        self.0.push(Step::Item(index));
        self
    }

    /// The node at this place. A short form stands for what it leaves out.
    fn find(&self, tree: &Tree<'_>) -> NodeId {
        let mut at = tree.root().unwrap_or(NodeId::NONE);
        for step in &self.0 {
            let next = match (step, tree.kind(at)) {
                (Step::Key(key), Some(Kind::Map(_))) => tree.entry(at, key).map(|(_, value)| value),
                (Step::Item(index), Some(Kind::List(items))) => items.get(*index).copied(),
                (Step::Key(_) | Step::Item(_), _) => None,
            };
            at = next.unwrap_or(at);
        }
        at
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct FileFindings(Vec<(Severity, Place, Problem)>);

impl FileFindings {
    pub(super) fn problem(&mut self, place: Place, problem: Problem) {
        self.0.push((Severity::Error, place, problem));
    }

    pub(super) fn warning(&mut self, place: Place, problem: Problem) {
        self.0.push((Severity::Warning, place, problem));
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(|(severity, ..)| *severity == Severity::Error)
    }

    /// The errors, a line each.
    pub(super) fn messages(&self) -> Vec<String> {
        let errors = self.0.iter().filter(|(severity, ..)| *severity == Severity::Error);
        errors.map(|(.., problem)| problem.message.clone()).collect()
    }

    pub(super) fn locate(&self, text: &str) -> Diagnostics {
        if self.0.is_empty() {
            return Diagnostics::default();
        }
        // The text was parsed before; what is not YAML has no configuration.
        let Ok(tree) = Tree::parse(text) else { return Diagnostics::default() };
        let mut findings = Findings::default();
        for (severity, place, Problem { message, hint }) in &self.0 {
            findings.add(*severity, place.find(&tree), message.clone(), hint.clone());
        }
        findings.locate(&tree)
    }
}
