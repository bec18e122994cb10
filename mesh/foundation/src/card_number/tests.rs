use proptest::prelude::*;

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
        "3056 9309 0259 04",
        "4222 2222 2222 2",
        "4111  1111 -1111 - 1111",
        "please charge 4111111111111111, thanks",
        "card4111111111111111x",
        "room 12 4111111111111111",
        "12-4111 1111 1111 1111",
        "4111111111111111 12/27 123",
        "4111 1111 1111 1111 123",
        "2223000048400011",
        "2201382000000013",
        "41 11 11 11 11 11 11 11",
        "37 82 82 24 63 10 00 5",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "+4111111111111111",
        "+4111 1111 1111 1111",
        "카드 4111111111111111 입니다",
        "カード4111111111111111",
    ] {
        assert!(is_in(text), "{text}");
    }
}

#[test]
fn a_card_number_is_found_in_the_groups_that_people_type_also_with_a_date_close_behind() {
    // By itself, what is left at the end is taken for the rest of a number; with a date behind it only the groups say so.
    for number in [
        "3782 822463 10005",
        "3056 930902 5904",
        "4222 2222 22222",
        "4222 222 222 222",
        "3782 8224 6310 005",
        "3056 9309 0259 04",
        "4222 2222 2222 2",
        "6304 0000 0000 0001 008",
        "411111 1111111111",
    ] {
        for separator in [" ", "-"] {
            let number = number.replace(' ', separator);
            assert!(is_in(&number), "{number}");
            assert!(is_in(&format!("{number} 12/27")), "{number} 12/27");
        }
    }
}

#[test]
fn whatever_people_put_between_the_groups_a_card_number_is_found() {
    for separator in [
        " ",
        "\n",
        "\r\n",
        "\t",
        ".",
        ",",
        ", ",
        "_",
        "/",
        "\\",
        "|",
        ":",
        ";",
        "·",
        "*",
        "~",
        "'",
        "\u{a0}",
        "\u{2009}",
        "\u{202f}",
        "\u{3000}",
        "\u{2028}",
        "\u{2010}",
        "\u{2011}",
        "\u{2012}",
        "–",
        "—",
        " — ",
        "\u{2015}",
        "\u{2212}",
        "－",
        "ー",
        "〜",
        "・",
        "\u{200b}",
        "\u{200d}",
        "\u{2060}",
        "\u{feff}",
        "\u{ad}",
        " \u{200b} \u{200b} ",
    ] {
        let text = ["4111", "1111", "1111", "1111"].join(separator);
        assert!(is_in(&text), "{text:?}");
        assert!(is_in(&format!("Karte: {text}\nDanke")), "{text:?}");
    }
    let digits: Vec<_> = "4111111111111111".chars().map(String::from).collect();
    for separator in ["\u{200b}", "\u{feff}", " ", "-"] {
        assert!(is_in(&digits.join(separator)), "{separator:?}");
    }
}

#[test]
fn a_card_number_is_found_in_the_digits_of_any_script() {
    let zeros = ['０', '٠', '۰', '०', '০', '๐', '០', '၀', '\u{1d7ce}', '\u{1d7f6}'];
    for zero in zeros {
        for number in ["4111111111111111", "4111 1111 1111 1111"] {
            let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(u32::from(zero) + digit)).unwrap_or(c);
            let text: String = number.chars().map(digit).collect();
            assert!(is_in(&text), "{text}");
        }
    }
    assert!(is_in("④①①① ①①①① ①①①① ①①①①"));
    assert!(is_in("⁴¹¹¹ ¹¹¹¹ ¹¹¹¹ ¹¹¹¹"));
    assert!(is_in("4\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3} 1111 1111 1111"));
    assert!(is_in("４１１１－１１１１－１１１１－１１１１"));
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
        "+55 11 90000-0002",
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
        "30.12 31.12 01.01 02.01 03.01",
        "rooms/aaaa4111-1111-7111-8113-aaaaaaaaaaaa",
        "x-aaaa4111-1111-7111-8113-aaaaaaaaaaaa-y",
        "4111111111111111abcdefabcdefabcd",
        "tok_visa_4242",
        "010-1234-5678",
        "6011 € 1111 € 1111 € 1117 €",
    ] {
        assert!(!is_in(text), "{text}");
    }
}

#[test]
fn a_telephone_number_is_no_card() {
    // All but the last two pass for a card's number, and are refused in a text.
    for phone in [
        "5511900000002",
        "55 11 90000 0002",
        "378282246310005",
        "4222222222222 / 4222222222222",
        "010-1234-5678",
        "٠٥٠ ١٢٣ ٤٥٦٧",
    ] {
        assert!(!is_in_phones(phone), "{phone}");
    }
    assert!(!is_in_phones("4111 1111 / 1111 1111"), "two telephone numbers of Singapore");
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "+4111-1111-1111-1111",
        "4111/1111/1111/1111",
        "４１１１　１１１１　１１１１　１１１１",
    ] {
        assert!(is_in_phones(card), "{card}");
    }
}

