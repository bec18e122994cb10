//! The bounds of every field of every request, by hand from the comments of the contracts.

use serde_json::{Value, json};

/// A field, what it must not be, and what it may just be.
pub struct Bound {
    /// The RPC by its bare name, or several that take the same field.
    pub rpcs: &'static [&'static str],
    /// The field, by its path from the request's root.
    pub field: &'static str,
    /// Each is refused with this field's path. `null` leaves the field out.
    pub bad: Vec<Value>,
    /// Each is taken.
    pub good: Vec<Value>,
}

const ROOM: &[&str] = &["CreateRoom", "UpdateRoom"];
const STAY: &[&str] = &["QuoteReservation", "CreateReservation"];
const REQUEST_ID: &[&str] = &[
    "CreateRoom",
    "UpdateRoom",
    "DeleteRoom",
    "BlockNights",
    "CreateReservation",
    "PayReservation",
    "CancelReservation",
];
const ROOM_NAME: &[&str] = &["GetRoom", "DeleteRoom", "BlockNights", "GetRoomCalendar"];
const RESERVATION_NAME: &[&str] = &["GetReservation", "PayReservation", "CancelReservation", "WatchReservation"];
const PAYMENT_NAME: &[&str] = &["VoidPayment", "RefundPayment", "GetPayment"];
const BOOKING_NAME: &[&str] = &["GetBooking", "GetTimeline"];
const PAGE_NAME: &[&str] = &["GetMyPage", "WatchMyPage"];
const CHARGE_ID: &[&str] = &["CreateCharge", "GetCharge", "CompleteChargeAction", "RefundCharge", "GetChargeRefund"];
const REFUND_ID: &[&str] = &["RefundCharge", "GetChargeRefund"];

const UUID: &str = "01990000-0000-7000-8000-0000000000aa";

/// Every bound there is.
pub fn bounds() -> Vec<Bound> {
    [common(), room(), nights(), search(), stay(), payment(), provider(), my_page()].into_iter().flatten().collect()
}

fn bound(rpcs: &'static [&'static str], field: &'static str, bad: Value, good: Value) -> Bound {
    let list = |values: Value| serde_json::from_value(values).expect("a list");
    Bound { rpcs, field, bad: list(bad), good: list(good) }
}

/// What is no name in a collection: nothing, a bare id, another collection, another spelling.
fn no_names(collection: &str) -> Value {
    json!([
        null,
        UUID,
        format!("{collection}/"),
        format!("{collection}/1"),
        format!("{collection}/{}", UUID.to_uppercase()),
        format!("{collection}/{}", UUID.replace('-', "")),
        format!("{collection}/{UUID}/"),
        format!("{collection}/{UUID} "),
        format!("/{collection}/{UUID}"),
        format!("others/{UUID}"),
        format!("{collection}/../{collection}/{UUID}"),
        format!("{collection}/{UUID}\u{0}"),
        "x".repeat(10_000),
    ])
}

/// The names that must be there, without the one for nothing.
fn no_optional_names(collection: &str) -> Value {
    let mut names = no_names(collection);
    names.as_array_mut().expect("a list").remove(0);
    names
}

fn no_dates() -> Value {
    json!([
        "2027-02-30",
        null,
        "2027-13-01",
        "2027-00-10",
        "2027-5-1",
        "27-05-01",
        "20270501",
        "01-05-2027",
        "2027/05/01",
        "2027-05-01T00:00:00Z",
        " 2027-05-01",
        "tomorrow",
        "-0001-01-01",
        "２０２７-05-01"
    ])
}

fn no_money(currency: &str) -> Value {
    json!([
        {"currency_code": currency, "units": -1},
        {"currency_code": currency, "units": 1, "nanos": -1},
        {"currency_code": "KRW", "units": 1, "nanos": 500_000_000},
        {"currency_code": "USD", "units": 1, "nanos": 1},
        {"currency_code": "USD", "units": 1, "nanos": 1_000_000_000},
        {"currency_code": "", "units": 1},
        {"currency_code": "krw", "units": 1},
        {"currency_code": "WON", "units": 1},
        {"currency_code": "K\u{0}W", "units": 1},
        {"currency_code": "KWD", "units": i64::MAX},
        {"currency_code": "USD", "units": i64::MIN},
    ])
}

