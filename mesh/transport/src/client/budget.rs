//! A budget for retries, shared by all calls to one callee.
//!
//! A fixed number of retries per call multiplies the load exactly when the callee is overloaded. A budget bounds the load instead:
//! every call earns a fraction of a retry, every second earns a little more so that a quiet callee can be retried too, and a retry is
//! made only if the budget can pay for it. (The argument is that of tower's and finagle's budgets.)

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// Account unit: what one call earns at one percent.
const RETRY: u64 = 100;
/// How many seconds' worth of quiet time can be saved up.
const SAVED_SECONDS: u64 = 10;

/// The balance for retries. Time is passed in.
#[derive(Debug)]
pub(super) struct Budget {
    per_call: u64,
    per_second: u64,
    max: u64,
    balance: u64,
    credited: Instant,
}

impl Budget {
    /// A budget that starts with what quiet seconds can save up.
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let per_call = u64::from(limits.retry_percent);
        let per_second = u64::from(limits.retries_per_second) * RETRY;
        let balance = per_second * SAVED_SECONDS;
        // Room for one retry at least, or what calls earn would be lost before it is enough.
        Self { per_call, per_second, max: balance.max(RETRY), balance, credited: now }
    }

    /// A call was made that is no retry.
    pub(super) fn earn(&mut self) {
        self.balance = self.balance.saturating_add(self.per_call).min(self.max);
    }

    /// Pays for one retry, if there is enough.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.credit(now);
        match self.balance.checked_sub(RETRY) {
            Some(rest) => {
                self.balance = rest;
                true
            }
            None => false,
        }
    }

    fn credit(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.credited).as_secs();
        self.credited += Duration::from_secs(seconds);
        self.balance = self.balance.saturating_add(seconds.saturating_mul(self.per_second)).min(self.max);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(retry_percent: u32, retries_per_second: u32, now: Instant) -> Budget {
        Budget::new(&Limits { retry_percent, retries_per_second, ..Limits::default() }, now)
    }

    #[test]
    fn a_hundred_calls_earn_what_the_percentage_says() {
        let now = Instant::now();
        let mut budget = budget(20, 0, now);
        let retries = (0..100).filter(|_| {
            budget.earn();
            budget.spend(now)
        });
        assert_eq!(retries.count(), 20);
    }

    #[test]
    fn quiet_times_save_up_a_bounded_number_of_retries() {
        let now = Instant::now();
        let mut budget = budget(0, 2, now);
        let spent =
            |budget: &mut Budget, now| std::iter::repeat_with(|| budget.spend(now)).take_while(|paid| *paid).count();
        assert_eq!(spent(&mut budget, now), 20);
        assert_eq!(spent(&mut budget, now + Duration::from_millis(2500)), 4);
        assert_eq!(spent(&mut budget, now + Duration::from_millis(3000)), 2);
        assert_eq!(spent(&mut budget, now + Duration::from_secs(3600)), 20);
    }

    #[test]
    fn nothing_earned_is_nothing_to_spend() {
        let now = Instant::now();
        assert!(!budget(0, 0, now).spend(now + Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn retries_never_exceed_what_calls_and_seconds_earned(
            percent in 0..200_u32, per_second in 0..5_u32, steps in prop::collection::vec((any::<bool>(), 0..500_u64), 0..300),
        ) {
            let start = Instant::now();
            let mut budget = budget(percent, per_second, start);
            let (mut calls, mut retries, mut now) = (0_u64, 0_u64, start);
            for (is_call, wait_ms) in steps {
                now += Duration::from_millis(wait_ms);
                if is_call {
                    budget.earn();
                    calls += 1;
                } else {
                    retries += u64::from(budget.spend(now));
                }
            }
            let seconds = (now - start).as_secs() + SAVED_SECONDS;
            prop_assert!(retries * RETRY <= calls * u64::from(percent) + seconds * u64::from(per_second) * RETRY);
        }
    }
}
