//! Finding card numbers in text.
//!
//! A card number is 13 to 19 digits of which the last is the Luhn check digit of the others. One number in ten passes that check by
//! chance, so a number must also look like a card number; otherwise people could not write prices, dates and telephone numbers:
//! - a UUID is an id, however many digits it has;
//! - a number after `+` is a phone number, up to the fifteen digits that one may have;
//! - cards begin with 3 to 6, with 2221 to 2720 or with 2200 to 2204; so milliseconds since 1970, which are often used as an id, are
//!   not cards;
//! - the digits are together, or in groups as they are printed on cards and as people and programs split them: four, two or one at a
//!   time, and the rest at the end. So thousands, dates, times and most phone numbers in a row are not cards.
//!
//! Digits of any script count, wide, round or raised ones included. Between two groups there may be up to three characters that are
//! neither letters nor digits nor currency signs; invisible characters are ignored.

mod sketch;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use uuid::Uuid;

pub use sketch::may_be_in;

const DIGITS: RangeInclusive<usize> = 13..=19;
/// The groups that are printed on cards or typed, besides even ones; also if a date follows directly.
const LAYOUTS: [&[usize]; 9] = [
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 5],
    &[4, 3, 3, 3],
    &[4, 4, 4, 3],
    &[4, 4, 4, 2],
    &[4, 4, 4, 1],
    &[4, 4, 4, 4, 3],
    &[6, 10],
];
const MAX_GAP: usize = 3;
const MAX_PHONE_DIGITS: usize = 15;
/// A text of shorter numbers is not taken for two numbers.
const MIN_PHONE_DIGITS: usize = 7;

/// Whether `text` holds a card number.
pub fn is_in(text: &str) -> bool {
    may_be_in(text.as_bytes()) && is_in_sketch(&sketch::of(text), DIGITS)
}

/// Whether `text`, one telephone number or several, holds a number that is too long for a telephone and so can only be a card's.
pub fn is_in_phones(text: &str) -> bool {
    if !may_be_in(text.as_bytes()) {
        return false;
    }
    let sketch = sketch::of(text);
    let too_long = MAX_PHONE_DIGITS + 1..=*DIGITS.end();
    let between_two = |byte: &u8| matches!(byte, b'/' | b',' | b';' | b'|' | b'\n');
    let is_phone = |part: &[u8]| part.iter().filter(|byte| byte.is_ascii_digit()).count() >= MIN_PHONE_DIGITS;
    if sketch.split(between_two).all(is_phone) {
        return sketch.split(between_two).any(|part| is_in_sketch(part, too_long.clone()));
    }
    is_in_sketch(&sketch, too_long)
}

/// Only numbers with a length in `lengths` count.
fn is_in_sketch(sketch: &[u8], lengths: RangeInclusive<usize>) -> bool {
    let text = without_uuids(sketch);
    let groups = groups(&text);
    let search = Search { text: &text, lengths };
    groups.iter().enumerate().any(|(first, group)| search.is_card(group) || search.is_grouped_card(&groups[first..]))
}

/// Adjacent digits.
struct Group {
    start: usize,
    end: usize,
    /// Whether no more than a separator is between it and the group before.
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
            let continues = gap.is_some_and(|gap| gap.len() <= MAX_GAP && gap.iter().copied().all(sketch::is_gap));
            groups.push(Group { start: at, end: at + len, continues });
        }
        at += len.max(1);
    }
    groups
}

struct Search<'a> {
    text: &'a [u8],
    lengths: RangeInclusive<usize>,
}

impl Search<'_> {
    fn is_card(&self, group: &Group) -> bool {
        self.is_number(&self.text[group.start..group.end], self.follows_plus(group))
    }

    /// Whether the first few of `groups` make a card number together.
    fn is_grouped_card(&self, groups: &[Group]) -> bool {
        let Some(first) = groups.first() else { return false };
        let mut digits = self.text[first.start..first.end].to_vec();
        let (is_phone, mut separator, mut uniform) = (self.follows_plus(first), None, true);
        let mut layouts: Vec<&[usize]> = LAYOUTS.into_iter().filter(|layout| layout[0] == first.len()).collect();
        for (at, group) in groups.iter().enumerate().skip(1) {
            if !group.continues || digits.len() + group.len() > *DIGITS.end() {
                return false;
            }
            let gap = &self.text[groups[at - 1].end..group.start];
            uniform &= gap.iter().all(|byte| *byte == *separator.get_or_insert(*byte));
            let is_rest = uniform && group.len() < first.len() && groups.get(at + 1).is_none_or(|next| !next.continues);
            let is_even = digits.len() == first.len() * at
                && match first.len() {
                    1 => group.len() == 1,
                    2 => uniform && group.len() == 2 || is_rest,
                    4 => group.len() == 4 || is_rest,
                    _ => false,
                };
            layouts.retain(|layout| uniform && layout.get(at) == Some(&group.len()));
            if !is_even && layouts.is_empty() {
                return false;
            }
            digits.extend_from_slice(&self.text[group.start..group.end]);
            let is_whole = is_even || layouts.iter().any(|layout| layout.len() == at + 1);
            if is_whole && self.is_number(&digits, is_phone) {
                return true;
            }
        }
        false
    }

    /// Whether these digits, put together, are a card's.
    fn is_number(&self, digits: &[u8], follows_plus: bool) -> bool {
        let is_phone = follows_plus && digits.len() <= MAX_PHONE_DIGITS;
        !is_phone && self.lengths.contains(&digits.len()) && is_issued(digits) && passes_luhn(digits.iter())
    }

    fn follows_plus(&self, group: &Group) -> bool {
        group.start.checked_sub(1).is_some_and(|before| self.text[before] == b'+')
    }
}

/// Whether cards with this prefix are issued: ISO/IEC 7812 assigns 3 to 6 to travel and banking, and two ranges below are in use.
fn is_issued(digits: &[u8]) -> bool {
    match digits {
        [b'3'..=b'6', ..] => true,
        [b'2', rest @ ..] => rest.get(..3).is_some_and(|next| {
            (b"221".as_slice()..=b"720").contains(&next) || (b"200".as_slice()..=b"204").contains(&next)
        }),
        _ => false,
    }
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

/// The text with its UUIDs masked, both with dashes and as 32 digits without.
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
