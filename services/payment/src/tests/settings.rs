//! Payment's section of the configuration.

use mesh::config::{Config, Known};

use crate::{DESCRIPTOR, Settings};

fn read(name: &str, value: &str) -> Result<Config, Vec<String>> {
    let variables = [(format!("JUMAK_{name}"), value.to_owned())];
    let read = Config::from_sources(None, variables, &Known::of([&DESCRIPTOR]));
    read.map_err(|error| error.problems().iter().map(|problem| problem.key.clone()).collect())
}

#[test]
fn the_defaults_are_good_and_a_value_is_read() {
    let config = read("PAYMENT__PROVIDER_TIMEOUT_MS", "2000").expect("good");
    let expected = Settings { provider_timeout: std::time::Duration::from_secs(2), ..Settings::default() };
    assert_eq!(config.section::<Settings>(), expected);
}

#[test]
fn each_bad_value_is_named_by_its_key() {
    for (name, value, key) in [
        ("PAYMENT__PROVIDER_TIMEOUT_MS", "5000", "payment.provider_timeout_ms"),
        ("PAYMENT__RECOVERY_INTERVAL_MS", "0", "payment.recovery_interval_ms"),
        ("PAYMENT__GIVE_UP_AFTER_MS", "3000", "payment.give_up_after_ms"),
        ("PAYMENT__ABANDON_AFTER_MS", "659999", "payment.abandon_after_ms"),
        ("CHECKOUT__HOLD_MS", "3540001", "payment.abandon_after_ms"),
        ("PAYMENT__VOID_WATCH", "1", "payment.void_watch"),
    ] {
        assert_eq!(read(name, value).expect_err("bad"), [key], "{name}={value}");
    }
}

#[test]
fn a_number_that_no_clock_holds_is_refused_like_any_other() {
    for number in ["PROVIDER_TIMEOUT_MS", "RECOVERY_INTERVAL_MS", "GIVE_UP_AFTER_MS", "ABANDON_AFTER_MS"] {
        for value in ["18446744073709551615", "9223372036854775807", "18446744073709551616", "-1"] {
            let keys = read(&format!("PAYMENT__{number}"), value).expect_err("bad");
            let key = format!("payment.{}", number.to_ascii_lowercase());
            assert!(keys.contains(&key), "{number}={value}: {keys:?}");
        }
    }
}