/// The same, and nothing as well.
fn no_price() -> Value {
    let mut money = no_money("KRW");
    money.as_array_mut().expect("a list").extend([json!(null), json!({"currency_code": "KRW"})]);
    money
}

/// What is no currency that people pay in, or none any more.
fn no_prices() -> Value {
    let codes = ["XXX", "XTS", "XAU", "XDR", "CHE", "UYI", "HRK", "BGN", "SLL", "ZWL", "CUC", "ANG", "VEF"];
    json!(codes.map(|code| json!({"currency_code": code, "units": 10})))
}

/// What is too long, or cannot be shown as it is.
fn no_texts(max: usize) -> Value {
    json!([
        "x".repeat(max + 1),
        "한".repeat(max + 1),
        "bell\u{7}",
        "null\u{0}",
        "escape\u{1b}[31m",
        "\u{3164}",
        "\u{200b}",
        "\u{2800} \u{ad}",
        "   ",
        "Sea view\u{202e} gnp",
        "Sea view\u{2067} gnp",
    ])
}

fn no_lines(max: usize) -> Value {
    let mut texts = no_texts(max);
    texts
        .as_array_mut()
        .expect("a list")
        .extend(["a\nb", "a\rb", "a\tb", "a\u{2028}b", "a\u{85}b"].map(|text| json!(text)));
    texts
}

fn no_required_lines(max: usize) -> Value {
    let mut texts = no_lines(max);
    texts.as_array_mut().expect("a list").extend([json!(null), json!("")]);
    texts
}

/// What people write in other scripts than Latin.
fn scripts() -> Value {
    json!([
        "Sea view 🏝️",
        "👨‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "חדר 12",
        "غرفة بإطلالة",
        "اتاق می\u{200c}خواهم",
        "क्\u{200d}ष और क्\u{200c}ष",
        "ห้อง\u{200b}วิว",
    ])
}

fn common() -> Vec<Bound> {
    let long = "x".repeat(65);
    vec![
        bound(REQUEST_ID, "request_id", json!(["two words", long, "a/b", "ä", "a\n", "a\u{0}", "a.b"]), json!([])),
        bound(ROOM_NAME, "name", no_names("rooms"), json!([])),
        bound(RESERVATION_NAME, "name", no_names("reservations"), json!([])),
        bound(PAYMENT_NAME, "name", no_names("payments"), json!([])),
        bound(&["ListRefunds"], "parent", no_names("payments"), json!([])),
        bound(&["UpdateRoom"], "room.name", no_names("rooms"), json!([])),
        bound(&["ListReservations"], "room", no_optional_names("rooms"), json!([null])),
        bound(&["ListLedgerEntries"], "payment", no_optional_names("payments"), json!([null])),
        bound(&["ListPayments"], "case", no_optional_names("reservations"), json!([null])),
        bound(&["ListRooms"], "host", no_users(), json!(["users/me", null])),
    ]
}

fn no_users() -> Value {
    json!([
        "alice",
        "users/",
        "users/a b",
        "users/a/b",
        "Users/me",
        "users/ä",
        format!("users/{}", "x".repeat(65)),
        "me"
    ])
}

