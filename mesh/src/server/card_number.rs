//! Finding card numbers in text.
//!
//! A card number is 13 to 19 digits whose last one is the Luhn check digit of the others. One number in ten passes that check by
//! chance, so what is found has to look like a card number as well, or people could not be given phone numbers and request ids:
//! - what parses as a UUID is an id, however many digits it has;
//! - a number after `+` is a phone number, up to the fifteen digits that one may have;
//! - cards begin with 3 to 6, with 2221 to 2720 or with 2200 to 2204; so milliseconds since 1970, which many take for an id, are
//!   none;
//! - the digits stand together, or in groups with blanks, dashes, points or the like between, up to three of them: groups of three
//!   to six, as on a card, or of one and two all along. So two dates in a row are no card.

use uuid::Uuid;

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// A number's groups are all of the one kind or all of the other.
const GROUPS: [std::ops::RangeInclusive<usize>; 2] = [3..=6, 1..=2];
const MAX_GAP: usize = 3;
const MAX_PHONE_DIGITS: usize = 15;

/// What may stand between two groups; of a no-break space, in UTF-8, either byte.
const fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'_' | b'/' | b'\t' | LEAD | 0xa0)
}

/// The first byte of a no-break space, which counts as one with the second.
const LEAD: u8 = 0xc2;

/// Whether `bytes`, of any kind, can hold a card number at all. One pass and no allocation: nearly every request ends here.
pub(super) fn may_be_in(bytes: &[u8]) -> bool {
    let mut digits = 0;
    for byte in bytes {
        match byte {
            b'0'..=b'9' => digits += 1,
            gap if is_gap(*gap) => {}
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
    /// Whether only a few blanks or the like are between it and the group before.
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
            let continues = gap.is_some_and(|gap| gap.iter().all(|byte| is_gap(*byte)) && count(gap) <= MAX_GAP);
            groups.push(Group { start: at, end: at + len, continues });
        }
        at += len.max(1);
    }
    groups
}

fn count(gap: &[u8]) -> usize {
    gap.iter().filter(|byte| **byte != LEAD).count()
}

fn is_card(text: &[u8], group: &Group) -> bool {
    let digits = &text[group.start..group.end];
    let is_phone = follows_plus(text, group) && digits.len() <= MAX_PHONE_DIGITS;
    !is_phone && is_number(digits)
}

/// Whether the first few of `groups` make a card number together.
fn is_grouped_card(text: &[u8], groups: &[Group]) -> bool {
    let Some(first) = groups.first() else { return false };
    let Some(kind) = GROUPS.iter().find(|kind| kind.contains(&first.len())) else { return false };
    if follows_plus(text, first) {
        return false;
    }
    let mut digits = Vec::with_capacity(*DIGITS.end());
    for (n, group) in groups.iter().enumerate() {
        if !kind.contains(&group.len()) || n > 0 && !group.continues || digits.len() + group.len() > *DIGITS.end() {
            return false;
        }
        digits.extend_from_slice(&text[group.start..group.end]);
        if is_number(&digits) {
            return true;
        }
    }
    false
}

/// Whether these digits, put together, are a card's.
fn is_number(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len()) && is_issued(digits) && passes_luhn(digits.iter())
}

/// Whether cards whose numbers begin so are issued: ISO/IEC 7812 gives 3 to 6 to travel and banking, and two ranges below them are in
/// use.
fn is_issued(digits: &[u8]) -> bool {
    match digits {
        [b'3'..=b'6', ..] => true,
        [b'2', rest @ ..] => rest.get(..3).is_some_and(|next| {
            (b"221".as_slice()..=b"720").contains(&next) || (b"200".as_slice()..=b"204").contains(&next)
        }),
        _ => false,
    }
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
            "2223000048400011",
            "2201382000000013",
            "4111.1111.1111.1111",
            "4111_1111_1111_1111",
            "4111/1111/1111/1111",
            "4111\t1111\t1111\t1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111 \u{a0} 1111 \u{a0} 1111 1111",
            "41 11 11 11 11 11 11 11",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
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
            "1234567812345670",
            "7000000000000005",
            "9999999999999995",
            "2100000000000005",
            "2721000000000004",
            "01.05.2027 - 03.05.2027",
            "2027/05/01 - 2027/05/03",
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
        for text in
            ["4111111111111111", "4111  1111 -1111 1111", "\x0a\x104111111111111111\x12", "4111\u{a0}1111/1111.1111"]
        {
            assert!(may_be_in(text.as_bytes()));
        }
        assert!(!may_be_in(b"rooms/0198c0de-beef-7abc-8def-abcdef012345"));
    }
}
