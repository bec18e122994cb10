//! Durations on the command line: `30s`, `45m`, `12h`, `7d`. Each option has bounds, because a clock cannot represent every duration.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A parser for an option's duration, from `least` to `most`.
pub fn between(least: Duration, most: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync {
    move |text| {
        let time = parse(text)?;
        if (least..=most).contains(&time) {
            return Ok(time);
        }
        Err(format!("`{text}` is out of bounds; use {} to {}", typed(least), typed(most)))
    }
}

/// A duration of whole seconds, as a user would type it.
fn typed(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')]
        .into_iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (unit, letter) = unit.unwrap_or((1, 's'));
    format!("{}{letter}", seconds / unit)
}

/// Parses a duration.
fn parse(text: &str) -> Result<Duration, String> {
    let wanted = || format!("`{text}` is not a duration; write a number and s, m, h or d, such as 30m, 12h or 7d");
    let unit = text.chars().last().ok_or_else(wanted)?;
    let seconds = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return Err(wanted()),
    };
    let number = &text[..text.len() - unit.len_utf8()];
    // `parse` would accept a sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    let number: u64 = number.parse().map_err(|_| wanted())?;
    let seconds = number.checked_mul(seconds).filter(|seconds| i64::try_from(*seconds).is_ok());
    seconds.map(Duration::from_secs).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_a_duration() {
        for (text, seconds) in [("30s", 30), ("45m", 2_700), ("12h", 43_200), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_duration_out_of_bounds_is_refused_with_the_bounds() {
        let timeout = between(Duration::from_secs(1), Duration::from_secs(DAY));
        assert_eq!(timeout("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(timeout("24h"), Ok(Duration::from_secs(DAY)));
        for text in ["0s", "1441m", "4166667d", "99999999999999d"] {
            assert_eq!(timeout(text).unwrap_err(), format!("`{text}` is out of bounds; use 1s to 1d"));
        }
        let grace = between(Duration::ZERO, Duration::from_secs(90 * MINUTE));
        assert_eq!(grace("2h").unwrap_err(), "`2h` is out of bounds; use 0s to 90m");
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            "h",
            "12",
            "12 h",
            "-1h",
            "+1h",
            "1.5h",
            "12H",
            "1h30m",
            "12ч",
            "99999999999999999999d",
            "999999999999999999d",
        ] {
            assert!(parse(text).unwrap_err().contains("such as 30m, 12h or 7d"), "{text}");
        }
    }
}
