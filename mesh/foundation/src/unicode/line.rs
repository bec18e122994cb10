//! What must not be in a text that others are shown.

use super::is_blank;

/// How many lines a text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// One: a name, a number, a place.
    One,
    /// Several: a note.
    Many,
}

/// What is wrong with a text that is to be shown; nothing if it is empty. What it says follows the field's path.
///
/// Joiners, variation selectors and marks of direction stay possible: emoji, Persian, Hindi and Hebrew are written with them.
pub(crate) fn flaw(text: &str, lines: Lines) -> Option<String> {
    let breaks = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    if lines == Lines::One && text.contains(breaks) {
        return Some("has more than one line".to_owned());
    }
    let control = |c: char| match c {
        '\n' | '\r' => false,
        '\t' => lines == Lines::One,
        c => c.is_control() || is_no_character(c),
    };
    if text.contains(control) {
        return Some("has control characters".to_owned());
    }
    if let Some(turn) = text.split(breaks).find_map(open_turn) {
        return Some(format!(
            "has U+{:04X}, which changes the direction of what is written around it",
            u32::from(turn)
        ));
    }
    (!text.is_empty() && is_blank(text)).then(|| "has nothing in it that can be seen".to_owned())
}

const LEFT_TO_RIGHT_OVERRIDE: char = '\u{202d}';
const RIGHT_TO_LEFT_OVERRIDE: char = '\u{202e}';

/// The character by which letters are shown in another order than they have, or by which the direction of writing leaves this line
/// other than it came in: an embedding or isolate that is not closed, or is closed and was never opened. Whatever is shown behind the
/// text would be turned as well. What is opened and closed may stay, and the override to the right around anything but letters:
/// telephones put both around the numbers that people copy.
fn open_turn(line: &str) -> Option<char> {
    let mut open = Vec::new();
    for letter in line.chars() {
        match letter {
            RIGHT_TO_LEFT_OVERRIDE => return Some(letter),
            '\u{202a}' | '\u{202b}' | LEFT_TO_RIGHT_OVERRIDE | '\u{2066}'..='\u{2068}' => open.push(letter),
            '\u{202c}' if !matches!(open.pop(), Some('\u{202a}' | '\u{202b}' | LEFT_TO_RIGHT_OVERRIDE)) => {
                return Some(letter);
            }
            '\u{2069}' if !matches!(open.pop(), Some('\u{2066}'..='\u{2068}')) => return Some(letter),
            _ if letter.is_alphabetic() && open.contains(&LEFT_TO_RIGHT_OVERRIDE) => {
                return Some(LEFT_TO_RIGHT_OVERRIDE);
            }
            _ => {}
        }
    }
    open.pop()
}

/// Whether Unicode has set this code point aside for good, so that it is no character.
fn is_no_character(c: char) -> bool {
    matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe
}
