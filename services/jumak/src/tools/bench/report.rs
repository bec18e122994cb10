//! The report: as JSON for programs, as a table for people.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use serde::Serialize;

use super::{
    compare::{Comparison, Measurement},
    drive::Measured,
    median::Spread,
    recorder::Summary,
    schedule::Pace,
    workload::Workload,
};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload.
    pub workload: Workload,
    /// The system: `embedded`, or the target.
    pub target: String,
    /// The load.
    pub load: Described,
    /// The runs.
    pub runs: Vec<Run>,
    /// All runs together.
    pub summary: Option<Overall>,
    /// Whether every run passed: no more errors than allowed, and no findings of the audit.
    pub passed: bool,
}

/// The load as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    /// `closed` or `open`.
    #[serde(rename = "loop")]
    pub kind: &'static str,
    /// Operations due each second; only in an open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Concurrent clients.
    pub clients: usize,
    /// Connections that they share.
    pub connections: usize,
    /// Rooms to book.
    pub rooms: u32,
    /// The length of the warm-up, in seconds.
    pub warmup_s: f64,
    /// The requested length of the measurement, in seconds.
    pub duration_s: f64,
}

impl Described {
    /// The name of the loop, and its rate if it is an open one.
    pub const fn kind_of(pace: Pace) -> (&'static str, Option<f64>) {
        match pace {
            Pace::Closed => ("closed", None),
            Pace::Open { rate } => ("open", Some(rate)),
        }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The actual length of the measurement, in seconds.
    pub seconds: f64,
    /// Operations that succeeded.
    pub succeeded: u64,
    /// Successful operations per second.
    pub per_second: f64,
    /// Bookings per second, including those of the warm-up, from the first call until my page showed the last booking of each client. My
    /// page is the last consumer to handle a booking's events. None if nothing was booked.
    pub heard_per_second: Option<f64>,
    /// The latencies of operations: in a closed loop since they were sent, in an open loop since they were due.
    pub latency: Summary,
    /// The latencies of each kind of call.
    pub steps: BTreeMap<&'static str, Summary>,
    /// Operations that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Operations that failed, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Operations that were due but not sent, because the rate was not reached.
    pub not_sent: u64,
    /// Whether it was stopped early.
    pub interrupted: bool,
    /// Reservations that were answered CONFIRMED, including those of the warm-up.
    pub confirmed: u64,
    /// Bookings with an unknown outcome.
    pub unknown: u64,
    /// The charges that the run added to the provider's books; none if those cannot be read from here.
    pub charges: Option<u64>,
    /// The comparisons with baselines.
    pub comparisons: Vec<Comparison>,
    /// The audit.
    pub books: Books,
}

/// The result of the audit.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Books {
    /// The books were read.
    Read {
        /// How long after the load the audit's last reading ended, in seconds.
        settled_s: f64,
        /// The number of checks.
        checks: u64,
        /// The number of findings.
        findings: usize,
        /// The first findings.
        first_findings: Vec<String>,
    },
    /// The books were not read.
    Unread {
        /// Why.
        skipped: String,
    },
}

impl Run {
    /// The report of a run. The number of charges is added later.
    pub fn of(measured: &Measured, interrupted: bool, comparisons: Vec<Comparison>, books: Books) -> Self {
        let seen = &measured.seen;
        let latency = seen.whole.summary();
        Self {
            seconds: measured.time.as_secs_f64(),
            succeeded: latency.count,
            per_second: measured.per_second(),
            heard_per_second: None,
            latency,
            steps: seen.steps.iter().map(|(step, latencies)| (*step, latencies.summary())).collect(),
            refused: seen.refused.clone(),
            failed: seen.failed.clone(),
            not_sent: seen.not_sent,
            interrupted,
            confirmed: seen.confirmed,
            unknown: seen.unknown,
            charges: None,
            comparisons,
            books,
        }
    }

    /// Operations that did not succeed.
    pub fn errors(&self) -> u64 {
        self.refused.values().chain(self.failed.values()).sum()
    }

    /// Why the run counts as failed, if it does.
    pub fn faults(&self, max_errors: u64) -> Vec<String> {
        let mut faults = Vec::new();
        if self.errors() > max_errors {
            faults.push(format!("{} operations did not succeed, but only {max_errors} may fail", self.errors()));
        }
        if self.succeeded == 0 && !self.interrupted {
            faults.push("no operation succeeded".to_owned());
        }
        if let Books::Read { findings: found @ 1.., .. } = self.books {
            faults.push(format!("the audit has {found} findings"));
        }
        let (least, most) = (self.confirmed, self.confirmed + self.unknown);
        if let Some(charges) = self.charges.filter(|charges| !(least..=most).contains(charges)) {
            faults.push(format!("the provider has {charges} charges for {least} confirmed reservations"));
        }
        faults
    }
}

