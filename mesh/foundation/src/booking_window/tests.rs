use jiff::civil::{date, time};
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    crate::clock::zone(name).expect("a zone")
}

fn at(now: &str, zone_name: &str, check_out: Time) -> BookingWindow {
    BookingWindow::at(now.parse().expect("an instant"), &zone(zone_name), check_out)
}

const ELEVEN: Time = time(11, 0, 0, 0);

#[test]
fn last_night_can_be_booked_until_check_out_time_to_the_microsecond() {
    for (now, first) in [
        // Half past midnight in Seoul, and the last moment before eleven.
        ("2027-05-01T15:30:00Z", date(2027, 5, 1)),
        ("2027-05-02T01:59:59.999999Z", date(2027, 5, 1)),
        ("2027-05-02T02:00:00Z", date(2027, 5, 2)),
        ("2027-05-02T14:59:59Z", date(2027, 5, 2)),
    ] {
        let window = at(now, "Asia/Seoul", ELEVEN);
        assert_eq!(window.first(), first, "{now}");
        assert_eq!(window.check(first), Ok(()));
        let before = first.yesterday().expect("a date");
        assert_eq!(window.check(before), Err(OutsideWindow::Past { first }), "{now}");
    }
}

#[test]
fn every_zone_has_a_last_night_of_its_own() {
    let now = "2027-05-01T10:30:00Z";
    for (zone, first) in [
        // 00:30 of the second there, 06:30 and 23:30 of the first, and 22:30 of the day before.
        ("Pacific/Kiritimati", date(2027, 5, 1)),
        ("America/New_York", date(2027, 4, 30)),
        ("Pacific/Auckland", date(2027, 5, 1)),
        ("Etc/GMT+12", date(2027, 4, 30)),
    ] {
        let window = at(now, zone, ELEVEN);
        assert_eq!(window.first(), first, "{zone}");
        assert_eq!(window.check(first), Ok(()));
    }
}

#[test]
fn a_stay_begins_no_more_days_ahead_than_are_sold() {
    let window = at("2027-05-01T00:00:00Z", "Asia/Seoul", ELEVEN);
    let last = date(2027, 5, 1).saturating_add(Span::new().days(1_830));
    assert_eq!(window.check(last), Ok(()));
    assert_eq!(window.check(last.tomorrow().expect("a date")), Err(OutsideWindow::TooFarAhead { last }));
    assert!(window.has_night(last.saturating_add(Span::new().days(89))), "the last night of the last stay");
    assert!(!window.has_night(last.saturating_add(Span::new().days(90))));
}

/// The clocks skip 02:00 to 03:00 in Berlin on 28 March 2027, and show 02:00 to 03:00 twice on 31 October.
#[test]
fn a_check_out_time_that_the_clocks_skip_or_repeat_ends_the_night_once() {
    let half_past_two = time(2, 30, 0, 0);
    for (now, first) in [
        ("2027-03-28T00:59:59Z", date(2027, 3, 27)),
        // 03:00 by the clock: the skipped 02:30 is 03:30.
        ("2027-03-28T01:00:00Z", date(2027, 3, 27)),
        ("2027-03-28T01:30:00Z", date(2027, 3, 28)),
        // The first 02:30 ends the night, and the clock that goes back does not bring it back.
        ("2027-10-31T00:29:59Z", date(2027, 10, 30)),
        ("2027-10-31T00:30:00Z", date(2027, 10, 31)),
        ("2027-10-31T01:15:00Z", date(2027, 10, 31)),
    ] {
        assert_eq!(at(now, "Europe/Berlin", half_past_two).first(), first, "{now}");
    }
}

#[test]
fn a_house_that_is_left_at_midnight_sells_no_night_that_began_yesterday() {
    assert_eq!(at("2027-05-01T15:00:00Z", "Asia/Seoul", Time::midnight()).first(), date(2027, 5, 2));
    // The clocks of Beirut skip the first hour of 28 March 2027.
    assert_eq!(at("2027-03-27T22:00:00Z", "Asia/Beirut", Time::midnight()).first(), date(2027, 3, 28));
}

proptest! {
    #[test]
    fn what_can_be_booked_somewhere_is_within_what_can_be_booked_anywhere(
        seconds in 1_700_000_000_i64..2_000_000_000,
        zone_name in prop::sample::select(vec![
            "Pacific/Kiritimati", "Pacific/Chatham", "Asia/Seoul", "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns",
            "America/New_York", "Pacific/Pago_Pago", "Etc/GMT+12",
        ]),
        hour in 0_i8..24,
        minute in 0_i8..60,
    ) {
        let now = Timestamp::from_second(seconds).expect("an instant");
        let check_out = time(hour, minute, 0, 0);
        let (window, anywhere) = (BookingWindow::at(now, &zone(zone_name), check_out), BookingWindow::anywhere(now));
        prop_assert!(anywhere.first <= window.first && window.last <= anywhere.last);
        // The first night is not over, and the one before it is.
        let ends = |night: Date| clock::instant_of(night.tomorrow().expect("a date"), check_out, &zone(zone_name));
        prop_assert!(now < ends(window.first));
        prop_assert!(now >= ends(window.first.yesterday().expect("a date")));
    }
}
