//! Records latencies and outcomes.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::outcome::{Failure, Outcome};

/// Significant digits: a percentile is off by at most a thousandth of its value.
const DIGITS: u8 = 3;

/// Latencies, to the microsecond.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// Latencies as they are reported, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The number of latencies.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// The 90th percentile.
    pub p90_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The 99.9th percentile.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latencies {
    /// No latencies.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new(DIGITS)?))
    }

    /// Records a latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // `record` lets the histogram grow; `saturating_record` would not.
        if self.0.record(micros).is_err() {
            self.0.saturating_record(micros);
        }
    }

    fn merge(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// The percentiles.
    pub fn summary(&self) -> Summary {
        let at = |quantile| to_ms(self.0.value_at_quantile(quantile));
        Summary {
            count: self.0.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: to_ms(self.0.max()),
        }
    }
}

fn to_ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// The measurements of one client, or of all of them.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The time from when an operation was due until it succeeded.
    pub whole: Latencies,
    /// The latencies of each kind of call.
    pub steps: BTreeMap<&'static str, Latencies>,
    /// Operations that the server refused, by its reason.
    pub refused: BTreeMap<String, u64>,
    /// Operations that failed, by the error.
    pub failed: BTreeMap<String, u64>,
    /// Operations that were due but not sent, because no client was free before the end.
    pub not_sent: u64,
    /// Reservations that were answered CONFIRMED, including those of the warm-up.
    pub confirmed: u64,
    /// Bookings with an unknown outcome, including those of the warm-up.
    pub unknown: u64,
}

impl Recorder {
    /// An empty recorder.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            whole: Latencies::new()?,
            steps: BTreeMap::new(),
            refused: BTreeMap::new(),
            failed: BTreeMap::new(),
            not_sent: 0,
            confirmed: 0,
            unknown: 0,
        })
    }

    /// Records an operation that took `latency` since it was due. An operation of the warm-up still counts as booked.
    pub fn note(&mut self, outcome: Outcome, latency: Duration, is_measured: bool) -> anyhow::Result<()> {
        self.confirmed += u64::from(outcome.confirmed);
        self.unknown += u64::from(outcome.unknown);
        if !is_measured {
            return Ok(());
        }
        match outcome.failure {
            None => {
                self.whole.record(latency);
                for (step, took) in outcome.steps {
                    if !self.steps.contains_key(step) {
                        self.steps.insert(step, Latencies::new()?);
                    }
                    if let Some(latencies) = self.steps.get_mut(step) {
                        latencies.record(took);
                    }
                }
            }
            Some(Failure::Refused(reason)) => *self.refused.entry(reason).or_default() += 1,
            Some(Failure::Failed(reason)) => *self.failed.entry(reason).or_default() += 1,
        }
        Ok(())
    }

    /// Adds the measurements of another client.
    pub fn merge(&mut self, other: Self) -> anyhow::Result<()> {
        self.whole.merge(&other.whole)?;
        for (step, latencies) in other.steps {
            match self.steps.get_mut(step) {
                Some(known) => known.merge(&latencies)?,
                None => drop(self.steps.insert(step, latencies)),
            }
        }
        for (sums, counts) in [(&mut self.refused, other.refused), (&mut self.failed, other.failed)] {
            for (reason, count) in counts {
                *sums.entry(reason).or_default() += count;
            }
        }
        self.not_sent += other.not_sent;
        self.confirmed += other.confirmed;
        self.unknown += other.unknown;
        Ok(())
    }

    /// Operations that did not succeed.
    pub fn errors(&self) -> u64 {
        self.refused.values().chain(self.failed.values()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_match_the_recorded_latencies() {
        let mut latencies = Latencies::new().unwrap();
        for milliseconds in 1..=1_000 {
            latencies.record(Duration::from_millis(milliseconds));
        }
        let summary = latencies.summary();
        let is_about = |seen: f64, wanted: f64| (seen - wanted).abs() <= wanted / 500.0;
        assert_eq!(summary.count, 1_000);
        for (seen, wanted) in [
            (summary.p50_ms, 500.0),
            (summary.p90_ms, 900.0),
            (summary.p99_ms, 990.0),
            (summary.p999_ms, 999.0),
            (summary.max_ms, 1_000.0),
        ] {
            assert!(is_about(seen, wanted), "{seen} for {wanted}: {summary:?}");
        }
    }

    #[test]
    fn a_refusal_counts_neither_as_success_nor_in_the_latencies() {
        let mut recorder = Recorder::new().unwrap();
        recorder.note(Outcome::default(), Duration::from_millis(5), true).unwrap();
        recorder.note(Outcome::refused("ROOM_UNAVAILABLE"), Duration::from_secs(5), true).unwrap();
        recorder.note(Outcome::failed("UNAVAILABLE"), Duration::from_secs(5), true).unwrap();
        let summary = recorder.whole.summary();
        assert_eq!((summary.count, recorder.errors()), (1, 2));
        assert!(summary.max_ms < 6.0, "{summary:?}");
        assert_eq!(recorder.refused["ROOM_UNAVAILABLE"], 1);
        assert_eq!(recorder.failed["UNAVAILABLE"], 1);
    }

    #[test]
    fn a_warm_up_is_not_measured_but_its_bookings_are_counted() {
        let mut recorder = Recorder::new().unwrap();
        let booked = Outcome { confirmed: true, ..Outcome::default() };
        recorder.note(booked.clone(), Duration::from_millis(1), false).unwrap();
        recorder.note(booked, Duration::from_millis(1), true).unwrap();
        recorder.note(Outcome::refused("OVERLOADED"), Duration::from_millis(1), false).unwrap();
        assert_eq!((recorder.confirmed, recorder.whole.summary().count, recorder.errors()), (2, 1, 0));
    }

    #[test]
    fn the_measurements_of_several_clients_add_up() {
        let with_step = |step, milliseconds| Outcome {
            steps: vec![(step, Duration::from_millis(milliseconds))],
            ..Outcome::default()
        };
        let (mut all, mut other) = (Recorder::new().unwrap(), Recorder::new().unwrap());
        all.note(with_step("GetBooking", 1), Duration::from_millis(1), true).unwrap();
        other.note(with_step("GetBooking", 9), Duration::from_millis(9), true).unwrap();
        other.note(with_step("SearchRooms", 4), Duration::from_millis(4), true).unwrap();
        other.note(Outcome::refused("OVERLOADED"), Duration::ZERO, true).unwrap();
        other.not_sent = 3;
        all.merge(other).unwrap();
        assert_eq!(all.whole.summary().count, 3);
        assert_eq!(all.steps["GetBooking"].summary().count, 2);
        assert_eq!(all.steps["SearchRooms"].summary().count, 1);
        assert_eq!((all.errors(), all.not_sent), (1, 3));
    }
}
