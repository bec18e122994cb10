//! What stands when a row begins, and the row itself: armed, killed, started again, and its books read.

use contracts::{
    google::r#type::Money,
    provider::v1::{Charge, ChargeRefund, charge},
    reservation::v1::{CreateReservationRequest, Reservation, reservation::State},
    room::v1::Room,
};
use mesh::{Refusal, Role};
use tokio::time::Instant;

use super::{
    Client, Row, Table,
    guest::{Answer, Guest, Told, is_final},
};
use crate::support::{Person, SETTLES, eventually, nights::two_nights};

/// What two nights cost.
pub const TOTAL: i64 = 180_000;

/// A client that repeats its call settles the case: nobody else looks before it does.
const PATIENT: &[(&str, &str)] = &[("JUMAK_CHECKOUT__SETTLE_AFTER_MS", "25000")];

/// With the client gone, sweeper and recovery settle the case, and are given less time than by default.
const ALONE: &[(&str, &str)] = &[
    ("JUMAK_CHECKOUT__PAYMENT_TIMEOUT_MS", "2500"),
    ("JUMAK_CHECKOUT__SETTLE_AFTER_MS", "2500"),
    ("JUMAK_CHECKOUT__SWEEP_INTERVAL_MS", "100"),
    ("JUMAK_PAYMENT__PROVIDER_TIMEOUT_MS", "2000"),
    ("JUMAK_PAYMENT__RECOVERY_INTERVAL_MS", "100"),
    ("JUMAK_PAYMENT__GIVE_UP_AFTER_MS", "2100"),
];

/// What the guest has when a row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Nothing.
    Nothing,
    /// Nothing; and what is held is held for three seconds only.
    ShortHolds,
    /// A hold, to be paid.
    Held,
    /// A booking, confirmed and paid.
    Confirmed,
}

/// Environment variables of a process.
pub type Variables = Vec<(String, String)>;

/// A house of which a process can be killed, and started again on what it left.
pub trait House: Send + Sync {
    /// Starts it so that a process dies there, with these variables over the defaults.
    fn opens_to_die(&mut self, row: &Row, variables: &Variables) -> impl Future<Output = ()> + Send;

    /// Waits until that process has died by itself, and returns what it said.
    fn dies(&mut self) -> impl Future<Output = String> + Send;

    /// Starts what has died, so that it lives.
    fn opens(&mut self, variables: &Variables) -> impl Future<Output = ()> + Send;

    /// Somebody with a connection of their own.
    fn person(&self, name: &str, roles: &[Role]) -> impl Future<Output = Person> + Send;

    /// What the provider has charged and refunded since the row's scene began.
    fn provider_books(&self) -> impl Future<Output = (Vec<Charge>, Vec<ChargeRefund>)> + Send;

    /// The audit of everything, once it has settled: no finding.
    fn audit(&self) -> impl Future<Output = ()> + Send;
}

/// Who plays a row, and what they have.
pub struct Cast {
    guest: String,
    room: Room,
    reservation: Option<Reservation>,
}

impl Cast {
    /// Sets the scene in a running house, for a guest of that name.
    pub async fn set(house: &impl House, scene: Scene, guest: &str) -> Self {
        let room = house.person("hana", &[Role::Host]).await.registers_a_room(1).await;
        let person = house.person(guest, &[Role::Guest]).await;
        let reservation = match scene {
            Scene::Nothing | Scene::ShortHolds => None,
            Scene::Held => Some(takes(&person, &room, None).await),
            Scene::Confirmed => Some(takes(&person, &room, Some("tok_approve")).await),
        };
        Self { guest: guest.to_owned(), room, reservation }
    }

    async fn guest(&self, house: &impl House) -> Guest {
        let person = house.person(&self.guest, &[Role::Guest, Role::Host]).await;
        let reservation = self.reservation.as_ref().map(|reservation| reservation.name.clone());
        Guest { person, room: self.room.clone(), reservation }
    }
}

