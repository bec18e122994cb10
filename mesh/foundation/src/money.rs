//! Money: whole minor units of one currency. Never a float, never negative, never converted.

mod in_use;

use std::fmt;

use contracts::google::r#type::Money as ProtoMoney;
use iso_currency::Currency;

/// An amount of one currency, in its minor units (KRW has none: ₩1 is 1; USD has two digits: $1 is 100).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why an amount is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("`{0}` is not a currency of ISO 4217, like KRW or USD")]
    UnknownCurrency(String),
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Parts of a minor unit.
    #[error("{currency} has {digits} decimal digits, and the amount has more")]
    TooPrecise {
        /// The currency.
        currency: &'static str,
        /// Its digits.
        digits: u16,
    },
    /// More than can be counted.
    #[error("is too large")]
    TooLarge,
    /// Two currencies in one sum.
    #[error("{0} and {1} are two currencies")]
    Mismatch(&'static str, &'static str),
}

impl Money {
    /// `minor` minor units of the currency with that code.
    pub fn new(minor: i64, code: &str) -> Result<Self, MoneyError> {
        let currency =
            Currency::from_code(code).ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(8).collect()))?;
        if minor < 0 {
            return Err(MoneyError::Negative);
        }
        Ok(Self { minor, currency })
    }

    /// Nothing, in the same currency.
    #[must_use]
    pub const fn zero(self) -> Self {
        Self { minor: 0, currency: self.currency }
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The ISO 4217 code.
    pub fn code(self) -> &'static str {
        self.currency.code()
    }

    /// Whether its currency is in use today: neither withdrawn nor a mere unit of account, such as gold.
    pub fn is_in_use(self) -> bool {
        in_use::is_in_use(self.code())
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The difference; never below zero.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        if other.minor > self.minor {
            return Err(MoneyError::Negative);
        }
        Ok(Self { minor: self.minor - other.minor, ..self })
    }

    /// The amount times `times`.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(count)).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// `percent` of it, rounded down to a whole minor unit.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        let minor = i128::from(self.minor) * i128::from(percent.min(100)) / 100;
        Self { minor: i64::try_from(minor).unwrap_or(self.minor), ..self }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::Mismatch(self.code(), other.code())) }
    }

    fn minor_per_unit(currency: Currency) -> i64 {
        10_i64.pow(u32::from(currency.exponent().unwrap_or(0)).min(9))
    }
}

impl TryFrom<&ProtoMoney> for Money {
    type Error = MoneyError;

    fn try_from(money: &ProtoMoney) -> Result<Self, MoneyError> {
        let zero = Self::new(0, &money.currency_code)?;
        if money.units < 0 || money.nanos < 0 {
            return Err(MoneyError::Negative);
        }
        let per_unit = Self::minor_per_unit(zero.currency);
        let nanos_per_minor = 1_000_000_000 / per_unit;
        let nanos = i64::from(money.nanos);
        if nanos >= 1_000_000_000 || nanos % nanos_per_minor != 0 {
            return Err(MoneyError::TooPrecise {
                currency: zero.code(),
                digits: zero.currency.exponent().unwrap_or(0),
            });
        }
        let minor = money
            .units
            .checked_mul(per_unit)
            .and_then(|minor| minor.checked_add(nanos / nanos_per_minor))
            .ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..zero })
    }
}

impl From<Money> for ProtoMoney {
    fn from(money: Money) -> Self {
        let per_unit = Money::minor_per_unit(money.currency);
        Self {
            currency_code: money.code().to_owned(),
            units: money.minor / per_unit,
            nanos: i32::try_from(money.minor % per_unit * (1_000_000_000 / per_unit)).unwrap_or(0),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_unit = Self::minor_per_unit(self.currency);
        let digits = usize::from(self.currency.exponent().unwrap_or(0));
        if digits == 0 {
            write!(f, "{} {}", self.minor, self.code())
        } else {
            write!(f, "{}.{:0digits$} {}", self.minor / per_unit, self.minor % per_unit, self.code())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proto(currency: &str, units: i64, nanos: i32) -> ProtoMoney {
        ProtoMoney { currency_code: currency.to_owned(), units, nanos }
    }

    #[test]
    fn a_won_has_no_fraction_and_a_dollar_has_two_digits() {
        assert_eq!(Money::try_from(&proto("KRW", 90_000, 0)).map(Money::minor), Ok(90_000));
        assert_eq!(Money::try_from(&proto("USD", 19, 990_000_000)).map(Money::minor), Ok(1_999));
        assert!(matches!(Money::try_from(&proto("KRW", 1, 500_000_000)), Err(MoneyError::TooPrecise { .. })));
        assert!(matches!(Money::try_from(&proto("USD", 1, 1)), Err(MoneyError::TooPrecise { .. })));
    }

    #[test]
    fn bad_amounts_are_refused() {
        assert_eq!(Money::try_from(&proto("KRW", -1, 0)), Err(MoneyError::Negative));
        assert_eq!(Money::try_from(&proto("USD", 0, -10_000_000)), Err(MoneyError::Negative));
        assert!(matches!(Money::try_from(&proto("", 1, 0)), Err(MoneyError::UnknownCurrency(_))));
        assert_eq!(Money::try_from(&proto("USD", i64::MAX, 0)), Err(MoneyError::TooLarge));
    }

    #[test]
    fn what_is_not_money_or_not_any_more_is_told_apart() {
        for code in ["XXX", "XTS", "XAU", "XDR", "CHE", "UYI", "HRK", "BGN", "CUC", "SLL", "ZWL"] {
            assert_eq!(Money::new(1, code).map(Money::is_in_use), Ok(false), "{code}: it may stand in old books");
        }
        for code in ["KRW", "USD", "EUR", "XAF", "XOF", "XPF", "XCD", "XCG", "SLE", "ZWG", "VES"] {
            assert_eq!(Money::new(1, code).map(Money::is_in_use), Ok(true), "{code}");
        }
        assert!(Money::new(1, "ANG").is_err(), "withdrawn for so long that it is not even known");
    }

    #[test]
    fn a_person_can_read_it() {
        assert_eq!(Money::new(1_905, "USD").map(|m| m.to_string()), Ok("19.05 USD".to_owned()));
        assert_eq!(Money::new(90_000, "KRW").map(|m| m.to_string()), Ok("90000 KRW".to_owned()));
    }

    proptest! {
        #[test]
        fn an_amount_survives_the_wire(minor in 0_i64..1_000_000_000_000, code in prop::sample::select(vec!["KRW", "USD", "KWD"])) {
            let money = Money::new(minor, code).expect("valid");
            prop_assert_eq!(Money::try_from(&ProtoMoney::from(money)), Ok(money));
        }

        #[test]
        fn a_share_and_the_rest_make_the_whole(minor in 0_i64..i64::MAX, percent in 0_u32..=100) {
            let whole = Money::new(minor, "KRW").expect("valid");
            let share = whole.percent(percent);
            prop_assert_eq!(whole.minus(share).and_then(|rest| rest.plus(share)), Ok(whole));
        }
    }
}