/// Several runs: the median and the range of each figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overall {
    /// The number of runs that count.
    pub runs: usize,
    /// Operations that succeeded, per second.
    pub per_second: Spread,
    /// The median latencies, in milliseconds.
    pub p50_ms: Spread,
    /// The 99th percentiles, in milliseconds.
    pub p99_ms: Spread,
    /// The baselines' throughput, per second.
    pub comparisons: BTreeMap<&'static str, Spread>,
    /// The workload's throughput, divided by each baseline's.
    pub ratios: BTreeMap<&'static str, Spread>,
}

impl Overall {
    /// The summary of `runs`; none if there are none. A run that was stopped early counts only if all were.
    pub fn of(runs: &[Run]) -> Option<Self> {
        let whole = || runs.iter().filter(|run| !run.interrupted);
        let counted = if whole().next().is_some() { whole().collect() } else { runs.iter().collect::<Vec<_>>() };
        Self::of_these(&counted)
    }

    fn of_these(runs: &[&Run]) -> Option<Self> {
        let figure = |of: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| of(run)));
        let (mut comparisons, mut ratios) = (BTreeMap::<_, Vec<f64>>::new(), BTreeMap::<_, Vec<f64>>::new());
        for comparison in runs.iter().flat_map(|run| &run.comparisons) {
            if let Measurement::Measured { median, ratio, .. } = comparison.came_to {
                comparisons.entry(comparison.name).or_default().push(median);
                ratios.entry(comparison.name).or_default().extend(ratio);
            }
        }
        let spreads = |figures: BTreeMap<&'static str, Vec<f64>>| {
            figures.into_iter().filter_map(|(name, figures)| Some((name, Spread::of(figures)?))).collect()
        };
        Some(Self {
            runs: runs.len(),
            per_second: figure(|run| run.per_second)?,
            p50_ms: figure(|run| run.latency.p50_ms)?,
            p99_ms: figure(|run| run.latency.p99_ms)?,
            comparisons: spreads(comparisons),
            ratios: spreads(ratios),
        })
    }
}

