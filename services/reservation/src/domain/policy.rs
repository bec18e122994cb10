//! What cancelling gives back.

use jiff::{SignedDuration, Timestamp};
use mesh::money::Money;

/// Up to so many hours before check-in, this share is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Hours before check-in, 0 to 8760.
    pub hours_before_start: u32,
    /// Per cent of the total, 0 to 100.
    pub refund_percent: u32,
}

/// The terms of cancelling, frozen on each reservation: one to five tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancellationPolicy {
    /// The tiers, in any order.
    pub tiers: Vec<Tier>,
}

impl CancellationPolicy {
    /// The share that cancelling at `now` gives back: that of the tier with the most hours among those whose deadline has not
    /// passed; nothing once all have.
    pub fn refund(&self, total: Money, check_in: Timestamp, now: Timestamp) -> Money {
        self.tiers
            .iter()
            .filter(|tier| now < Self::deadline(tier, check_in))
            .max_by_key(|tier| tier.hours_before_start)
            .map_or(total.zero(), |tier| total.percent(tier.refund_percent))
    }

    /// The last deadline until which something is given back; none if nothing is any more at `now`.
    pub fn refundable_until(&self, check_in: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.tiers
            .iter()
            .filter(|tier| tier.refund_percent > 0)
            .map(|tier| Self::deadline(tier, check_in))
            .filter(|deadline| now < *deadline)
            .max()
    }

    fn deadline(tier: &Tier, check_in: Timestamp) -> Timestamp {
        check_in.checked_sub(SignedDuration::from_hours(i64::from(tier.hours_before_start))).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> CancellationPolicy {
        CancellationPolicy {
            tiers: vec![
                Tier { hours_before_start: 0, refund_percent: 0 },
                Tier { hours_before_start: 24, refund_percent: 50 },
                Tier { hours_before_start: 72, refund_percent: 100 },
            ],
        }
    }

    #[test]
    fn the_earlier_the_cancellation_the_more_comes_back() {
        let check_in: Timestamp = "2027-05-10T06:00:00Z".parse().expect("instant");
        let total = Money::new(90_001, "KRW").expect("money");
        for (now, refund) in [
            ("2027-05-07T05:59:59Z", 90_001),
            ("2027-05-07T06:00:00Z", 45_000),
            ("2027-05-09T05:59:59Z", 45_000),
            ("2027-05-09T06:00:00Z", 0),
            ("2027-05-11T00:00:00Z", 0),
        ] {
            let now = now.parse().expect("instant");
            assert_eq!(policy().refund(total, check_in, now).minor(), refund, "{now}");
        }
    }

    #[test]
    fn something_is_refundable_until_the_last_paying_tier() {
        let check_in: Timestamp = "2027-05-10T06:00:00Z".parse().expect("instant");
        let early = "2027-05-01T00:00:00Z".parse().expect("instant");
        assert_eq!(policy().refundable_until(check_in, early), "2027-05-09T06:00:00Z".parse().ok());
        assert_eq!(policy().refundable_until(check_in, check_in), None);
    }
}
