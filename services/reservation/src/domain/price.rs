//! The price of a stay. Computed here, never taken from a client.

use mesh::{
    money::{Money, MoneyError},
    types::{Line, LineKind, Price},
};

use super::stay::Stay;

/// The price of a stay at a rate for one unit and night: a line for each night.
pub fn of_nights(stay: &Stay, nightly_rate: Money) -> Result<Price, MoneyError> {
    let amount = nightly_rate.times(stay.units)?;
    let units = u16::try_from(stay.units).map_err(|_| MoneyError::TooLarge)?;
    let line =
        |night| Line { kind: LineKind::Night, label: format!("night of {night}"), date: Some(night), units, amount };
    Price::of(stay.nights().map(line).collect(), nightly_rate.zero())
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
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
