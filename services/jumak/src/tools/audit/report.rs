//! The audit's report, for people and for programs.

use std::fmt::Write;

use serde_json::json;

use super::{findings::Verdict, reading::Reading, rule::Rule};

/// A table of the rules, then the last turn of each background task, then one line for each finding, then a summary.
pub fn text(verdict: &Verdict, reading: &Reading) -> String {
    let time = reading.time;
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ok = writeln!(text, "{args}");
    };
    line(format_args!("{:<18} {:>9} {:>9}", "rule", "checked", "findings"));
    for rule in Rule::ALL {
        line(format_args!("{rule:<18} {:>9} {:>9}  {}", verdict.checked(*rule), verdict.found(*rule), rule.claim()));
    }
    for task in &reading.tasks {
        line(format_args!("{}: {task}", task.report.task));
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
pub fn json(verdict: &Verdict, reading: &Reading) -> serde_json::Value {
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
    let tasks: Vec<_> = reading
        .tasks
        .iter()
        .map(|task| {
            let report = &task.report;
            json!({
                "task": report.task,
                "process": report.process.to_string(),
                "up": task.is_up,
                "last_turn_time": report.turn_time.map(|time| time.to_string()),
                "failures_in_a_row": report.failures,
                "problem": report.problem,
                "report_time": report.report_time.to_string(),
            })
        })
        .collect();
    json!({
        "passed": verdict.passed(),
        "time": reading.time.to_string(),
        "rules": rules,
        "tasks": tasks,
        "findings": findings,
    })
}