fn room() -> Vec<Bound> {
    let words: Vec<String> = (0..51).map(|n| format!("word_{n}")).collect();
    let fifty = words[..50].to_vec();
    let clocks = json!(["24:00", "9:00", "15:60", "15:00:00", "3 pm", "15.00", "٠١:٠٠", "-1:00", "15:00 "]);
    let tier = |hours: i32, percent: i32| json!({"hours_before_start": hours, "refund_percent": percent});
    vec![
        bound(
            ROOM,
            "room.number",
            json!(["x".repeat(17), " 204", "204 ", "2\u{0}4", "\u{200b}", "2\n4", "㎢".repeat(9)]),
            json!(["한".repeat(16)]),
        ),
        bound(ROOM, "room.display_name", no_required_lines(80), json!(["x", "한".repeat(80)])),
        bound(ROOM, "room.display_name", json!(["\u{200d}"]), scripts()),
        bound(ROOM, "room.description", no_texts(2_000), json!(["x".repeat(2_000), "two\nlines"])),
        bound(ROOM, "room.units", json!([0, -1, 10_001, i32::MAX, i32::MIN]), json!([1, 10_000])),
        bound(ROOM, "room.capacity", json!([0, -1, 21, 65_538]), json!([1, 20])),
        bound(ROOM, "room.size_square_meters", json!([0, -1, 10_001, 65_537]), json!([1, 10_000])),
        bound(ROOM, "room.amenities", json!([words]), json!([fifty, ["wifi", "wifi"]])),
        bound(ROOM, "room.amenities[0]", json!(["Wifi", "", "sea view", "x".repeat(33), "wi,fi", "ünï"]), json!(["x"])),
        bound(ROOM, "room.nightly_rate", no_price(), json!([{"currency_code": "KRW", "units": 1_000_000_000_000_i64}])),
        bound(ROOM, "room.nightly_rate", json!([{"currency_code": "KRW", "units": 1_000_000_000_001_i64}]), json!([])),
        bound(ROOM, "room.place", no_lines(120), json!(["x".repeat(120), "㎢".repeat(120)])),
        bound(ROOM, "room.place", json!(["ﷺ".repeat(21)]), scripts()),
        bound(ROOM, "room.nightly_rate", no_prices(), json!([])),
        bound(ROOM, "room.location.latitude", json!([90.001, -91, "NaN", "Infinity"]), json!([90, -90])),
        bound(ROOM, "room.location.longitude", json!([180.001, -181, "NaN", "-Infinity"]), json!([180, -180])),
        bound(
            ROOM,
            "room.time_zone",
            json!([
                "Seoul",
                "Asia/Nowhere",
                "../../etc/passwd",
                "UTC+9",
                "localtime",
                "posixrules",
                "Factory",
                "Etc/Unknown",
                "posix/Asia/Seoul",
                "x".repeat(10_000)
            ]),
            json!(["Asia/Seoul"]),
        ),
        bound(ROOM, "room.check_in_time", clocks.clone(), json!(["00:00", "23:59"])),
        bound(ROOM, "room.check_out_time", clocks, json!(["00:00", "23:59"])),
        bound(
            ROOM,
            "room.cancellation_policy.tiers",
            json!([[], [tier(0, 1), tier(1, 1), tier(2, 1), tier(3, 1), tier(4, 1), tier(5, 1)]]),
            json!([[tier(8_760, 100), tier(0, 0)]]),
        ),
        bound(ROOM, "room.cancellation_policy.tiers[0].hours_before_start", json!([-1, 8_761, 65_536]), json!([8_760])),
        bound(ROOM, "room.cancellation_policy.tiers[0].refund_percent", json!([-1, 101, 356]), json!([0, 100])),
        bound(ROOM, "room.cancellation_policy.tiers[1]", json!([{}]), json!([])),
        bound(ROOM, "room.rating", json!([-0.1, 5.1, "NaN", "Infinity"]), json!([0, 5])),
        bound(&["CreateRoom", "UpdateRoom"], "room", json!([null]), json!([])),
        bound(
            &["UpdateRoom"],
            "update_mask",
            json!([
                "noSuchField",
                "host",
                "state",
                "name",
                "version",
                "etag",
                "room.units",
                "units.x",
                "description,nope"
            ]),
            json!(["*"]),
        ),
        bound(&["DeleteRoom"], "on_reserved", json!([99, -1]), json!([])),
    ]
}

fn nights() -> Vec<Bound> {
    const RPCS: &[&str] = &["BlockNights", "GetRoomCalendar"];
    vec![
        bound(RPCS, "start_date", no_dates(), json!([])),
        bound(RPCS, "end_date", no_dates(), json!([])),
        bound(RPCS, "end_date", json!(["$in", "2000-01-01", "$367"]), json!(["$366", "$1"])),
        bound(&["BlockNights"], "units", json!([0, -1, 10_001, 65_537]), json!([1, 10_000])),
    ]
}

