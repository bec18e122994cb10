//! A room in a request: what a host may say of it, and within which bounds.

use contracts::{google::r#type::LatLng, room::v1::Room, types::v1::CancellationPolicy};
use jiff::{civil::Time, tz::TimeZone};
use mesh::{clock, error::shown, fields::Fields, money::Money, unicode};
use uuid::Uuid;

use crate::domain::{
    DEFAULT_CAPACITY, DEFAULT_CHECK_IN, DEFAULT_CHECK_OUT, DEFAULT_UNITS, Details, Edit, MAX_AMENITIES,
    MAX_AMENITY_CHARS, MAX_CAPACITY, MAX_DESCRIPTION_CHARS, MAX_DISPLAY_NAME_CHARS, MAX_FOLDED_PLACE_CHARS,
    MAX_HOURS_BEFORE_START, MAX_NUMBER_CHARS, MAX_PLACE_CHARS, MAX_RATE_MINOR, MAX_RATING, MAX_SIZE_SQUARE_METERS,
    MAX_TIERS, MAX_UNITS, Point, Tier, default_policy,
};

/// The fields of a room that a host may change, as an `update_mask` names them.
const EDITABLE: [&str; 15] = [
    "number",
    "display_name",
    "description",
    "units",
    "capacity",
    "size_square_meters",
    "amenities",
    "nightly_rate",
    "place",
    "location",
    "time_zone",
    "check_in_time",
    "check_out_time",
    "cancellation_policy",
    "rating",
];

/// What the host of a new room says of it.
pub fn of_new_room(fields: &mut Fields, room: Option<&Room>, default_zone: &TimeZone) -> Option<Details> {
    let room = fields.required("room", room, "")?;
    let required = ["display_name", "nightly_rate"];
    let said = EDITABLE.into_iter().filter(|path| required.contains(path) || is_set(room, path));
    let edits = edits(fields, room, said);
    let zone = edits.iter().find_map(|edit| if let Edit::TimeZone(zone) = edit { Some(zone) } else { None });
    let rate = edits.iter().find_map(|edit| if let Edit::NightlyRate(rate) = edit { Some(*rate) } else { None })?;
    let mut details = Details::new(room.display_name.clone(), rate, zone.unwrap_or(default_zone).clone());
    edits.into_iter().try_for_each(|edit| details.edit(edit)).ok()?;
    Some(details)
}

/// Which room to change, in what, and the etag that it must have.
pub fn of_update(fields: &mut Fields, room: Option<&Room>, mask: &[String]) -> Option<(Uuid, Vec<Edit>, String)> {
    let room = fields.required("room", room, "")?;
    let id = fields.name("room.name", &room.name, "rooms");
    for path in mask {
        let known = path == "*" || EDITABLE.contains(&path.as_str());
        let what = || format!("names `{}`, which is no field of a room that can be changed", shown(path));
        fields.check(known, "update_mask", what());
    }
    let named = |path: &str| match mask {
        [] => is_set(room, path),
        mask => mask.iter().any(|named| named == path || named == "*"),
    };
    let edits = edits(fields, room, EDITABLE.into_iter().filter(|path| named(path)));
    Some((id?, edits, room.etag.clone()))
}

fn edits(fields: &mut Fields, room: &Room, paths: impl Iterator<Item = &'static str>) -> Vec<Edit> {
    paths.filter_map(|path| edit(fields, room, path)).collect()
}

fn is_set(room: &Room, path: &str) -> bool {
    match path {
        "number" => !room.number.is_empty(),
        "display_name" => !room.display_name.is_empty(),
        "description" => !room.description.is_empty(),
        "units" => room.units.is_some(),
        "capacity" => room.capacity.is_some(),
        "size_square_meters" => room.size_square_meters.is_some(),
        "amenities" => !room.amenities.is_empty(),
        "nightly_rate" => room.nightly_rate.is_some(),
        "place" => !room.place.is_empty(),
        "location" => room.location.is_some(),
        "time_zone" => !room.time_zone.is_empty(),
        "check_in_time" => !room.check_in_time.is_empty(),
        "check_out_time" => !room.check_out_time.is_empty(),
        "cancellation_policy" => room.cancellation_policy.is_some(),
        "rating" => room.rating.is_some(),
        _ => false,
    }
}

/// What the request says in one field, or the field's default where it says nothing; none if what it says is at fault.
fn edit(fields: &mut Fields, room: &Room, path: &str) -> Option<Edit> {
    let at = &format!("room.{path}");
    match path {
        "number" => {
            fields.line(at, &room.number, MAX_NUMBER_CHARS);
            // Engines disagree on whether a blank at the end makes another number.
            fields.check(room.number.trim() == room.number, at, "begins or ends with a blank");
            let [written, spelled] =
                [&room.number, &unicode::canonical(&room.number)].map(|number| number.chars().count());
            let grows = written <= MAX_NUMBER_CHARS && spelled > MAX_NUMBER_CHARS;
            fields.check(!grows, at, format!("has {spelled} characters when it is spelled out"));
            Some(Edit::Number(room.number.clone()))
        }
        "display_name" => {
            fields.required_line(at, &room.display_name, MAX_DISPLAY_NAME_CHARS);
            Some(Edit::DisplayName(room.display_name.clone()))
        }
        "description" => {
            fields.text(at, &room.description, MAX_DESCRIPTION_CHARS);
            Some(Edit::Description(room.description.clone()))
        }
        "units" => fields.number(at, room.units.unwrap_or(DEFAULT_UNITS.into()), 1..=MAX_UNITS.into()).map(Edit::Units),
        "capacity" => fields
            .number(at, room.capacity.unwrap_or(DEFAULT_CAPACITY.into()), 1..=MAX_CAPACITY.into())
            .map(Edit::Capacity),
        "size_square_meters" => match room.size_square_meters {
            Some(size) => fields
                .number(at, size, 1..=MAX_SIZE_SQUARE_METERS.into())
                .map(|size| Edit::SizeSquareMeters(Some(size))),
            None => Some(Edit::SizeSquareMeters(None)),
        },
        "amenities" => Some(Edit::Amenities(amenities(fields, at, &room.amenities))),
        "nightly_rate" => rate(fields, at, room.nightly_rate.as_ref(), true).map(Edit::NightlyRate),
        "place" => {
            place(fields, at, &room.place);
            Some(Edit::Place(room.place.clone()))
        }
        "location" => match &room.location {
            Some(location) => Some(Edit::Location(Some(point(fields, at, location)))),
            None => Some(Edit::Location(None)),
        },
        "time_zone" if room.time_zone.is_empty() => None,
        "time_zone" => zone(fields, at, &room.time_zone).map(Edit::TimeZone),
        "check_in_time" => time_of_day(fields, at, &room.check_in_time, DEFAULT_CHECK_IN).map(Edit::CheckInTime),
        "check_out_time" => time_of_day(fields, at, &room.check_out_time, DEFAULT_CHECK_OUT).map(Edit::CheckOutTime),
        "cancellation_policy" => {
            let policy = match &room.cancellation_policy {
                Some(policy) => tiers(fields, at, policy),
                None => default_policy(),
            };
            Some(Edit::CancellationPolicy(policy))
        }
        "rating" => {
            if let Some(rating) = room.rating {
                fields.range(at, rating, 0.0, MAX_RATING);
            }
            Some(Edit::Rating(room.rating.map(without_sign_of_zero)))
        }
        _ => None,
    }
}

/// The words for what a room offers, each of them once.
pub fn amenities(fields: &mut Fields, path: &str, words: &[String]) -> Vec<String> {
    let count = words.len();
    fields.check(count <= MAX_AMENITIES, path, format!("has {count} words; at most {MAX_AMENITIES} are taken"));
    let mut once: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate().take(MAX_AMENITIES) {
        let good = (1..=MAX_AMENITY_CHARS).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        fields.check(good, &format!("{path}[{at}]"), format!("must be 1 to {MAX_AMENITY_CHARS} of a-z 0-9 _"));
        if !once.contains(word) {
            once.push(word.clone());
        }
    }
    once
}

/// A place in words.
pub fn place(fields: &mut Fields, path: &str, place: &str) {
    fields.line(path, place, MAX_PLACE_CHARS);
    let [written, folded] = [place, &unicode::folded(place)].map(|place| place.chars().count());
    let grows = written <= MAX_PLACE_CHARS && folded > MAX_FOLDED_PLACE_CHARS;
    fields.check(!grows, path, format!("has {folded} characters when it is spelled out"));
}

/// A nightly rate.
pub fn rate(
    fields: &mut Fields,
    path: &str,
    rate: Option<&contracts::google::r#type::Money>,
    must_be_positive: bool,
) -> Option<Money> {
    let rate = fields.price(path, rate, must_be_positive)?;
    let too_high = || format!("is too high: at most {MAX_RATE_MINOR} of the smallest unit of {} is taken", rate.code());
    fields.check(rate.minor() <= MAX_RATE_MINOR, path, too_high());
    Some(rate)
}

/// A place on the map.
pub fn point(fields: &mut Fields, path: &str, location: &LatLng) -> Point {
    fields.range(&format!("{path}.latitude"), location.latitude, -90.0, 90.0);
    fields.range(&format!("{path}.longitude"), location.longitude, -180.0, 180.0);
    Point { latitude: without_sign_of_zero(location.latitude), longitude: without_sign_of_zero(location.longitude) }
}

/// -0 is another number on the wire, and the same one everywhere else.
fn without_sign_of_zero(number: f64) -> f64 {
    number + 0.0
}

fn zone(fields: &mut Fields, path: &str, name: &str) -> Option<TimeZone> {
    let zone = clock::zone(name);
    fields.check(zone.is_some(), path, "is not a time zone of IANA's, like Asia/Seoul");
    zone
}

fn time_of_day(fields: &mut Fields, path: &str, text: &str, default: Time) -> Option<Time> {
    if text.is_empty() {
        return Some(default);
    }
    let parsed = match text.as_bytes() {
        [h1 @ b'0'..=b'2', h2 @ b'0'..=b'9', b':', m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] => {
            let two = |tens: &u8, ones: &u8| ((tens - b'0') * 10 + (ones - b'0')).cast_signed();
            Time::new(two(h1, h2), two(m1, m2), 0, 0).ok()
        }
        _ => None,
    };
    fields.check(parsed.is_some(), path, "is not a time of day like 15:00");
    parsed
}

fn tiers(fields: &mut Fields, path: &str, policy: &CancellationPolicy) -> Vec<Tier> {
    let count = policy.tiers.len();
    let path = format!("{path}.tiers");
    fields.check((1..=MAX_TIERS).contains(&count), &path, format!("has {count} tiers; 1 to {MAX_TIERS} are taken"));
    let mut tiers: Vec<Tier> = Vec::new();
    for (at, tier) in policy.tiers.iter().enumerate().take(MAX_TIERS) {
        let path = format!("{path}[{at}]");
        let hours = tier.hours_before_start;
        let hours = fields.number(&format!("{path}.hours_before_start"), hours, 0..=MAX_HOURS_BEFORE_START.into());
        let percent = tier.refund_percent.unwrap_or(100);
        let percent = fields.number(&format!("{path}.refund_percent"), percent, 0..=100);
        let Some((hours_before_start, refund_percent)) = hours.zip(percent) else { continue };
        let twice = tiers.iter().any(|other| other.hours_before_start == hours_before_start);
        fields.check(!twice, &path, format!("is the second tier of {hours_before_start} hours"));
        tiers.push(Tier { hours_before_start, refund_percent });
    }
    tiers
}
