//! Reduces a text of any script to the ASCII form in which card numbers are searched.

use crate::unicode::{decimal_digit, is_unseen, nfkc};

use icu_properties::{CodePointMapData, props::GeneralCategory as Category};

/// Replaces any letter, and any other character that ends a number.
const OTHER: u8 = b'x';
/// Replaces a separator outside ASCII.
const SEPARATOR: u8 = b'.';

/// Whether a byte of a [sketch](of) may separate two groups of digits.
pub(super) const fn is_gap(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'+'
}

/// Digits of every script become ASCII digits, and every separator one byte: a dash is `-`, a blank ` `, the end of a line `\n`.
/// Invisible characters and combining marks are left out.
pub(super) fn of(text: &str) -> Vec<u8> {
    let text = nfkc(text);
    let categories = CodePointMapData::<Category>::new();
    let mut sketch = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let byte = match letter {
            '\n' if sketch.last() == Some(&b'\r') => {
                sketch.pop();
                b'\n'
            }
            // The minus sign, and the long vowel that a Japanese keyboard gives for a dash.
            '\u{2212}' | 'ー' => b'-',
            '%' | '@' | '&' | '$' => OTHER,
            _ if letter.is_ascii() => letter as u8,
            _ if is_unseen(letter) => continue,
            _ => match categories.get(letter) {
                Category::DecimalNumber => decimal_digit(letter).map_or(OTHER, |digit| b'0' + digit),
                Category::SpaceSeparator => b' ',
                Category::LineSeparator | Category::ParagraphSeparator => b'\n',
                Category::DashPunctuation => b'-',
                Category::NonspacingMark | Category::EnclosingMark => continue,
                Category::Control
                | Category::ConnectorPunctuation
                | Category::OpenPunctuation
                | Category::ClosePunctuation
                | Category::InitialPunctuation
                | Category::FinalPunctuation
                | Category::OtherPunctuation => SEPARATOR,
                _ => OTHER,
            },
        };
        sketch.push(byte);
    }
    sketch
}

/// Whether `bytes`, of any kind, can hold a card number at all. One pass and no allocation: nearly every request ends here.
///
/// It reads bytes and not characters, because a whole message is not UTF-8. It may find too much and never too little: a number ends at
/// an ASCII letter, and at the first byte of a Chinese, Japanese or Korean letter, so that texts in these languages do not trigger the
/// full search. Any other character may be up to three digits (`⅒`).
///
/// A date in its own field, with its length of ten bytes before it, is skipped, because most requests for a stay have two of them. A
/// number may still end with its year, or begin with its month.
pub fn may_be_in(bytes: &[u8]) -> bool {
    let (mut digits, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let mut after = None;
        match byte {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'z' | b'A'..=b'Z' => digits = 0,
            b'\n' if is_date(&rest[1..]) => {
                digits += YEAR;
                after = Some(MONTH_AND_DAY);
                at += DATE;
            }
            0xc0.. if begins_a_letter(rest) => digits = 0,
            0xc0.. => digits += 3,
            _ => {}
        }
        if digits >= *super::DIGITS.start() {
            return true;
        }
        digits = after.unwrap_or(digits);
        at += 1;
    }
    false
}

/// The bytes of a date as `2027-05-01`, and its digits.
const DATE: usize = 10;
const YEAR: usize = 4;
const MONTH_AND_DAY: usize = 4;

fn is_date(bytes: &[u8]) -> bool {
    let is_digits = |at: std::ops::Range<usize>| bytes[at].iter().all(u8::is_ascii_digit);
    bytes.len() >= DATE
        && (bytes[4], bytes[7]) == (b'-', b'-')
        && is_digits(0..4)
        && is_digits(5..7)
        && is_digits(8..DATE)
}

/// Whether bytes begin with a letter of the three alphabets that [`may_be_in`] knows: Kana, Han or Hangul.
fn begins_a_letter(bytes: &[u8]) -> bool {
    let kana = |second, third| match second {
        0x81 => third > 0x80,
        0x82 => !(0x97..=0xa0).contains(&third),
        0x83 => third < 0xbb,
        _ => false,
    };
    match *bytes {
        [0xe3, second, third, ..] => kana(second, third),
        [0xea, second, ..] => second >= 0xb0,
        [lead, ..] => matches!(lead, 0xe4..=0xe9 | 0xeb..=0xed),
        [] => false,
    }
}
