//! The audit's report, for people and for programs.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::json;

use super::{findings::Verdict, rule::Rule};

/// A table of the rules, then one line for each finding, then a summary.
pub fn text(verdict: &Verdict, time: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ok = writeln!(text, "{args}");
    };
    line(format_args!("{:<18} {:>9} {:>9}", "rule", "checked", "findings"));
    for rule in Rule::ALL {
        line(format_args!("{rule:<18} {:>9} {:>9}  {}", verdict.checked(*rule), verdict.found(*rule), rule.claim()));
    }
    for finding in &verdict.findings {
        line(format_args!("{finding}"));
    }
    let checked: u64 = Rule::ALL.iter().map(|rule| verdict.checked(*rule)).sum();
    let answer = match verdict.findings.len() {
        0 => format!("the books are in order: {checked} checks as of {time}"),
        1 => format!("1 finding: {checked} checks as of {time}"),
        found => format!("{found} findings: {checked} checks as of {time}"),
    };
    text + &answer
}

/// The same as one JSON object.
pub fn json(verdict: &Verdict, time: Timestamp) -> serde_json::Value {
    let rules: Vec<_> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "rule": rule.name(),
                "claim": rule.claim(),
                "checked": verdict.checked(*rule),
                "findings": verdict.found(*rule),
            })
        })
        .collect();
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| {
            json!({ "rule": finding.rule.name(), "resource": finding.resource, "sentence": finding.sentence })
        })
        .collect();
    json!({ "passed": verdict.passed(), "time": time.to_string(), "rules": rules, "findings": findings })
}
