//! What a stay costs. Computed here, never taken from a client.

use jiff::civil::Date;
use mesh::money::{Money, MoneyError};

use super::stay::Stay;

/// One line of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The night.
    pub night: Date,
    /// How many units.
    pub units: u32,
    /// For all of them together.
    pub amount: Money,
}

/// A price: a line for each night, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The lines.
    pub lines: Vec<Line>,
    /// Their sum.
    pub total: Money,
}

/// Why a price cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the total {0}")]
pub struct PriceError(#[from] pub MoneyError);

/// The price of a stay at a rate for one unit and night.
pub fn of_nights(stay: &Stay, nightly_rate: Money) -> Result<Price, PriceError> {
    let amount = nightly_rate.times(stay.units)?;
    let lines: Vec<_> = stay.nights().map(|night| Line { night, units: stay.units, amount }).collect();
    let total = lines.iter().try_fold(nightly_rate.zero(), |sum, line| sum.plus(line.amount))?;
    Ok(Price { lines, total })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_price_is_the_sum_of_its_nights(nights in 1_i64..=90, units in 1_u32..=10, rate in 1_i64..10_000_000) {
            let check_in: Date = "2027-02-20".parse().expect("date");
            let check_out = check_in.saturating_add(jiff::Span::new().days(nights));
            let stay = Stay { check_in, check_out, units, guests: 1 };
            let price = of_nights(&stay, Money::new(rate, "KRW").expect("money")).expect("price");
            prop_assert_eq!(price.lines.len() as i64, nights);
            prop_assert_eq!(price.total.minor(), rate * i64::from(units) * nights);
        }
    }

    #[test]
    fn a_price_beyond_counting_is_refused() {
        let stay = Stay {
            check_in: "2027-05-01".parse().expect("date"),
            check_out: "2027-05-03".parse().expect("date"),
            units: 1,
            guests: 1,
        };
        assert!(of_nights(&stay, Money::new(i64::MAX, "KRW").expect("money")).is_err());
    }
}
