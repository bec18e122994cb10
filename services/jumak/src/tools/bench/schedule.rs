//! When each call is due.
//!
//! In a **closed loop** a client makes its next call when the last one is answered. A server that stalls is called less often, and the
//! calls that would have had to wait are never made, so the percentiles look too good (coordinated omission). In an **open loop** calls
//! are due at fixed times, however fast the server answers. The latency of a call begins when it was due, even if it was sent later.
//! Calls for which no client was free before the end are counted as not sent.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How calls follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each client makes its next call when the last one is answered.
    Closed,
    /// Calls are due at a fixed rate; any free client makes them.
    Open {
        /// Calls per second, above 0.
        rate: f64,
    },
}

/// A call that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number, from 0.
    pub number: u64,
    /// When it was due; none if it is due when it is made.
    pub since: Option<Instant>,
}

/// The schedule of one load, shared by all its clients.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    begin: Instant,
    /// The end of the warm-up. Calls are measured from then on.
    measured: Instant,
    end: Instant,
    next: AtomicU64,
}

impl Schedule {
    /// A load that begins now and is measured for `duration` after the `warmup`.
    pub fn new(pace: Pace, warmup: Duration, duration: Duration) -> Self {
        let begin = Instant::now();
        let measured = begin + warmup;
        Self { pace, begin, measured, end: measured + duration, next: AtomicU64::new(0) }
    }

    /// The next call that no client has taken; none after the end.
    pub fn take(&self) -> Option<Due> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let since = match self.pace {
            Pace::Closed => None,
            Pace::Open { rate } => Some(self.begin + due_after(number, rate)),
        };
        (since.unwrap_or_else(Instant::now) < self.end).then_some(Due { number, since })
    }

    /// Whether a call that began at `since` is measured.
    pub fn measures(&self, since: Instant) -> bool {
        since >= self.measured
    }

    /// The time after which no call begins.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// How long calls were measured if the load was stopped early at `stopped`.
    pub fn measured_for(&self, stopped: Instant) -> Duration {
        stopped.min(self.end).saturating_duration_since(self.measured)
    }
}

/// When call `number` is due, since the beginning.
fn due_after(number: u64, rate: f64) -> Duration {
    // If the rate is too small for the clock, the call is due after any end.
    Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::recorder::Latencies;

    /// One client calls every 10 ms a server that answers in a millisecond and stalls once for a second. Returns the latencies that the
    /// loop
    /// measures, in virtual time.
    fn through_a_stall(pace: Pace) -> Latencies {
        const CALLS: u64 = 1_000;
        let mut latencies = Latencies::new().unwrap();
        let mut free = Duration::ZERO;
        for number in 0..CALLS {
            let due = match pace {
                Pace::Closed => free,
                Pace::Open { rate } => due_after(number, rate),
            };
            let takes = if number == 100 { Duration::from_secs(1) } else { Duration::from_millis(1) };
            let answered = due.max(free) + takes;
            latencies.record(answered - due);
            free = answered;
        }
        latencies
    }

    #[test]
    fn every_call_that_was_due_during_a_stall_has_a_long_latency() {
        let open = through_a_stall(Pace::Open { rate: 100.0 }).summary();
        // A hundred of a thousand calls were due during the stall.
        assert!(open.p90_ms > 50.0, "{open:?}");
        assert!(open.p99_ms > 800.0, "{open:?}");
        assert!((990.0..1_010.0).contains(&open.max_ms), "{open:?}");
        assert!(open.p50_ms < 2.0, "most calls were not affected: {open:?}");
        let closed = through_a_stall(Pace::Closed).summary();
        assert!(closed.p99_ms < 2.0, "a closed loop hides the stall: {closed:?}");
    }

    #[test]
    fn calls_are_due_at_the_rate_and_without_drift() {
        assert_eq!(due_after(0, 500.0), Duration::ZERO);
        assert_eq!(due_after(1, 500.0), Duration::from_millis(2));
        assert_eq!(due_after(500, 500.0), Duration::from_secs(1));
        assert_eq!(due_after(3_600 * 333, 333.0), Duration::from_secs(3_600), "rounding errors add up");
    }

    #[test]
    fn an_open_loop_makes_rate_times_duration_calls() {
        let schedule = Schedule::new(Pace::Open { rate: 50.0 }, Duration::from_secs(1), Duration::from_secs(2));
        let due: Vec<Due> = std::iter::from_fn(|| schedule.take()).collect();
        assert_eq!(due.len(), 150);
        let measured = due.iter().filter(|due| schedule.measures(due.since.unwrap())).count();
        assert_eq!(measured, 100, "calls that were due before belong to the warm-up");
    }

    #[test]
    fn a_load_that_was_stopped_early_has_a_shorter_measured_time() {
        let schedule = Schedule::new(Pace::Closed, Duration::from_secs(1), Duration::from_secs(10));
        let at = |seconds| schedule.measured + Duration::from_secs(seconds);
        assert_eq!(schedule.measured_for(at(4)), Duration::from_secs(4));
        assert_eq!(schedule.measured_for(at(60)), Duration::from_secs(10));
        assert_eq!(schedule.measured_for(schedule.begin), Duration::ZERO);
    }
}