/// The table of one run.
pub fn run_text(run: &Run, max_errors: u64) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let stopped = if run.interrupted { ", stopped early" } else { "" };
    writeln!(text, "{:.1} per second: {} in {:.1} s{stopped}", run.per_second, run.succeeded, run.seconds)?;
    if let Some(heard) = run.heard_per_second {
        writeln!(text, "  {heard:.1} bookings per second until every consumer had handled them")?;
    }
    writeln!(
        text,
        "  {:<18} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "latency, ms", "count", "p50", "p90", "p99", "p99.9", "max"
    )?;
    let mut line = |name: &str, latency: &Summary| {
        let Summary { count, p50_ms, p90_ms, p99_ms, p999_ms, max_ms } = latency;
        writeln!(text, "  {name:<18} {count:>9} {p50_ms:>9.2} {p90_ms:>9.2} {p99_ms:>9.2} {p999_ms:>9.2} {max_ms:>9.2}")
    };
    line("whole", &run.latency)?;
    for (step, latency) in &run.steps {
        line(step, latency)?;
    }
    for (what, counts) in [("refused", &run.refused), ("failed", &run.failed)] {
        for (reason, count) in counts {
            writeln!(text, "  {what} {count} times: {reason}")?;
        }
    }
    if run.not_sent > 0 {
        writeln!(text, "  {} operations were due but not sent: the rate was not reached", run.not_sent)?;
    }
    for comparison in &run.comparisons {
        match &comparison.came_to {
            Measurement::Measured { median, ratio, .. } => {
                let ratio = ratio.map_or_else(String::new, |ratio| format!(", ratio {ratio:.3}"));
                writeln!(
                    text,
                    "  {:<13} {median:.0} {} per second{ratio} ({})",
                    comparison.name, comparison.unit, comparison.what
                )?;
            }
            Measurement::Skipped { skipped } => writeln!(text, "  {:<13} not measured: {skipped}", comparison.name)?,
        }
    }
    match &run.books {
        Books::Read { settled_s, checks, findings: 0, .. } => {
            writeln!(text, "  audit         the books are in order after {settled_s:.1} s: {checks} checks")?;
        }
        Books::Read { first_findings, .. } => {
            for finding in first_findings {
                writeln!(text, "  audit         {finding}")?;
            }
        }
        Books::Unread { skipped } => writeln!(text, "  audit         not run: {skipped}")?,
    }
    for fault in run.faults(max_errors) {
        writeln!(text, "  FAILED        {fault}")?;
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The table of all runs together.
pub fn overall_text(overall: &Overall) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "median of {} runs (smallest to largest)", overall.runs)?;
    let mut line = |name: &str, Spread { median, min, max }: Spread, digits: usize| {
        writeln!(text, "  {name:<24} {median:.digits$} ({min:.digits$} to {max:.digits$})")
    };
    line("per second", overall.per_second, 1)?;
    line("p50, ms", overall.p50_ms, 2)?;
    line("p99, ms", overall.p99_ms, 2)?;
    for (name, spread) in &overall.comparisons {
        line(&format!("{name}, per second"), *spread, 0)?;
    }
    for (name, spread) in &overall.ratios {
        line(&format!("ratio to {name}"), *spread, 3)?;
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::{outcome::Outcome, recorder::Recorder};

    fn run(confirmed: u64, charges: Option<u64>) -> Run {
        let mut seen = Recorder::new().unwrap();
        for _ in 0..confirmed {
            let outcome = Outcome { confirmed: true, ..Outcome::default() };
            seen.note(outcome, Duration::from_millis(2), true).unwrap();
        }
        let measured = Measured { seen, time: Duration::from_secs(2) };
        let books = Books::Read { settled_s: 0.1, checks: 10, findings: 0, first_findings: Vec::new() };
        Run { charges, ..Run::of(&measured, false, Vec::new(), books) }
    }

    #[test]
    fn a_run_fails_for_errors_findings_and_a_wrong_number_of_charges() {
        assert!(run(10, Some(10)).faults(0).is_empty());
        assert!(run(10, None).faults(0).is_empty(), "the charges are unknown");
        assert!(run(10, Some(9)).faults(0)[0].contains("9 charges for 10"));
        assert_eq!(run(10, Some(11)).faults(0).len(), 1);
        assert!(
            Run { unknown: 1, ..run(10, Some(11)) }.faults(0).is_empty(),
            "the unknown booking may have been charged"
        );
        let refused = Run { refused: [("ROOM_UNAVAILABLE".to_owned(), 2)].into(), ..run(10, None) };
        assert_eq!((refused.faults(1).len(), refused.faults(2).len()), (1, 0));
        let books =
            Books::Read {
                settled_s: 0.1, checks: 10, findings: 3, first_findings: vec!["units-taken: …".to_owned()]
            };
        assert_eq!(Run { books, ..run(10, None) }.faults(99).len(), 1);
        assert_eq!(run(0, None).faults(99), ["no operation succeeded"]);
    }

    #[test]
    fn several_runs_are_summarised_by_median_and_range() {
        let echo = |median, ratio| Comparison {
            name: "echo",
            unit: "calls",
            what: String::new(),
            came_to: Measurement::Measured { per_second: vec![median], median, ratio: Some(ratio) },
        };
        let runs: Vec<Run> = [(10, 1_000.0, 0.005), (30, 3_000.0, 0.02), (20, 2_000.0, 0.01)]
            .into_iter()
            .map(|(count, median, ratio)| Run { comparisons: vec![echo(median, ratio)], ..run(count, None) })
            .collect();
        let overall = Overall::of(&runs).unwrap();
        assert_eq!(overall.per_second, Spread { median: 10.0, min: 5.0, max: 15.0 });
        assert_eq!(overall.ratios["echo"], Spread { median: 0.01, min: 0.005, max: 0.02 });
        let text = overall_text(&overall).unwrap();
        assert!(text.contains("per second               10.0 (5.0 to 15.0)"), "{text}");
        assert!(text.contains("ratio to echo            0.010 (0.005 to 0.020)"), "{text}");
    }

    #[test]
    fn a_run_that_was_stopped_early_counts_only_if_all_were() {
        let cut = Run { interrupted: true, ..run(0, None) };
        let overall = Overall::of(&[run(10, None), run(20, None), cut.clone()]).unwrap();
        assert_eq!((overall.runs, overall.per_second.min), (2, 5.0));
        assert_eq!(Overall::of(&[cut]).unwrap().runs, 1);
    }
}