fn search() -> Vec<Bound> {
    const SEARCH: &[&str] = &["SearchRooms"];
    let words: Vec<String> = (0..51).map(|n| format!("word_{n}")).collect();
    vec![
        bound(SEARCH, "check_in_date", no_dates(), json!([])),
        bound(SEARCH, "check_out_date", no_dates(), json!([])),
        bound(SEARCH, "check_out_date", json!(["$in", "2000-01-01", "$91"]), json!(["$90", "$1"])),
        bound(SEARCH, "guests", json!([0, -1, 201, 65_537]), json!([1, 200])),
        bound(SEARCH, "units", json!([0, -1, 11, 65_537]), json!([1, 10])),
        bound(SEARCH, "place", no_lines(120), json!(["x".repeat(120), "%", "_!'\"\\;--"])),
        bound(SEARCH, "near.latitude", json!([90.001, "NaN"]), json!([90])),
        bound(SEARCH, "near.longitude", json!([180.001, "NaN"]), json!([180])),
        bound(SEARCH, "radius_meters", json!([-1, 200_001, i32::MIN]), json!([])),
        bound(SEARCH, "min_rate", no_prices(), json!([])),
        bound(SEARCH, "min_rate", no_money("KRW"), json!([{"currency_code": "KRW"}])),
        bound(SEARCH, "max_rate", no_money("KRW"), json!([{"currency_code": "KRW"}])),
        bound(SEARCH, "amenities", json!([words]), json!([[]])),
        bound(SEARCH, "amenities[0]", json!(["", "Wifi", "wi fi"]), json!(["wifi"])),
        bound(SEARCH, "min_size", json!([-1, 10_001, 65_537]), json!([1, 10_000])),
        bound(SEARCH, "order", json!([99, -1]), json!(["PRICE", "RATING"])),
    ]
}

fn stay() -> Vec<Bound> {
    const CREATE: &[&str] = &["CreateReservation"];
    const METHOD: &[&str] = &["CreateReservation", "PayReservation"];
    let no_tokens = json!([null, "", "  ", "x".repeat(256), "tok\u{0}", "tok\u{1b}"]);
    vec![
        bound(STAY, "reservation", json!([null]), json!([])),
        bound(STAY, "reservation.room", no_names("rooms"), json!([])),
        bound(STAY, "reservation.check_in_date", no_dates(), json!([])),
        bound(STAY, "reservation.check_out_date", no_dates(), json!([])),
        bound(STAY, "reservation.check_out_date", json!(["$in", "2000-01-01", "$91"]), json!(["$1"])),
        bound(STAY, "reservation.units", json!([0, -1, 11, i32::MAX, i32::MIN]), json!([1])),
        bound(STAY, "reservation.guests", json!([0, -1, 3, i32::MAX, i32::MIN]), json!([1, 2])),
        bound(CREATE, "reservation.guest_details.full_name", no_lines(80), json!(["한".repeat(80)])),
        bound(
            CREATE,
            "reservation.guest_details.phone",
            no_lines(32),
            json!(["1-".repeat(2), "\u{202d}+82 10-1234-5678\u{202c}"]),
        ),
        bound(
            CREATE,
            "reservation.guest_details.note",
            no_texts(500),
            json!(["x".repeat(500), "two\nlines\tand a tab"]),
        ),
        bound(METHOD, "payment_method.token", no_tokens, json!([])),
        bound(&["PayReservation"], "payment_method", json!([null]), json!([])),
        bound(CREATE, "expected_total", no_money("KRW"), json!([])),
        bound(&["ListReservations"], "view", json!([99, -1]), json!(["HOST", 0])),
        bound(&["ListReservations"], "states", json!([[99], [0], ["EXPIRED", -1]]), json!([["EXPIRED"], []])),
        bound(&["ListReservations"], "from_date", json!(["2027-02-30", "tomorrow", "2027-5-1"]), json!([null])),
        bound(&["CancelReservation"], "reason", no_texts(200), json!([])),
        bound(&["CancelReservation"], "cause", json!([99, -1, "LISTING_REMOVED", "NO_SHOW"]), json!(["OTHER", 0])),
    ]
}

