//! What Unicode says of a text: how it is compared, and what of it a person sees.
//!
//! The tables are those of ICU4X. Whatever is kept beside a text because of them may be kept for ever: Unicode promises that neither the
//! normal form nor the case folding of a text whose characters it knows will change.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory as Category},
};

mod line;
#[cfg(test)]
mod tests;

pub use line::Lines;
pub(crate) use line::flaw;

/// The beginning of a text, at most that many characters: a stranger's words, as long as a column has room for.
pub fn clipped(text: &str, max_chars: u32) -> String {
    text.chars().take(max_chars as usize).collect()
}

/// The text as a search compares it: two texts that differ in nothing but case, width, ligatures, how accents are put together, or
/// what cannot be seen, fold to the same one.
///
/// Case folding is the full one of Unicode (`ß` is `ss`), and the dot on an `i` does not count, so that a search for `istanbul` finds
/// `İstanbul`, a search for `ISPARTA` finds `ısparta`, and the other way round.
pub fn folded(text: &str) -> String {
    const DOT_ABOVE: char = '\u{307}';
    let decompose = DecomposingNormalizer::new_nfkd();
    let fold = |text: &str| CaseMapper::new().fold_string(&decompose.normalize(text)).into_owned();
    let seen: String =
        text.chars().filter(|letter| !is_unseen(*letter)).map(|c| if c == 'ı' { 'i' } else { c }).collect();
    // Twice: what compatibility takes apart may have case again, and what is folded may come apart again.
    let folded = fold(&fold(&seen));
    let folded = decompose.normalize(&folded);
    let mut dotless = String::with_capacity(folded.len());
    let mut base = ' ';
    for letter in folded.chars() {
        if !is_mark(letter) {
            base = letter;
        }
        if !(letter == DOT_ABOVE && matches!(base, 'i' | 'j')) {
            dotless.push(letter);
        }
    }
    words(&nfkc(&dotless))
}

/// The one spelling of an identifier that people read: two that look alike because of width, ligatures, how accents are put together,
/// blanks or what cannot be seen have the same one. Case counts.
pub fn canonical(text: &str) -> String {
    let seen: String = nfkc(text).chars().filter(|letter| !is_unseen(*letter)).collect();
    words(&nfkc(&seen))
}

/// With one blank between words, as people see it wherever blanks are folded.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether there is nothing in a text that a person could see.
pub fn is_blank(text: &str) -> bool {
    !text.chars().any(is_seen)
}

pub(crate) fn nfkc(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfkc().normalize(text)
}

/// Whether a character has neither shape nor width, or is a blank that does not say so.
pub(crate) fn is_unseen(letter: char) -> bool {
    // Braille's blank, notes and hieroglyphs without a shape; marks of annotations.
    const BLANKS: [char; 7] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}', '\u{fff9}', '\u{fffa}', '\u{fffb}'];
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter) || BLANKS.contains(&letter)
}

/// Whether a character can be seen by itself.
fn is_seen(letter: char) -> bool {
    !letter.is_control() && !letter.is_whitespace() && !is_unseen(letter) && !is_mark(letter)
}

/// Whether a character is written onto the one before it.
fn is_mark(letter: char) -> bool {
    matches!(
        CodePointMapData::<Category>::new().get(letter),
        Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark
    )
}

/// The value of a decimal digit of any script. Those of one script stand in a row, from zero to nine.
pub(crate) fn decimal_digit(letter: char) -> Option<u8> {
    let categories = CodePointMapData::<Category>::new();
    let is_digit = |code: u32| categories.get32(code) == Category::DecimalNumber;
    let code = u32::from(letter);
    is_digit(code).then(|| {
        let before = (0..code).rev().take_while(|code| is_digit(*code)).count();
        u8::try_from(before % 10).unwrap_or_default()
    })
}
