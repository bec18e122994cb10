//! Creates rooms and guests before the first call, and bookings for workloads that read. All of it through the API.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use contracts::{
    google::r#type::Money,
    reservation::v1::{CreateReservationRequest, Reservation, reservation::State},
    room::v1::{CreateRoomRequest, Room},
    types::v1::PaymentMethod,
};
use jiff::{ToSpan, Zoned, civil::Date};
use mesh::Role;
use tokio::task::JoinSet;

use super::{
    target::Target,
    workload::{Party, shown},
};
use crate::demo::people::Person;

/// Units of each room, the most that a room may have, so that no night is ever full.
const UNITS: i32 = 10_000;
/// The price of a night, in won.
const NIGHTLY_RATE: i64 = 80_000;
/// Nights of a stay.
const NIGHTS: i64 = 2;
/// Consecutive stays in a room's calendar before the first nights are used again.
const STAYS: u64 = 14;
/// Days from today to the first night: in the future in every time zone.
const DAYS_AHEAD: i64 = 30;
/// Bookings that each guest can read.
const READABLE: u64 = 4;
/// Users who book in turn for one client.
const PARTY: usize = 64;
/// Concurrent calls while rooms and guests are created.
const AT_ONCE: usize = 16;

/// The rooms and nights that can be booked.
#[derive(Clone, Debug)]
pub struct Stock {
    rooms: Vec<String>,
    first_night: Date,
}

impl Stock {
    /// The reservation to request as stay `number`. Consecutive stays are in different rooms, so that no row is hot.
    pub fn wish(&self, number: u64) -> anyhow::Result<Reservation> {
        let rooms = u64::try_from(self.rooms.len())?.max(1);
        let room = self.rooms.get(usize::try_from(number % rooms)?).context("there is no room")?;
        let check_in = self.first_night.checked_add((i64::try_from(number / rooms % STAYS)? * NIGHTS).days())?;
        Ok(Reservation {
            room: room.clone(),
            check_in_date: check_in.to_string(),
            check_out_date: check_in.checked_add(NIGHTS.days())?.to_string(),
            ..Reservation::default()
        })
    }

    /// The nights of stay `number`, for a search.
    pub fn dates(&self, number: u64) -> anyhow::Result<(String, String)> {
        let wish = self.wish(number)?;
        Ok((wish.check_in_date, wish.check_out_date))
    }
}

/// Registers the rooms, each with a host of its own.
pub async fn stock(target: &Target, rooms: u32, lifetime: Duration) -> anyhow::Result<Arc<Stock>> {
    let first_night = Zoned::now().date().checked_add(DAYS_AHEAD.days())?;
    let mut registered = Vec::new();
    let mut under_way = JoinSet::new();
    for number in 0..rooms {
        let host = target.person(&format!("host-{number}"), number as usize, &[Role::Host], lifetime)?;
        under_way.spawn(register(host, number, target.unique(&format!("room-{number}"))));
        while under_way.len() >= AT_ONCE {
            registered.extend(under_way.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(room) = under_way.join_next().await {
        registered.push(room??);
    }
    Ok(Arc::new(Stock { rooms: registered, first_night }))
}

async fn register(host: Person, number: u32, request_id: String) -> anyhow::Result<String> {
    let room = Room {
        display_name: format!("Room {number}"),
        units: Some(UNITS),
        nightly_rate: Some(Money { currency_code: "KRW".to_owned(), units: NIGHTLY_RATE, nanos: 0 }),
        ..Room::default()
    };
    let request = CreateRoomRequest { room: Some(room), request_id };
    Ok(host.rooms().create_room(request).await.context("failed to register a room")?.into_inner().name)
}

/// The guests of each client. For workloads that read, each reader gets some bookings first, and this waits until their pages show them.
pub async fn parties(
    target: &Target,
    stock: &Arc<Stock>,
    clients: usize,
    read: bool,
    lifetime: Duration,
) -> anyhow::Result<Vec<Party>> {
    let mut all = Vec::with_capacity(clients);
    let mut under_way = JoinSet::new();
    for number in 0..clients {
        let person = |one| target.person(&format!("guest-{number}-{one}"), number, &[Role::Guest], lifetime);
        let people = (0..PARTY).map(person).collect::<anyhow::Result<_>>()?;
        let (stock, run) = (stock.clone(), target.unique(&number.to_string()));
        under_way.spawn(async move {
            let mut party = Party { people, stock, run, booked: Vec::new(), newest: Arc::default() };
            let first = u64::try_from(number)? * READABLE;
            for stay in first..first + if read { READABLE } else { 0 } {
                let reservation = book(&party, stay).await?;
                party.booked.push(reservation);
            }
            anyhow::Ok(party)
        });
        while under_way.len() >= AT_ONCE {
            all.extend(under_way.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(guest) = under_way.join_next().await {
        all.push(guest??);
    }
    Ok(all)
}

/// Books for the first guest of the party, who is the one that reads.
async fn book(party: &Party, stay: u64) -> anyhow::Result<String> {
    let person = party.people.first().context("the party has no guest")?;
    let request = CreateReservationRequest {
        reservation: Some(party.stock.wish(stay)?),
        payment_method: Some(PaymentMethod { token: "tok_approve".to_owned() }),
        request_id: format!("setup-{stay}-{}", party.run),
        ..CreateReservationRequest::default()
    };
    let reservation = person.reservations().create_reservation(request).await?.into_inner();
    anyhow::ensure!(reservation.state() == State::Confirmed, "{} is not confirmed", reservation.name);
    let name = reservation.name.replacen("reservations/", "users/me/bookings/", 1);
    shown(person, name, reservation.version).await?;
    Ok(reservation.name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn consecutive_stays_are_in_different_rooms_and_all_nights_are_used() {
        let stock = Stock {
            rooms: vec!["rooms/a".to_owned(), "rooms/b".to_owned()],
            first_night: jiff::civil::date(2030, 1, 31),
        };
        let wish = |number| stock.wish(number).unwrap();
        assert_eq!(
            (wish(0).room.as_str(), wish(1).room.as_str(), wish(2).room.as_str()),
            ("rooms/a", "rooms/b", "rooms/a")
        );
        assert_eq!((wish(0).check_in_date.as_str(), wish(0).check_out_date.as_str()), ("2030-01-31", "2030-02-02"));
        assert_eq!(wish(2).check_in_date, "2030-02-02", "the check-out date of the stay before");
        let stays: HashSet<_> = (0..28).map(|number| (wish(number).room, wish(number).check_in_date)).collect();
        assert_eq!(stays.len(), 28);
        assert_eq!(wish(28), wish(0), "the same nights again");
    }
}
