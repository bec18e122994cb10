//! Reads the details of a room from a request, within their bounds.

use contracts::{google::r#type::LatLng, room::v1::Room};
use jiff::{civil::Time, tz::TimeZone};
use mesh::{
    clock,
    fields::Fields,
    mask::{Field, Mask},
    money::Money,
    types::CancellationPolicy,
    unicode,
};
use uuid::Uuid;

use crate::domain::{
    DEFAULT_CAPACITY, DEFAULT_CHECK_IN, DEFAULT_CHECK_OUT, DEFAULT_UNITS, Details, MAX_AMENITIES, MAX_AMENITY_CHARS,
    MAX_CAPACITY, MAX_DESCRIPTION_CHARS, MAX_DISPLAY_NAME_CHARS, MAX_FOLDED_PLACE_CHARS, MAX_NUMBER_CHARS,
    MAX_PLACE_CHARS, MAX_RATE_MINOR, MAX_RATING, MAX_SIZE_SQUARE_METERS, MAX_UNITS, Point, Update,
};

/// The fields of a room that a host may change, as an `update_mask` names them.
pub const EDITABLE: Mask<Room> = Mask(&[
    &Field("number", |room: &mut Room| &mut room.number),
    &Field("display_name", |room: &mut Room| &mut room.display_name),
    &Field("description", |room: &mut Room| &mut room.description),
    &Field("units", |room: &mut Room| &mut room.units),
    &Field("capacity", |room: &mut Room| &mut room.capacity),
    &Field("size_square_meters", |room: &mut Room| &mut room.size_square_meters),
    &Field("amenities", |room: &mut Room| &mut room.amenities),
    &Field("nightly_rate", |room: &mut Room| &mut room.nightly_rate),
    &Field("place", |room: &mut Room| &mut room.place),
    &Field("location", |room: &mut Room| &mut room.location),
    &Field("time_zone", |room: &mut Room| &mut room.time_zone),
    &Field("check_in_time", |room: &mut Room| &mut room.check_in_time),
    &Field("check_out_time", |room: &mut Room| &mut room.check_out_time),
    &Field("cancellation_policy", |room: &mut Room| &mut room.cancellation_policy),
    &Field("rating", |room: &mut Room| &mut room.rating),
]);

/// The details of a new room.
pub fn of_new_room(fields: &mut Fields, room: Option<&Room>, default_zone: &TimeZone) -> Option<Details> {
    let room = fields.required("room", room, "")?;
    let paths = EDITABLE.set(room, &["display_name", "nightly_rate"]);
    said(fields, room, &paths, default_zone.clone())
}

/// Which room to change, and in what.
pub fn of_update(fields: &mut Fields, room: Option<&Room>, mask: &[String]) -> Option<(Uuid, Update)> {
    let room = fields.required("room", room, "")?;
    let id = fields.name("room.name", &room.name, "rooms");
    let mut paths = EDITABLE.named(fields, room, mask);
    // A room always has a time zone.
    paths.retain(|path| *path != "time_zone" || !room.time_zone.is_empty());
    let said = said(fields, room, &paths, TimeZone::UTC)?;
    Some((id?, Update { said, fields: paths, etag: room.etag.clone() }))
}

/// The request's values of these fields, and the default for all others.
fn said(fields: &mut Fields, room: &Room, paths: &[&str], zone: TimeZone) -> Option<Details> {
    // Without a currency, until one is set.
    let mut said = Details::new(String::new(), Money::new(0, "XXX").ok()?, zone);
    paths.iter().for_each(|path| read(fields, room, path, &mut said));
    Some(said)
}

/// The request's value of one field, or the field's default if it is not set. A value at fault is left out.
fn read(fields: &mut Fields, room: &Room, path: &str, said: &mut Details) {
    fn take<T>(field: &mut T, read: Option<T>) {
        *field = match read {
            Some(read) => read,
            None => return,
        };
    }
    let at = &format!("room.{path}");
    match path {
        "number" => {
            fields.line(at, &room.number, MAX_NUMBER_CHARS);
            // Engines disagree on whether a trailing blank makes another number.
            fields.check(room.number.trim() == room.number, at, "begins or ends with a blank");
            let [written, spelled] =
                [&room.number, &unicode::canonical(&room.number)].map(|number| number.chars().count());
            let grows = written <= MAX_NUMBER_CHARS && spelled > MAX_NUMBER_CHARS;
            fields.check(!grows, at, format!("has {spelled} characters when it is spelled out"));
            said.number.clone_from(&room.number);
        }
        "display_name" => {
            fields.required_line(at, &room.display_name, MAX_DISPLAY_NAME_CHARS);
            said.display_name.clone_from(&room.display_name);
        }
        "description" => {
            fields.text(at, &room.description, MAX_DESCRIPTION_CHARS);
            said.description.clone_from(&room.description);
        }
        "units" => {
            let units = room.units.unwrap_or(DEFAULT_UNITS.into());
            take(&mut said.units, fields.number(at, units, 1..=MAX_UNITS.into()));
        }
        "capacity" => {
            let capacity = room.capacity.unwrap_or(DEFAULT_CAPACITY.into());
            take(&mut said.capacity, fields.number(at, capacity, 1..=MAX_CAPACITY.into()));
        }
        "size_square_meters" => {
            let size = room.size_square_meters;
            said.size_square_meters = size.and_then(|size| fields.number(at, size, 1..=MAX_SIZE_SQUARE_METERS.into()));
        }
        "amenities" => said.amenities = amenities(fields, at, &room.amenities),
        "nightly_rate" => take(&mut said.nightly_rate, rate(fields, at, room.nightly_rate.as_ref(), true)),
        "place" => {
            place(fields, at, &room.place);
            said.place.clone_from(&room.place);
        }
        "location" => said.location = room.location.as_ref().map(|location| point(fields, at, location)),
        "time_zone" => take(&mut said.time_zone, zone(fields, at, &room.time_zone)),
        "check_in_time" => {
            take(&mut said.check_in_time, time_of_day(fields, at, &room.check_in_time, DEFAULT_CHECK_IN));
        }
        "check_out_time" => {
            take(&mut said.check_out_time, time_of_day(fields, at, &room.check_out_time, DEFAULT_CHECK_OUT));
        }
        "cancellation_policy" => {
            if let Some(policy) = &room.cancellation_policy {
                said.cancellation_policy = CancellationPolicy::of_request(fields, at, policy);
            }
        }
        "rating" => {
            if let Some(rating) = room.rating {
                fields.range(at, rating, 0.0, MAX_RATING);
            }
            said.rating = room.rating.map(without_sign_of_zero);
        }
        _ => {}
    }
}

/// The words for what a room offers, each of them once.
pub fn amenities(fields: &mut Fields, path: &str, words: &[String]) -> Vec<String> {
    let count = words.len();
    fields.check(count <= MAX_AMENITIES, path, format!("has {count} words; at most {MAX_AMENITIES} are allowed"));
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
    let too_high =
        || format!("is too high: at most {MAX_RATE_MINOR} of the smallest unit of {} is allowed", rate.code());
    fields.check(rate.minor() <= MAX_RATE_MINOR, path, too_high());
    Some(rate)
}

/// A place on the map.
pub fn point(fields: &mut Fields, path: &str, location: &LatLng) -> Point {
    fields.range(&format!("{path}.latitude"), location.latitude, -90.0, 90.0);
    fields.range(&format!("{path}.longitude"), location.longitude, -180.0, 180.0);
    Point { latitude: without_sign_of_zero(location.latitude), longitude: without_sign_of_zero(location.longitude) }
}

/// Turns -0 into 0: they differ on the wire, and are equal everywhere else.
fn without_sign_of_zero(number: f64) -> f64 {
    number + 0.0
}

fn zone(fields: &mut Fields, path: &str, name: &str) -> Option<TimeZone> {
    let zone = clock::zone(name);
    fields.check(zone.is_some(), path, "is not an IANA time zone such as Asia/Seoul");
    zone
}

fn time_of_day(fields: &mut Fields, path: &str, text: &str, default: Time) -> Option<Time> {
    if text.is_empty() {
        return Some(default);
    }
    let parsed = text.parse().ok().filter(|time| crate::convert::time(*time) == text);
    fields.check(parsed.is_some(), path, "is not a time of day such as 15:00");
    parsed
}
