//! Words that the contracts of several contexts share, as the domain has them: prices, what a payer has to do, terms of cancelling.

use std::{fmt, str::FromStr};

pub use contracts::types::v1::price::line::Kind as LineKind;
use contracts::types::v1::{self as message, cancellation_policy, price};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use crate::{
    clock::to_proto,
    fields::{Fields, nights_between},
    money::{Money, MoneyError},
};

/// Tiers of a cancellation policy.
const MAX_TIERS: usize = 5;
/// Hours of a tier: a year.
const MAX_HOURS_BEFORE_START: u16 = 8_760;

/// What a payer has to do, at the provider's page, before a payment can be approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentAction {
    /// The page.
    pub uri: String,
    /// Until when.
    pub expire_time: Option<Timestamp>,
}

impl From<&PaymentAction> for message::PaymentAction {
    fn from(action: &PaymentAction) -> Self {
        Self { uri: action.uri.clone(), expire_time: action.expire_time.map(to_proto) }
    }
}

/// Some nights in a row, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nights {
    first: Date,
    end: Date,
}

impl Nights {
    /// The nights from the one that begins on `first` to the one that ends on `end`; none if there is no night in between.
    pub fn new(first: Date, end: Date) -> Option<Self> {
        (first < end).then_some(Self { first, end })
    }

    /// The date on which the first one begins.
    pub fn first(self) -> Date {
        self.first
    }

    /// The date on which the last one ends.
    pub fn end(self) -> Date {
        self.end
    }

    /// Each of them, by the date on which it begins.
    pub fn dates(self) -> impl Iterator<Item = Date> {
        self.first.series(1.day()).take_while(move |date| *date < self.end)
    }

    /// How many they are.
    pub fn count(self) -> u32 {
        u32::try_from(nights_between(self.first, self.end)).unwrap_or(0)
    }
}

/// A price: its lines, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The lines.
    pub lines: Vec<Line>,
    /// Their sum.
    pub total: Money,
}

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub kind: LineKind,
    /// The same for people.
    pub label: String,
    /// The day that it is for; none if it is for all of them.
    pub date: Option<Date>,
    /// How many units.
    pub units: u16,
    /// For all of them together.
    pub amount: Money,
}

impl Price {
    /// The price of these lines; `nothing` is zero in their currency.
    pub fn of(lines: Vec<Line>, nothing: Money) -> Result<Self, MoneyError> {
        let total = lines.iter().try_fold(nothing, |sum, line| sum.plus(line.amount))?;
        Ok(Self { lines, total })
    }

    /// The price in a message; none if it is not one.
    pub fn read(price: &message::Price) -> Option<Self> {
        let lines = price.lines.iter().map(|line| {
            Some(Line {
                kind: line.kind(),
                label: line.label.clone(),
                date: if line.date.is_empty() { None } else { Some(line.date.parse().ok()?) },
                units: line.units.try_into().ok()?,
                amount: Money::try_from(line.amount.as_ref()?).ok()?,
            })
        });
        Some(Self { lines: lines.collect::<Option<_>>()?, total: Money::try_from(price.total.as_ref()?).ok()? })
    }
}

impl From<&Price> for message::Price {
    fn from(price: &Price) -> Self {
        let lines = price.lines.iter().map(|line| price::Line {
            kind: line.kind.into(),
            label: line.label.clone(),
            date: line.date.map(|date| date.to_string()).unwrap_or_default(),
            units: line.units.into(),
            amount: Some(line.amount.into()),
        });
        Self { lines: lines.collect(), total: Some(price.total.into()) }
    }
}

/// Up to so many hours before the start, this share is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Hours before the start: 0 to 8760.
    pub hours_before_start: u16,
    /// Per cent of the total: 0 to 100.
    pub refund_percent: u8,
}

/// The terms of cancelling: one to five tiers, each with other hours. As text, `72:100,24:50`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancellationPolicy {
    /// The tiers, in any order.
    pub tiers: Vec<Tier>,
}

