//! Rooms: read by name or by host, and written by one change at a time.

use mesh::{
    Error, Reach, Tx,
    clock::{self, from_micros},
    db::StoreError,
    page::Page,
    store::Reading,
    unicode,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

use super::entity::room::{ActiveModel, Column, Entity, Model};
use crate::{
    convert,
    domain::{Details, Fault, Point, Room},
};

/// The room of that id, as it was last committed.
pub async fn read(connection: &impl ConnectionTrait, id: Uuid, reach: &Reach) -> Result<Room, Error> {
    let found = within(reach, Entity::find_by_id(id)).one(connection).await?;
    found.ok_or(Fault::NotFound)?.try_into()
}

/// The room of that id, locked until this transaction ends.
pub async fn lock(tx: &Tx, id: Uuid, reach: &Reach) -> Result<Room, Error> {
    let found = within(reach, Entity::find_by_id(id)).lock_exclusive().one(&**tx).await?;
    found.ok_or(Fault::NotFound)?.try_into()
}

/// A page of rooms, the newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    reach: &Reach,
    deleted_too: bool,
    page: &Page<Uuid>,
) -> Result<Vec<Room>, Error> {
    let mut select = within(reach, Entity::find());
    if !deleted_too {
        select = select.filter(Column::DeleteTime.is_null());
    }
    let rows = page.of(select, &[Column::Id], &Order::Desc).all(connection).await?;
    rows.into_iter().map(Room::try_from).collect()
}

fn within(reach: &Reach, select: Select<Entity>) -> Select<Entity> {
    select.filter(reach.any_of(&[Column::Host]))
}

/// Adds a room.
pub async fn insert(tx: &Tx, room: &Room) -> Result<(), Error> {
    Entity::insert(row(room)).exec_without_returning(&**tx).await.map_err(|error| number_taken(error.into()))?;
    Ok(())
}

/// Writes a room over the version before it.
pub async fn update(tx: &Tx, room: &Room) -> Result<(), Error> {
    tx.overwrite(row(room), Column::Version.eq(room.version - 1)).await.map_err(number_taken)
}

/// Ids are unique by construction, so the only unique key that can conflict is the room's number.
fn number_taken(error: Error) -> Error {
    match error {
        Error::Store(StoreError::Duplicate(_)) => Fault::NumberTaken.into(),
        other => other,
    }
}

fn row(room: &Room) -> ActiveModel {
    let details = &room.details;
    let on_unit_sphere = details.location.map(Point::on_unit_sphere);
    let active_number =
        room.delete_time.is_none().then(|| unicode::canonical(&details.number)).filter(|number| !number.is_empty());
    ActiveModel {
        id: Set(room.id),
        host: Set(room.host.clone()),
        version: Set(room.version),
        number: Set(details.number.clone()),
        active_number: Set(active_number),
        display_name: Set(details.display_name.clone()),
        description: Set(details.description.clone()),
        units: Set(details.units.into()),
        capacity: Set(details.capacity.into()),
        size_square_meters: Set(details.size_square_meters.map(i32::from)),
        amenities: Set(join_words(&details.amenities)),
        rate_minor: Set(details.nightly_rate.minor()),
        currency: Set(details.nightly_rate.code().to_owned()),
        place: Set(details.place.clone()),
        place_folded: Set(unicode::folded(&details.place)),
        latitude: Set(details.location.map(|point| point.latitude)),
        longitude: Set(details.location.map(|point| point.longitude)),
        x: Set(on_unit_sphere.map(|[x, _, _]| x)),
        y: Set(on_unit_sphere.map(|[_, y, _]| y)),
        z: Set(on_unit_sphere.map(|[_, _, z]| z)),
        time_zone: Set(details.zone_name().to_owned()),
        check_in_time: Set(convert::time(details.check_in_time)),
        check_out_time: Set(convert::time(details.check_out_time)),
        cancellation_policy: Set(details.cancellation_policy.to_string()),
        rating: Set(details.rating.unwrap_or(-1.0)),
        create_time: Set(room.create_time.as_microsecond()),
        update_time: Set(room.update_time.as_microsecond()),
        delete_time: Set(room.delete_time.map(|at| at.as_microsecond())),
    }
}

impl TryFrom<Model> for Room {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let reading = Reading("rooms", row.id);
        let details = Details {
            number: row.number,
            display_name: row.display_name,
            description: row.description,
            units: reading.count("number of units", row.units)?,
            capacity: reading.count("capacity", row.capacity)?,
            size_square_meters: row.size_square_meters.map(|size| reading.count("size", size)).transpose()?,
            amenities: split_words(&row.amenities),
            nightly_rate: reading.money(row.rate_minor, &row.currency)?,
            place: row.place,
            location: row.latitude.zip(row.longitude).map(|(latitude, longitude)| Point { latitude, longitude }),
            time_zone: reading.some("time zone", clock::zone(&row.time_zone))?,
            check_in_time: reading.text("time of day", &row.check_in_time)?,
            check_out_time: reading.text("time of day", &row.check_out_time)?,
            cancellation_policy: reading.text("cancellation policy", &row.cancellation_policy)?,
            rating: (row.rating >= 0.0).then_some(row.rating),
        };
        Ok(Self {
            id: row.id,
            host: row.host,
            version: row.version,
            details,
            create_time: from_micros(row.create_time),
            update_time: from_micros(row.update_time),
            delete_time: row.delete_time.map(from_micros),
        })
    }
}

/// With a comma at both ends, so that a search for `,wifi,` finds the whole word at any place.
fn join_words(words: &[String]) -> String {
    if words.is_empty() { String::new() } else { format!(",{},", words.join(",")) }
}

fn split_words(words: &str) -> Vec<String> {
    words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
