//! The result of an audit.

use std::{collections::BTreeMap, fmt};

use super::rule::Rule;

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is violated.
    pub rule: Rule,
    /// The resource: its name, or a description.
    pub resource: String,
    /// What is wrong, in a sentence for a person.
    pub sentence: String,
}

impl Finding {
    /// Whether both are about the same fault, even if their figures differ.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.rule == other.rule && self.resource == other.resource
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.resource, self.sentence)
    }
}

/// The number of checks, and the findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    checked: BTreeMap<Rule, u64>,
    /// The findings, in the order of the rules.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Records a check of `rule` for `resource`, and its fault, if there is one.
    pub(super) fn note(&mut self, rule: Rule, resource: impl fmt::Display, fault: Option<String>) {
        *self.checked.entry(rule).or_default() += 1;
        if let Some(sentence) = fault {
            self.findings.push(Finding { rule, resource: resource.to_string(), sentence });
        }
    }

    /// The number of checks of the rule.
    pub fn checked(&self, rule: Rule) -> u64 {
        self.checked.get(&rule).copied().unwrap_or_default()
    }

    /// The number of findings of the rule.
    pub fn found(&self, rule: Rule) -> usize {
        self.findings.iter().filter(|finding| finding.rule == rule).count()
    }

    /// Whether there are no findings.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// The same verdict without findings that an `earlier` audit did not have. Those may be work in progress.
    #[must_use]
    pub fn confirming(mut self, earlier: &Self) -> Self {
        self.findings.retain(|finding| earlier.findings.iter().any(|known| known.is_about_the_same(finding)));
        self
    }
}
