//! Finding card numbers in text.
//!
//! A card number is 13 to 19 digits whose last one is the Luhn check digit of the others. One number in ten passes that check by
//! chance, so what is found has to look like a card number as well, or people could not be given phone numbers and request ids:
//! - what parses as a UUID is an id, however many digits it has;
//! - a number after `+` is a phone number, up to the fifteen digits that one may have;
//! - no card begins with 0, and none of 13 digits with 1 (milliseconds since 1970, which many take for an id, do);
//! - the digits stand together, or in groups of three to six with blanks or dashes between, up to three of them, as on a card. So
//!   two dates in a row are no card.

use uuid::Uuid;

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
const GROUP: std::ops::RangeInclusive<usize> = 3..=6;
const MAX_GAP: usize = 3;
const MAX_PHONE_DIGITS: usize = 15;

/// Whether `bytes`, of any kind, can hold a card number at all. One pass and no allocation: nearly every request ends here.
pub(super) fn may_be_in(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for byte in bytes {
        match byte {
            b'0'..=b'9' => digits += 1,
            b' ' | b'-' => {}
            _ => digits = 0,
        }
        if digits >= *DIGITS.start() {
            return true;
        }
    }
    false
}

/// Whether `text` holds a card number.
pub(super) fn is_in(text: &[u8]) -> bool {
    if !may_be_in(text) {
        return false;
    }
    let text = without_uuids(text);
    let groups = groups(&text);
    groups.iter().enumerate().any(|(first, group)| is_card(&text, group) || is_grouped_card(&text, &groups[first..]))
}

/// Digits that stand together.
struct Group {
    start: usize,
    end: usize,
    /// Whether only a few blanks or dashes are between it and the group before.
    continues: bool,
}

impl Group {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

fn groups(text: &[u8]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let len = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len > 0 {
            let gap = groups.last().map(|before| &text[before.end..at]);
            let continues =
                gap.is_some_and(|gap| gap.len() <= MAX_GAP && gap.iter().all(|byte| matches!(byte, b' ' | b'-')));
            groups.push(Group { start: at, end: at + len, continues });
        }
        at += len.max(1);
    }
    groups
}

fn is_card(text: &[u8], group: &Group) -> bool {
    let digits = &text[group.start..group.end];
    let is_phone = follows_plus(text, group) && digits.len() <= MAX_PHONE_DIGITS;
    let is_time = digits.len() == 13 && digits[0] == b'1';
    DIGITS.contains(&digits.len()) && digits[0] != b'0' && !is_phone && !is_time && passes_luhn(digits.iter())
}

/// Whether the first few of `groups` make a card number together.
fn is_grouped_card(text: &[u8], groups: &[Group]) -> bool {
    let Some(first) = groups.first() else { return false };
    if text[first.start] == b'0' || follows_plus(text, first) {
        return false;
    }
    let mut digits = Vec::with_capacity(*DIGITS.end());
    for (n, group) in groups.iter().enumerate() {
        if !GROUP.contains(&group.len()) || n > 0 && !group.continues || digits.len() + group.len() > *DIGITS.end() {
            return false;
        }
        digits.extend_from_slice(&text[group.start..group.end]);
        if DIGITS.contains(&digits.len()) && passes_luhn(digits.iter()) {
            return true;
        }
    }
    false
}

fn follows_plus(text: &[u8], group: &Group) -> bool {
    group.start.checked_sub(1).is_some_and(|before| text[before] == b'+')
}

fn passes_luhn<'a>(digits: impl DoubleEndedIterator<Item = &'a u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let value = u32::from(digit - b'0') << (n % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The text with its UUIDs crossed out, in their long form and as 32 digits without dashes.
fn without_uuids(text: &[u8]) -> Vec<u8> {
    const LONG: usize = uuid::fmt::Hyphenated::LENGTH;
    const SHORT: usize = uuid::fmt::Simple::LENGTH;
    let mut text = text.to_vec();
    for run in text.split_mut(|byte| !byte.is_ascii_hexdigit() && *byte != b'-') {
        let mut at = 0;
        while at + LONG <= run.len() {
            let found = Uuid::try_parse_ascii(&run[at..at + LONG]).is_ok();
            if found {
                run[at..at + LONG].fill(b'x');
            }
            at += if found { LONG } else { 1 };
        }
        for part in run.split_mut(|byte| *byte == b'-').filter(|part| part.len() == SHORT) {
            part.fill(b'x');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4111111111111111",
            "5555555555554444",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "4222222222222",
            "6304000000000000000",
            "4111 1111 1111 1111",
            "4000-0566-5566-5556",
            "3782 822463 10005",
            "4111  1111 -1111 - 1111",
            "please charge 4111111111111111, thanks",
            "card4111111111111111x",
            "room 12 4111111111111111",
            "12-4111 1111 1111 1111",
            "4111111111111111 12/27 123",
            "1234567812345670",
            "+4111111111111111",
        ] {
            assert!(is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_card_number_is_let_pass() {
        for text in [
            "",
            "4111111111111112",
            "411111111111111",
            "41111111111111111111",
            "+4111111111111",
            "+82 10-1234-5678",
            "4111    1111    1111    1111",
            "0000000000000000",
            "1700000000005",
            "2027-05-01 2027-05-03",
            "2027-05-01 - 2027-05-03",
            "rooms/aaaa4111-1111-7111-8113-aaaaaaaaaaaa",
            "x-aaaa4111-1111-7111-8113-aaaaaaaaaaaa-y",
            "4111111111111111abcdefabcdefabcd",
            "tok_visa_4242",
            "010-1234-5678",
        ] {
            assert!(!is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_first_look_lets_nothing_slip() {
        for text in ["4111111111111111", "4111  1111 -1111 1111", "\x0a\x104111111111111111\x12"] {
            assert!(may_be_in(text.as_bytes()));
        }
        assert!(!may_be_in(b"rooms/0198c0de-beef-7abc-8def-abcdef012345"));
    }
}