/// Plays one row in a house that stands as `cast` left it.
pub async fn play(house: &mut impl House, cast: &Cast, table: &Table, row: &Row) {
    let (begun, variables) = (Instant::now(), variables(table.scene, row.client));
    house.opens_to_die(row, &variables).await;
    let told = cast.guest(house).await.goes_through(table.script).await;
    let said = house.dies().await;
    let (point, _) = row.at;
    assert!(said.contains(&format!("kill point {} fired", point.name())), "{row:?} died otherwise: {said}");

    house.opens(&variables).await;
    let back = Instant::now();
    println!("{:?} fired {:.1} s after the row began", row.at, begun.elapsed().as_secs_f64());
    let mut guest = cast.guest(house).await;
    if row.client == Client::IsGone {
        guest.settled().await;
    }
    let answers = guest.repeats(table.script).await;
    assert_eq!(answers[..told.len()], told, "{row:?}: what was answered before is the answer still");
    let reservations = guest.settled().await;
    let [reservation] = reservations.as_slice() else { panic!("{row:?}: one reservation, not {reservations:#?}") };
    assert_eq!(reservation.state(), row.ends, "{row:?}: {reservation:#?}");
    assert_agrees(row, answers.last(), reservation);
    assert_eq!(guest.repeats(table.script).await, answers, "{row:?}: there is one final answer");
    assert_charged(row, house.provider_books().await, table.scene);
    house.audit().await;
    println!("{:?}: all had settled {:.1} s after the restart", row.at, back.elapsed().as_secs_f64());
    assert!(back.elapsed() < SETTLES, "{row:?}: all had settled only after {:?}", back.elapsed());
}

fn variables(scene: Scene, client: Client) -> Variables {
    let mut variables = match client {
        Client::Repeats => PATIENT.to_vec(),
        Client::IsGone => ALONE.to_vec(),
    };
    if scene == Scene::ShortHolds {
        variables.push(("JUMAK_CHECKOUT__HOLD_MS", "3000"));
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variable by which the process that a row is about dies.
pub fn death(row: &Row) -> (String, String) {
    let (point, nth) = row.at;
    ("JUMAK_KILL_POINT".to_owned(), format!("{}:{nth}", point.name()))
}

/// Takes a reservation, however often one has to ask: what the row before it did to the house may be felt for a moment.
async fn takes(guest: &Person, room: &Room, token: Option<&str>) -> Reservation {
    let request = CreateReservationRequest { request_id: "scene".to_owned(), ..two_nights(room, token) };
    eventually("there is a reservation", || async {
        match guest.reservations().create_reservation(request.clone()).await {
            Ok(reservation) => Some(reservation.into_inner()),
            Err(status) => match Refusal::from_status(&status).filter(is_final) {
                Some(refusal) => panic!("{refusal:?}"),
                None => None,
            },
        }
    })
    .await
}

/// The last answer says what became of the reservation.
fn assert_agrees(row: &Row, answer: Option<&Answer>, reservation: &Reservation) {
    let ok = match (row.ends, answer) {
        (State::Rejected, Some(Err(_))) => true,
        (ends, Some(Ok(Told::Reservation(told)))) => match ends {
            State::Confirmed => told.state() == State::Confirmed,
            State::Cancelled => matches!(told.state(), State::CancelRequested | State::Cancelled),
            // What was answered when the hold was taken is the answer for good.
            State::Expired => told.state() == State::Pending,
            _ => false,
        },
        _ => false,
    };
    assert!(ok, "{row:?}: it was answered {answer:#?}, and is {reservation:#?}");
}

/// At the provider, one charge stands for what is confirmed, and none for anything else.
fn assert_charged(row: &Row, (charges, refunds): (Vec<Charge>, Vec<ChargeRefund>), scene: Scene) {
    let expected: &[i64] = if row.ends == State::Confirmed { &[TOTAL] } else { &[] };
    assert_eq!(standing(&charges), expected, "{row:?}: {charges:#?}");
    let expected = usize::from(scene == Scene::Confirmed);
    assert_eq!(refunds.len(), expected, "{row:?}: {refunds:#?}");
}

/// What the provider has taken and not given back, charge by charge.
pub fn standing(charges: &[Charge]) -> Vec<i64> {
    let units = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.units);
    let taken = |charge: &Charge| match charge.state() {
        charge::State::Charged | charge::State::PartlyRefunded | charge::State::Refunded => {
            units(&charge.amount) - units(&charge.refunded_amount)
        }
        charge::State::Processing
        | charge::State::ActionRequired
        | charge::State::Declined
        | charge::State::Unspecified => 0,
    };
    charges.iter().map(taken).filter(|units| *units != 0).collect()
}