impl CancellationPolicy {
    /// Everything is given back until the start.
    pub fn until_start() -> Self {
        Self { tiers: vec![Tier { hours_before_start: 0, refund_percent: 100 }] }
    }

    /// What cancelling at `now` gives back of the total: the share of the tier with the most hours among those whose deadline has not
    /// passed; nothing once all have.
    pub fn refund(&self, total: Money, start: Timestamp, now: Timestamp) -> Money {
        self.tiers
            .iter()
            .filter(|tier| now < tier.deadline(start))
            .max_by_key(|tier| tier.hours_before_start)
            .map_or(total.zero(), |tier| total.percent(tier.refund_percent.into()))
    }

    /// The last deadline until which something is given back; none if nothing is any more at `now`.
    pub fn refundable_until(&self, start: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let paying = self.tiers.iter().filter(|tier| tier.refund_percent > 0);
        paying.map(|tier| tier.deadline(start)).filter(|deadline| now < *deadline).max()
    }

    /// The policy in a request, whose faults go to `fields`.
    pub fn of_request(fields: &mut Fields, path: &str, policy: &message::CancellationPolicy) -> Self {
        let count = policy.tiers.len();
        let path = format!("{path}.tiers");
        fields.check((1..=MAX_TIERS).contains(&count), &path, format!("has {count} tiers; 1 to {MAX_TIERS} are taken"));
        let mut tiers: Vec<Tier> = Vec::new();
        for (at, tier) in policy.tiers.iter().enumerate().take(MAX_TIERS) {
            let path = format!("{path}[{at}]");
            let hours = tier.hours_before_start;
            let hours = fields.number(&format!("{path}.hours_before_start"), hours, 0..=MAX_HOURS_BEFORE_START.into());
            let percent = tier.refund_percent.unwrap_or(100);
            fields.range(&format!("{path}.refund_percent"), percent, 0, 100);
            let (Some(hours_before_start), Ok(refund_percent)) = (hours, u8::try_from(percent)) else { continue };
            let twice = tiers.iter().any(|other| other.hours_before_start == hours_before_start);
            fields.check(!twice, &path, format!("is the second tier of {hours_before_start} hours"));
            tiers.push(Tier { hours_before_start, refund_percent });
        }
        Self { tiers }
    }

    /// The policy in a message that is told; none if it is not one.
    pub fn read(policy: &message::CancellationPolicy) -> Option<Self> {
        let mut fields = Fields::new();
        let policy = Self::of_request(&mut fields, "", policy);
        fields.finish().is_ok().then_some(policy)
    }
}

impl Tier {
    fn deadline(self, start: Timestamp) -> Timestamp {
        let before = SignedDuration::from_hours(self.hours_before_start.into());
        start.checked_sub(before).unwrap_or(Timestamp::MIN)
    }
}

impl From<&CancellationPolicy> for message::CancellationPolicy {
    fn from(policy: &CancellationPolicy) -> Self {
        let tiers = policy.tiers.iter().map(|tier| cancellation_policy::Tier {
            hours_before_start: tier.hours_before_start.into(),
            refund_percent: Some(tier.refund_percent.into()),
        });
        Self { tiers: tiers.collect() }
    }
}

