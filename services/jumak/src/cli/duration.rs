//! Durations as people type them: `30s`, `45m`, `12h`, `7d`.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The duration that `text` says.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wanted = || format!("`{text}` is no duration; type a number and s, m, h or d, as in 30m, 12h or 7d");
    let unit = text.chars().last().ok_or_else(wanted)?;
    let seconds = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return Err(wanted()),
    };
    let number = &text[..text.len() - unit.len_utf8()];
    // `parse` takes a sign, too.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wanted());
    }
    let number: u64 = number.parse().map_err(|_| wanted())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wanted)
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
            assert!(parse(text).unwrap_err().contains("as in 30m, 12h or 7d"), "{text}");
        }
    }
}
