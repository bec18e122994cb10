//! When each call is due.
//!
//! In a **closed loop** a client calls again once it has been answered: a server that stalls is simply called less often, and the
//! calls that would have waited are never made. Its percentiles flatter. In an **open loop** calls are due at fixed times, whatever
//! the server does; a call that could not be sent in time has been waiting since then, and its latency begins there. What no client
//! was free for until the end is counted as not sent.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// How calls follow one another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each client calls as soon as it has been answered.
    Closed,
    /// So many calls are due each second, whoever is free makes them.
    Open {
        /// Calls per second, above 0.
        rate: f64,
    },
}

/// A call that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which one, counted from 0.
    pub number: u64,
    /// Since when it has been due; none if it is due when it is made.
    pub since: Option<Instant>,
}

/// One load, shared by all clients that make it.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    begin: Instant,
    /// From here on calls are measured: before, caches and connections get warm.
    measured: Instant,
    end: Instant,
    next: AtomicU64,
}

impl Schedule {
    /// A load that begins now, and is measured for `duration` after the `warmup`.
    pub fn new(pace: Pace, warmup: Duration, duration: Duration) -> Self {
        let begin = Instant::now();
        let measured = begin + warmup;
        Self { pace, begin, measured, end: measured + duration, next: AtomicU64::new(0) }
    }

    /// The next call that nobody has taken; none once the time is over.
    pub fn take(&self) -> Option<Due> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let since = match self.pace {
            Pace::Closed => None,
            Pace::Open { rate } => Some(self.begin + due_after(number, rate)),
        };
        (since.unwrap_or_else(Instant::now) < self.end).then_some(Due { number, since })
    }

    /// Whether a call that began then is measured.
    pub fn measures(&self, since: Instant) -> bool {
        since >= self.measured
    }

    /// When no call is begun any more.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// How long calls are measured for, if that was cut short at `stopped`.
    pub fn measured_for(&self, stopped: Instant) -> Duration {
        stopped.min(self.end).saturating_duration_since(self.measured)
    }
}

/// How long after the beginning call `number` is due.
fn due_after(number: u64, rate: f64) -> Duration {
    // A rate too small for the clock means never, which is later than any end.
    Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::recorder::Latencies;

    /// One client, a server that answers in a millisecond and stalls once for a second; calls are wanted every 10 ms. Returns the
    /// latencies as the loop sees them, in virtual time.
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
    fn a_stall_is_seen_by_every_call_that_was_due_during_it() {
        let open = through_a_stall(Pace::Open { rate: 100.0 }).summary();
        // A hundred calls of a thousand were due while nothing was answered.
        assert!(open.p90_ms > 50.0, "{open:?}");
        assert!(open.p99_ms > 800.0, "{open:?}");
        assert!((990.0..1_010.0).contains(&open.max_ms), "{open:?}");
        assert!(open.p50_ms < 2.0, "most were not touched by it: {open:?}");
        let closed = through_a_stall(Pace::Closed).summary();
        assert!(closed.p99_ms < 2.0, "a closed loop hides it: {closed:?}");
    }

    #[test]
    fn calls_are_due_at_the_rate_and_without_drift() {
        assert_eq!(due_after(0, 500.0), Duration::ZERO);
        assert_eq!(due_after(1, 500.0), Duration::from_millis(2));
        assert_eq!(due_after(500, 500.0), Duration::from_secs(1));
        assert_eq!(due_after(3_600 * 333, 333.0), Duration::from_secs(3_600), "nothing adds up");
    }

    #[test]
    fn an_open_loop_has_as_many_calls_as_its_rate_and_time_say() {
        let schedule = Schedule::new(Pace::Open { rate: 50.0 }, Duration::from_secs(1), Duration::from_secs(2));
        let due: Vec<Due> = std::iter::from_fn(|| schedule.take()).collect();
        assert_eq!(due.len(), 150);
        let measured = due.iter().filter(|due| schedule.measures(due.since.unwrap())).count();
        assert_eq!(measured, 100, "what was due before is warm-up");
    }

    #[test]
    fn a_time_cut_short_is_measured_as_such() {
        let schedule = Schedule::new(Pace::Closed, Duration::from_secs(1), Duration::from_secs(10));
        let at = |seconds| schedule.measured + Duration::from_secs(seconds);
        assert_eq!(schedule.measured_for(at(4)), Duration::from_secs(4));
        assert_eq!(schedule.measured_for(at(60)), Duration::from_secs(10));
        assert_eq!(schedule.measured_for(schedule.begin), Duration::ZERO);
    }
}
