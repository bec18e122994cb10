//! What was measured: latencies, and what became of the calls.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::outcome::{Outcome, Trouble};

/// Three digits: a percentile is off by a thousandth of itself at most.
const DIGITS: u8 = 3;

/// Latencies, to the microsecond.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// Latencies as they are reported, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Half of them are at most this.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// All but one of a hundred.
    pub p99_ms: f64,
    /// All but one of a thousand.
    pub p999_ms: f64,
    /// All of them.
    pub max_ms: f64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new(DIGITS)?))
    }

    /// One more.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // It grows with what it is given; saturating would not let it.
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

/// What one client, or all of them, have seen.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// From when an operation was due to its success.
    pub whole: Latencies,
    /// The calls that operations are made of.
    pub steps: BTreeMap<&'static str, Latencies>,
    /// Operations that the server refused, by its reason.
    pub refused: BTreeMap<String, u64>,
    /// Operations that failed, by what is known of it.
    pub failed: BTreeMap<String, u64>,
    /// Operations that were due and that no client was free for before the end.
    pub not_sent: u64,
    /// Reservations that were answered CONFIRMED, those of the warm-up included.
    pub confirmed: u64,
    /// Bookings whose answer says nothing of what became of them, those of the warm-up included.
    pub unknown: u64,
}

impl Recorder {
    /// Nothing yet.
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

    /// Notes an operation that took `latency` since it was due. What is not measured still counts as booked.
    pub fn note(&mut self, outcome: Outcome, latency: Duration, is_measured: bool) -> anyhow::Result<()> {
        self.confirmed += u64::from(outcome.confirmed);
        self.unknown += u64::from(outcome.unknown);
        if !is_measured {
            return Ok(());
        }
        match outcome.trouble {
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
            Some(Trouble::Refused(reason)) => *self.refused.entry(reason).or_default() += 1,
            Some(Trouble::Failed(reason)) => *self.failed.entry(reason).or_default() += 1,
        }
        Ok(())
    }

    /// Adds what another client has seen.
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

    /// Operations that were made and did not succeed.
    pub fn errors(&self) -> u64 {
        self.refused.values().chain(self.failed.values()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
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
    fn a_refusal_is_no_success_and_no_latency() {
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
    fn a_warm_up_is_not_measured_but_its_bookings_are_booked() {
        let mut recorder = Recorder::new().unwrap();
        let booked = Outcome { confirmed: true, ..Outcome::default() };
        recorder.note(booked.clone(), Duration::from_millis(1), false).unwrap();
        recorder.note(booked, Duration::from_millis(1), true).unwrap();
        recorder.note(Outcome::refused("OVERLOADED"), Duration::from_millis(1), false).unwrap();
        assert_eq!((recorder.confirmed, recorder.whole.summary().count, recorder.errors()), (2, 1, 0));
    }

    #[test]
    fn what_several_clients_saw_adds_up() {
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
