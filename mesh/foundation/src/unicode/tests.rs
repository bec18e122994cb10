use icu_normalizer::DecomposingNormalizer;
use proptest::prelude::*;

use super::*;

fn decomposed(text: &str) -> String {
    DecomposingNormalizer::new_nfd().normalize(text).into_owned()
}

#[test]
fn names_of_one_place_fold_to_one_text() {
    for names in [
        ["istanbul", "İstanbul", "ISTANBUL", "ıstanbul"],
        ["GIESSEN", "Gießen", "gießen", "GIEẞEN"],
        ["제주", "제주", &decomposed("제주"), "\u{110c}\u{1166}\u{110c}\u{116e}"],
        ["Αθήνας", "ΑΘΉΝΑΣ", "αθήνασ", &decomposed("αθήνας")],
        ["Ｊｅｊｕ", "Jeju", "JEJU", "je\u{200b}ju"],
        ["ガーデン", "ｶﾞｰﾃﾞﾝ", &decomposed("ガーデン"), "ガーデン"],
        ["Ååre", "åÅRE", &decomposed("Ååre"), "A\u{30a}a\u{30a}re"],
    ] {
        let folded = names.map(folded);
        assert!(folded.iter().all(|name| *name == folded[0]), "{names:?}: {folded:?}");
    }
    assert!(folded("Hotel İstanbul").contains(&folded("istanbul")));
    assert!(folded("Hotel Istanbul").contains(&folded("İSTANBUL")));
    assert_ne!(folded("Zürich"), folded("Zurich"), "an accent is part of a name");
    assert_ne!(folded("Ağrı"), folded("Agra"));
}

#[test]
fn numbers_that_look_alike_have_one_spelling() {
    for number in
        ["204", "204\u{200b}", "２０４", "\u{feff}204", "2\u{2060}04", "204\u{3164}", "²04", "204\u{2800}", "\u{a0}204"]
    {
        assert_eq!(canonical(number), "204", "{number:?}");
    }
    assert_eq!(canonical("Café"), canonical(&decomposed("Café")));
    assert_ne!(canonical("204a"), canonical("204A"));
    assert_eq!(canonical("\u{200b}"), "");
}

#[test]
fn a_run_of_blanks_counts_as_one() {
    for text in ["Sea  view", "Sea\tview", " Sea \u{a0} view ", "Sea\u{3000}\u{2009}view", "Sea \u{200b} view"] {
        assert_eq!(canonical(text), "Sea view", "{text:?}");
        assert_eq!(folded(text), "sea view", "{text:?}");
    }
    assert_ne!(canonical("Sea view"), canonical("Seaview"));
}

#[test]
fn what_cannot_be_seen_is_no_text() {
    for text in [
        "",
        " ",
        "\u{3164}",
        "\u{200b}",
        "\u{115f}\u{1160}",
        "\u{ffa0}",
        "\u{2800}",
        "\u{ad}",
        "\u{fe0f}",
        "\u{301}",
        "\n\t",
        "\u{e0041}",
    ] {
        assert!(is_blank(text), "{text:?}");
    }
    for text in ["x", "한", "🏝", "-", "٢", "\u{200b}x"] {
        assert!(!is_blank(text), "{text:?}");
    }
}

#[test]
fn a_text_that_nobody_can_see_or_that_turns_what_follows_is_at_fault() {
    for (text, what) in [
        ("\u{3164}", "seen"),
        ("\u{200b}", "seen"),
        (" \u{2800} ", "seen"),
        ("Sea view\u{202e} gnp", "U+202E"),
        ("\u{202e}abc\u{202c}", "U+202E"),
        ("\u{202d}abc\u{202c}", "U+202D"),
        ("Sea \u{202a}view", "U+202A"),
        ("Sea \u{202b}view", "U+202B"),
        ("Sea \u{2066}view", "U+2066"),
        ("Sea \u{2067}view", "U+2067"),
        ("Sea \u{2068}view", "U+2068"),
        ("Sea\u{2069} view", "U+2069"),
        ("Sea\u{202c} view", "U+202C"),
        ("a\u{7}", "control"),
        ("a\u{0}", "control"),
        ("a\u{9b}31m", "control"),
        ("a\u{ffff}", "control"),
    ] {
        for lines in [Lines::One, Lines::Many] {
            let found = flaw(text, lines).unwrap_or_else(|| panic!("{text:?} is taken"));
            assert!(found.contains(what), "{text:?}: {found}");
        }
    }
    for text in ["a\nb", "a\rb", "a\u{2028}b", "a\u{2029}b", "a\u{85}b", "a\u{b}b"] {
        assert_eq!(flaw(text, Lines::One).as_deref(), Some("has more than one line"), "{text:?}");
    }
    assert!(flaw("a\tb", Lines::One).is_some());
    assert_eq!(flaw("a\tb\r\nc\u{2028}d", Lines::Many), None);
    assert!(flaw("\u{2067}a\nb\u{2069}", Lines::Many).is_some(), "a line ends what it opens");
}

#[test]
fn people_can_write_in_their_own_script() {
    for text in [
        "",
        "Sea view 🏝️",
        "👨‍👩‍👧‍👦 Familienzimmer",
        "🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 1️⃣ ✈︎",
        "חדר עם נוף",
        "\u{200f}חדר 12\u{200e}",
        "غرفة بإطلالة",
        "اتاق می\u{200c}خواهم",
        "क्\u{200d}ष और क्\u{200c}ष",
        "ห้อง\u{200b}วิว",
        "제주 바다",
        "Zimmer mit Meer\u{ad}blick",
        "\u{202a}+82 10-1234-5678\u{202c}",
        "\u{202d}+82 10-1234-5678\u{202c}",
        "\u{2068}חדר\u{2069} 12",
        "e\u{301}",
    ] {
        assert_eq!(flaw(text, Lines::One), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn folding_again_changes_nothing(text in "\\PC{0,12}") {
        let once = folded(&text);
        prop_assert_eq!(folded(&once), once);
    }

    #[test]
    fn composed_and_decomposed_fold_alike(text in "\\PC{0,12}") {
        prop_assert_eq!(folded(&decomposed(&text)), folded(&text));
    }

    #[test]
    fn case_folds_away(text in "[\\p{L}&&[\\p{Latin}\\p{Greek}\\p{Cyrillic}\\p{Armenian}\\p{Georgian}]]{0,12}") {
        prop_assert_eq!(folded(&text.to_uppercase()), folded(&text));
        prop_assert_eq!(folded(&text.to_lowercase()), folded(&text));
    }

    #[test]
    fn a_spelling_is_its_own_spelling(text in "\\PC{0,12}") {
        let once = canonical(&text);
        prop_assert_eq!(canonical(&once), once);
    }
}