impl fmt::Display for CancellationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Tier { hours_before_start, refund_percent }) in self.tiers.iter().enumerate() {
            write!(f, "{}{hours_before_start}:{refund_percent}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Not a text of that form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPolicy;

impl FromStr for CancellationPolicy {
    type Err = NoPolicy;

    fn from_str(text: &str) -> Result<Self, NoPolicy> {
        let tier = |tier: &str| {
            let (hours, percent) = tier.split_once(':')?;
            Some(Tier { hours_before_start: hours.parse().ok()?, refund_percent: percent.parse().ok()? })
        };
        Ok(Self { tiers: text.split(',').map(tier).collect::<Option<_>>().ok_or(NoPolicy)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> CancellationPolicy {
        "0:0,24:50,72:100".parse().expect("a policy")
    }

    fn at(instant: &str) -> Timestamp {
        instant.parse().expect("an instant")
    }

    #[test]
    fn the_earlier_the_cancellation_the_more_comes_back() {
        let start = at("2027-05-10T06:00:00Z");
        let total = Money::new(90_001, "KRW").expect("money");
        for (now, refund) in [
            ("2027-05-07T05:59:59Z", 90_001),
            ("2027-05-07T06:00:00Z", 45_000),
            ("2027-05-09T05:59:59Z", 45_000),
            ("2027-05-09T06:00:00Z", 0),
            ("2027-05-11T00:00:00Z", 0),
        ] {
            assert_eq!(policy().refund(total, start, at(now)).minor(), refund, "{now}");
        }
    }

    #[test]
    fn something_is_refundable_until_the_last_paying_tier() {
        let start = at("2027-05-10T06:00:00Z");
        let early = at("2027-05-01T00:00:00Z");
        assert_eq!(policy().refundable_until(start, early), Some(at("2027-05-09T06:00:00Z")));
        assert_eq!(policy().refundable_until(start, start), None);
    }

    #[test]
    fn a_policy_reads_back_from_text_and_message() {
        assert_eq!(policy().to_string(), "0:0,24:50,72:100");
        assert_eq!(CancellationPolicy::read(&(&policy()).into()), Some(policy()));
        for bad in ["", "24", "24:", "24:50,", "24:256", "x:1"] {
            assert_eq!(bad.parse::<CancellationPolicy>(), Err(NoPolicy), "{bad:?}");
        }
        let none = message::CancellationPolicy { tiers: Vec::new() };
        assert_eq!(CancellationPolicy::read(&none), None, "a policy has a tier");
    }

    #[test]
    fn every_fault_of_a_policy_is_told_by_its_path() {
        let tier = |hours, percent| cancellation_policy::Tier { hours_before_start: hours, refund_percent: percent };
        let tiers = vec![tier(24, None), tier(24, Some(1)), tier(-1, Some(101)), tier(8_761, Some(1))];
        let mut fields = Fields::new();
        CancellationPolicy::of_request(&mut fields, "room.policy", &message::CancellationPolicy { tiers });
        let refusal = fields.finish().expect_err("faults");
        let paths: Vec<_> = refusal.violations.iter().map(|(path, _)| path.as_str()).collect();
        let of = |field| format!("room.policy.tiers{field}");
        let expected = ["[1]", "[2].hours_before_start", "[2].refund_percent", "[3].hours_before_start"].map(of);
        assert_eq!(paths, expected);
    }

    #[test]
    fn the_day_of_leaving_has_no_night() {
        let date = |text: &str| text.parse().expect("a date");
        let nights = Nights::new(date("2028-02-28"), date("2028-03-01")).expect("nights");
        assert_eq!(nights.dates().collect::<Vec<_>>(), [date("2028-02-28"), date("2028-02-29")]);
        assert_eq!(nights.count(), 2);
        assert_eq!(Nights::new(date("2028-02-28"), date("2028-02-28")), None);
    }

    #[test]
    fn a_price_is_the_sum_of_its_lines_and_reads_back() {
        let line = |minor, date: Option<&str>| Line {
            kind: LineKind::Night,
            label: "a night".to_owned(),
            date: date.map(|date| date.parse().expect("a date")),
            units: 2,
            amount: Money::new(minor, "KRW").expect("money"),
        };
        let nothing = Money::new(0, "KRW").expect("money");
        let price = Price::of(vec![line(70, Some("2027-05-01")), line(30, None)], nothing).expect("a price");
        assert_eq!(price.total.minor(), 100);
        assert_eq!(Price::read(&(&price).into()), Some(price));
        assert!(Price::of(vec![line(i64::MAX, None), line(1, None)], nothing).is_err(), "more than can be counted");
    }
}
