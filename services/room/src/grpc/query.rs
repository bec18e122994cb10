//! A search in a request.

use contracts::room::v1::{SearchRoomsRequest, search_rooms_request};
use mesh::{
    Error, Reason, Refusal,
    booking_window::{MAX_NIGHTS, MAX_UNITS},
    fields::Fields,
    money::Money,
};

use super::details::{amenities, place, point, rate};
use crate::{
    domain::{MAX_SIZE_SQUARE_METERS, Nights},
    search::{Near, Order, Query},
};

/// The most guests of one stay.
const MAX_GUESTS: u16 = 200;
/// How far from a place rooms are searched, at most and unless the guest says otherwise.
const MAX_RADIUS_METERS: u32 = 200_000;

/// The search of a request, from its beginning.
pub fn of(message: &SearchRoomsRequest) -> Result<Query, Error> {
    let mut fields = Fields::new();
    let nights = nights(&mut fields, message);
    let guests = fields.number("guests", message.guests.unwrap_or(1), 1..=MAX_GUESTS.into());
    let units = fields.number("units", message.units.unwrap_or(1), 1..=MAX_UNITS.into());
    place(&mut fields, "place", &message.place);
    let near = near(&mut fields, message);
    let min_rate = message.min_rate.as_ref().and_then(|min| rate(&mut fields, "min_rate", Some(min), false));
    let max_rate = message.max_rate.as_ref().and_then(|max| rate(&mut fields, "max_rate", Some(max), false));
    let amenities = amenities(&mut fields, "amenities", &message.amenities);
    let min_size = match message.min_size {
        0 => None,
        size => fields.number("min_size", size, 1..=MAX_SIZE_SQUARE_METERS.into()),
    };
    let order = order(&mut fields, message.order, near);
    let (guests, (units, order)) = fields.take(guests.zip(units.zip(order)))?;
    one_currency(min_rate, max_rate)?;
    Ok(Query {
        nights,
        guests,
        units,
        place: message.place.clone(),
        near,
        min_rate,
        max_rate,
        amenities,
        min_size,
        order,
    })
}

fn nights(fields: &mut Fields, message: &SearchRoomsRequest) -> Option<Nights> {
    let values = (message.check_in_date.as_str(), message.check_out_date.as_str());
    if values == ("", "") {
        return None;
    }
    let (first, end) = fields.nights(("check_in_date", "check_out_date"), values, MAX_NIGHTS)?;
    Nights::new(first, end)
}

fn near(fields: &mut Fields, message: &SearchRoomsRequest) -> Option<Near> {
    let radius = match message.radius_meters {
        0 => Some(MAX_RADIUS_METERS),
        wish => fields.number("radius_meters", wish, 1..=MAX_RADIUS_METERS.cast_signed()),
    };
    let Some(location) = &message.near else {
        fields.check(message.radius_meters == 0, "near", "is required with radius_meters");
        return None;
    };
    let on_unit_sphere = point(fields, "near", location).on_unit_sphere();
    Some(Near { on_unit_sphere, radius_meters: radius? })
}

fn order(fields: &mut Fields, order: i32, near: Option<Near>) -> Option<Order> {
    match search_rooms_request::Order::try_from(order) {
        Ok(search_rooms_request::Order::Unspecified | search_rooms_request::Order::Price) => {
            Some(Order::Price { after: None })
        }
        Ok(search_rooms_request::Order::Rating) => Some(Order::Rating { after: None }),
        Ok(search_rooms_request::Order::Distance) => {
            fields.check(near.is_some(), "near", "is required to order by DISTANCE");
            near.map(|near| Order::Distance { from: near.on_unit_sphere, after: None })
        }
        Err(_) => {
            fields.fault("order", "must be PRICE, DISTANCE or RATING");
            None
        }
    }
}

fn one_currency(min_rate: Option<Money>, max_rate: Option<Money>) -> Result<(), Refusal> {
    match (min_rate, max_rate) {
        (Some(min), Some(max)) if min.code() != max.code() => Err(Refusal::new(
            Reason::CURRENCY_MISMATCH,
            format!("min_rate is in {}, max_rate in {}", min.code(), max.code()),
        )
        .hint("search in one currency at a time")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use contracts::google::r#type::{LatLng, Money};

    use super::*;

    /// The tokens of a search are good for another version that knows the same parameters.
    #[test]
    fn a_search_is_told_from_others_by_its_parameters() {
        let query = SearchRoomsRequest {
            check_in_date: "2027-05-01".to_owned(),
            check_out_date: "2027-05-03".to_owned(),
            place: "Jeju".to_owned(),
            near: Some(LatLng { latitude: 90.0, longitude: 0.0 }),
            radius_meters: 500,
            min_rate: Some(Money { currency_code: "KRW".to_owned(), units: 1, nanos: 0 }),
            amenities: vec!["wifi".to_owned(), "pool".to_owned()],
            min_size: 20,
            order: search_rooms_request::Order::Distance.into(),
            ..SearchRoomsRequest::default()
        };
        let list = of(&query).expect("a search").list();
        assert_eq!(list[..5], ["SearchRooms", "2027-05-01,2027-05-03", "1", "1", "Jeju"]);
        assert!(list[5].ends_with(",1,500"), "{}", list[5]);
        assert_eq!(list[6..], ["KRW 1", "", "wifi,pool", "20", "DISTANCE"]);
    }
}
