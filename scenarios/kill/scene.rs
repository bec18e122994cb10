//! What stands when a row begins, and the row itself: armed, killed, started again, and its books read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use contracts::{
    reservation::v1::{Reservation, reservation::State},
    room::v1::Room,
};
use jumak::embedded::Options;
use mesh::Role;
use tempfile::TempDir;

use super::{
    Client, Row,
    guest::{Answer, Guest, Step},
};
use crate::support::{
    Inn, Person,
    nights::two_nights,
    process::{Process, audit_at_rest},
};

/// What two nights cost.
const TOTAL: i64 = 180_000;

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

/// A data folder at rest, from which each row begins.
pub struct Stage {
    folder: TempDir,
    scene: Scene,
    room: Room,
    reservation: Option<Reservation>,
}

impl Stage {
    pub async fn set(scene: Scene) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inn = Inn::with(Options::in_folder(folder.path())).await;
        let room = inn.host("hana").registers_a_room(1).await;
        let guest = inn.guest("alice");
        let reservation = match scene {
            Scene::Nothing | Scene::ShortHolds => None,
            Scene::Held => Some(takes(&guest, &room, None).await),
            Scene::Confirmed => Some(takes(&guest, &room, Some("tok_approve")).await),
        };
        inn.audit().await;
        inn.close().await;
        Self { folder, scene, room, reservation }
    }

    /// Plays one row, from a copy of this stage.
    pub async fn play(&self, script: &[Step], row: &Row) {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let data = copy.path().join("data");
        copy_folder(self.folder.path(), &data).expect("a copy");

        let armed = self.start(&data, row, true).await;
        let mut guest = self.guest(&armed).await;
        let told = guest.goes_through(script).await;
        let said = armed.dies().await;
        let (point, _) = row.at;
        assert!(said.contains(&format!("kill point {} fired", point.name())), "{row:?} died otherwise: {said}");

        let process = self.start(&data, row, false).await;
        let mut guest = self.guest(&process).await;
        if row.client == Client::IsGone {
            guest.settled().await;
        }
        let answers = guest.repeats(script).await;
        assert_eq!(answers[..told.len()], told, "{row:?}: what was answered before is the answer still");
        let reservations = guest.settled().await;
        let [reservation] = reservations.as_slice() else { panic!("{row:?}: one reservation, not {reservations:#?}") };
        assert_eq!(reservation.state(), row.ends, "{row:?}: {reservation:#?}");
        assert_agrees(row, answers.last(), reservation);
        assert_eq!(guest.repeats(script).await, answers, "{row:?}: there is one final answer");
        assert_charged(row, &admin(&process).await, self.scene).await;
        process.audit().await;
        process.stops().await;
        audit_at_rest(&data);
    }

    async fn start(&self, data: &Path, row: &Row, armed: bool) -> Process {
        let mut variables = match row.client {
            Client::Repeats => PATIENT.to_vec(),
            Client::IsGone => ALONE.to_vec(),
        };
        if self.scene == Scene::ShortHolds {
            variables.push(("JUMAK_CHECKOUT__HOLD_MS", "3000"));
        }
        let (point, nth) = row.at;
        let death = format!("{}:{nth}", point.name());
        if armed {
            variables.push(("JUMAK_KILL_POINT", &death));
        }
        Process::start(data, &variables).await
    }

    async fn guest(&self, process: &Process) -> Guest {
        let person = process.person(&process.connect().await, "alice", &[Role::Guest]);
        let reservation = self.reservation.as_ref().map(|reservation| reservation.name.clone());
        Guest { person, room: self.room.clone(), reservation }
    }
}

async fn takes(guest: &Person, room: &Room, token: Option<&str>) -> Reservation {
    let request = two_nights(room, token);
    guest.reservations().create_reservation(request).await.expect("a reservation").into_inner()
}

async fn admin(process: &Process) -> Person {
    process.person(&process.connect().await, "auditor", &[Role::Admin])
}

/// The last answer says what became of the reservation.
fn assert_agrees(row: &Row, answer: Option<&Answer>, reservation: &Reservation) {
    let ok = match (row.ends, answer) {
        (State::Confirmed, Some(Ok(told))) => told.state() == State::Confirmed,
        (State::Cancelled, Some(Ok(told))) => matches!(told.state(), State::CancelRequested | State::Cancelled),
        (State::Rejected, Some(Err(_))) => true,
        // What was answered when the hold was taken is the answer for good.
        (State::Expired, Some(Ok(told))) => told.state() == State::Pending,
        _ => false,
    };
    assert!(ok, "{row:?}: it was answered {answer:#?}, and is {reservation:#?}");
}

/// At the provider, one charge stands for what is confirmed, and none for anything else.
async fn assert_charged(row: &Row, admin: &Person, scene: Scene) {
    let (charges, refunds) = admin.provider_books().await;
    let units = |money: &Option<_>| money.as_ref().map_or(0, |money: &contracts::google::r#type::Money| money.units);
    let taken = |charge: &contracts::provider::v1::Charge| {
        use contracts::provider::v1::charge::State;
        match charge.state() {
            State::Charged | State::PartlyRefunded | State::Refunded => {
                units(&charge.amount) - units(&charge.refunded_amount)
            }
            State::Processing | State::ActionRequired | State::Declined | State::Unspecified => 0,
        }
    };
    let standing: Vec<i64> = charges.iter().map(taken).filter(|units| *units != 0).collect();
    let expected: &[i64] = if row.ends == State::Confirmed { &[TOTAL] } else { &[] };
    assert_eq!(standing, expected, "{row:?}: {charges:#?}");
    let expected = usize::from(scene == Scene::Confirmed);
    assert_eq!(refunds.len(), expected, "{row:?}: {refunds:#?}");
}

fn copy_folder(from: &Path, to: &PathBuf) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