#[test]
fn the_first_look_does_not_take_a_request_in_korean_apart() {
    assert!(!may_be_in("제주 바다가 보이는 방, 열두 명까지 묵을 수 있습니다. 海の見える部屋。".as_bytes()));
    assert!(!may_be_in(b"rooms/0198c0de-beef-7abc-8def-abcdef012345"));
    assert!(!may_be_in(b"*\x0a2027-05-012\x0a2027-05-03"), "two dates, as on the wire");
    assert!(may_be_in(b"\x0a\x104111111111111111\x12"));
    assert!(may_be_in(b"*\x0a2027-05-012\x104111111111111111"));
    assert!(may_be_in(b"4111 1111 1111\n1111-05-01"));
}

/// Words, dates, prices, times and telephone numbers as people write them.
fn prose() -> impl Strategy<Value = String> {
    let (year, month, day) = (1900..=2100_u32, 1..=12_u32, 1..=31_u32);
    let date = (year, month, day, 0..6).prop_map(|(year, month, day, way)| match way {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{day:02}.{month:02}.{year}"),
        2 => format!("{month}/{day}/{year}"),
        3 => format!("{year}년 {month}월 {day}일"),
        4 => format!("{year}{month:02}{day:02}"),
        _ => format!("{day:02}.{month:02}."),
    });
    let thousands = |amount: u32, separator: char| {
        let digits = amount.to_string();
        let grouped = digits.char_indices().flat_map(|(at, digit)| {
            let ends = at > 0 && (digits.len() - at).is_multiple_of(3);
            ends.then_some(separator).into_iter().chain([digit])
        });
        grouped.collect::<String>()
    };
    let price = (1_000..9_999_999_u32, 0..100_u32, 0..5).prop_map(move |(amount, cents, way)| match way {
        0 => format!("{}원", thousands(amount, ',')),
        1 => format!("₩{}", thousands(amount, ',')),
        2 => format!("{},{cents:02} €", thousands(amount, '.')),
        3 => thousands(amount, ','),
        _ => format!("${}.{cents:02}", thousands(amount, ',')),
    });
    let time = (0..24_u32, 0..60_u32).prop_map(|(hours, minutes)| format!("{hours}:{minutes:02}"));
    let phone =
        (10_000_000..99_999_999_u32, 2..10_u32, 100..1000_u32, 0..4).prop_map(|(digits, a, b, way)| match way {
            0 => format!("010-{}-{:04}", digits / 10_000, digits % 10_000),
            1 => format!("+82 10 {} {:04}", digits / 10_000, digits % 10_000),
            2 => format!("{a}{:02}-{b}-{:04}", b % 100, digits % 10_000),
            _ => format!("({a}{:02}) {b}-{:04}", b % 100, digits % 10_000),
        });
    let words = prop::sample::select(vec!["arriving", "room", "with", "아침", "ferry", "à", "мы", "部屋", "and"]);
    let piece = prop_oneof![
        date,
        price,
        time,
        phone,
        words.prop_map(str::to_owned),
        (0..1_000_u32).prop_map(|number| format!("room {number}")),
    ];
    let joint = prop::sample::select(vec![" ", ", ", "\n", " - ", "; ", " / ", "\r\n"]);
    prop::collection::vec((piece, joint), 0..12)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, joint)| [piece, joint.to_owned()]).collect())
}

proptest! {
    #[test]
    fn dates_prices_times_and_telephone_numbers_are_no_cards(text in prose()) {
        prop_assert!(!is_in(&text), "{text:?}");
    }

    #[test]
    fn the_first_look_lets_nothing_slip(text in "(\\PC|\n[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9０-９٠-٩⅒㉑ー\u{200b}\n -]){0,40}") {
        if is_in_sketch(&sketch::of(&text), DIGITS) {
            prop_assert!(may_be_in(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn a_card_number_in_any_digits_with_any_separator_passes_the_first_look(
        zero in prop::sample::select(vec!['0', '０', '٠', '०', '\u{1d7ce}']),
        separator in "[ \n\t.,_/\u{a0}\u{2009}\u{2013}\u{200b}ー・]{0,3}",
    ) {
        let group = |digits: &str| digits.chars().filter_map(|c| char::from_u32(u32::from(zero) + c.to_digit(10)?)).collect::<String>();
        let text = ["4111", "1111", "1111", "1111"].map(group).join(&separator);
        prop_assert!(is_in(&text), "{text:?}");
    }
}