fn payment() -> Vec<Bound> {
    const CREATE: &[&str] = &["CreatePayment"];
    let no_ids = json!([
        null,
        "",
        "1",
        UUID.to_uppercase(),
        UUID.replace('-', ""),
        format!("payments/{UUID}"),
        "x".repeat(10_000)
    ]);
    let mut no_payers = no_users();
    no_payers.as_array_mut().expect("a list").push(json!(null));
    vec![
        bound(CREATE, "payment_id", no_ids.clone(), json!([])),
        bound(CREATE, "payment.case", no_names("reservations"), json!([])),
        bound(CREATE, "payment.payer", no_payers.clone(), json!([])),
        bound(CREATE, "payment.payee", no_payers, json!([])),
        bound(CREATE, "payment.amount", no_price(), json!([])),
        bound(CREATE, "payment_method.token", json!([null, "", "x".repeat(256), "tok\u{0}"]), json!([])),
        bound(&["VoidPayment"], "case", no_names("reservations"), json!([])),
        bound(&["RefundPayment"], "refund_id", no_ids, json!([])),
        bound(&["RefundPayment"], "amount", no_money("KRW"), json!([])),
        bound(&["RefundPayment"], "amount", json!([{"currency_code": "KRW"}]), json!([])),
        bound(&["ListLedgerEntries"], "account", no_lines(96), json!([format!("payable/users/{}", "x".repeat(64))])),
    ]
}

fn provider() -> Vec<Bound> {
    let no_ids = json!([null, "", "two words", "x".repeat(65), "x".repeat(10_000), "a/b", "a\u{0}", "ä"]);
    vec![
        bound(CHARGE_ID, "charge_id", no_ids.clone(), json!([])),
        bound(REFUND_ID, "refund_id", no_ids, json!([])),
        bound(&["CreateCharge", "RefundCharge"], "amount", no_price(), json!([])),
        bound(
            &["CreateCharge"],
            "token",
            json!([
                null,
                "",
                "x".repeat(256),
                "tok\u{0}",
                "tok_unheard_of",
                "tok_slow_60001",
                "tok_slow_",
                "tok_slow_-1"
            ]),
            json!([]),
        ),
    ]
}

fn my_page() -> Vec<Bound> {
    let no_pages = json!([
        null,
        "users/me",
        "users//myPage",
        "myPage",
        "users/me/mypage",
        "users/a b/myPage",
        "rooms/me/myPage",
        "x".repeat(10_000)
    ]);
    let mut no_parents = no_users();
    no_parents.as_array_mut().expect("a list").push(json!(null));
    let no_bookings = json!([
        null,
        UUID,
        format!("users/me/{UUID}"),
        "users/me/bookings/1",
        format!("users//bookings/{UUID}"),
        format!("users/a b/bookings/{UUID}"),
        format!("users/me/bookings/{}", UUID.to_uppercase()),
        format!("users/{}/bookings/{UUID}", "x".repeat(65)),
        format!("{}/bookings/1", "x".repeat(10_000)),
    ]);
    vec![
        bound(PAGE_NAME, "name", no_pages, json!(["users/me/myPage"])),
        bound(BOOKING_NAME, "name", no_bookings, json!([])),
        bound(&["GetBooking"], "min_version", json!([-1, i64::MIN.to_string()]), json!([0])),
        bound(&["ListBookings"], "parent", no_parents, json!(["users/me"])),
        bound(&["ListBookings"], "role", json!([99, -1]), json!(["HOST", 0])),
        bound(&["ListBookings"], "kinds", json!([[99], [0], ["RESERVATION", 99]]), json!([[]])),
        bound(&["ListBookings"], "phases", json!([[99], [0], ["OPEN", -1]]), json!([[]])),
    ]
}
