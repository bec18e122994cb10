//! The tables of `crate::kill`, played on a mesh: at each kill point the process of each context that comes there dies, one after the
//! other, and the others live on.

use std::{
    collections::{BTreeSet, HashSet},
    os::unix::process::ExitStatusExt,
    time::Instant,
};

use contracts::provider::v1::{Charge, ChargeRefund};
use jumak::house::Member;
use mesh::{Role, relay::AFTER_PUBLISH};
use tokio::task::JoinSet;

use super::{caller, options};
use crate::{
    kill::{
        Client, Row, TABLES, Table, cancel, create, only_context_at, pay, points, register,
        scene::{Cast, House, Variables, death, play},
    },
    support::{Inn, Person, wire::contracts},
};

/// How a process ends that aborts.
const SIGABRT: i32 = 6;

/// A mesh in which one row is played after the other.
struct Stricken {
    inn: Inn,
    /// Whose process dies in this row.
    dying: Member,
    /// What the processes that are patient or not are told.
    variables: Variables,
    /// The charges from before this row.
    before: HashSet<String>,
}

impl Stricken {
    async fn new() -> Self {
        let inn = Inn::in_mesh(options()).await;
        Self { inn, dying: Member::RESERVATION, variables: Variables::new(), before: HashSet::new() }
    }

    /// Plays one row, with a room and a guest of its own.
    async fn plays(&mut self, table: &Table, row: &Row, dying: Member, guest: &str) {
        self.dying = dying;
        let (charges, _) = self.inn.provider_books().await;
        self.before = charges.into_iter().map(|charge| charge.charge_id).collect();
        let cast = Cast::set(self, table.scene, guest).await;
        // Everybody has heard of it: from here on it can be counted who comes where how often.
        self.inn.audit().await;
        play(self, &cast, table, row).await;
    }

    async fn restart(&self, member: Member, variables: Variables) {
        self.inn.mesh().await.restart(member, 0, variables).await.expect("it starts again");
    }
}

impl House for Stricken {
    async fn opens_to_die(&mut self, row: &Row, variables: &Variables) {
        if self.variables != *variables {
            self.variables.clone_from(variables);
            self.restart(Member::PAYMENT, variables.clone()).await;
        }
        let mut armed = variables.clone();
        armed.push(death(row));
        self.restart(self.dying, armed).await;
        // Whatever the row before did to payment, it begins with a closed circuit.
        if self.dying != Member::RESERVATION {
            self.restart(Member::RESERVATION, variables.clone()).await;
        }
    }

    async fn dies(&mut self) -> String {
        let mut mesh = self.inn.mesh().await;
        let replica = mesh.replica(self.dying, 0).expect("a replica");
        let status = replica.ends().await.expect("it dies");
        assert_eq!(status.signal(), Some(SIGABRT), "{replica} ended with {status}: {}", replica.said());
        replica.said()
    }

    async fn opens(&mut self, variables: &Variables) {
        self.restart(self.dying, variables.clone()).await;
    }

    async fn person(&self, name: &str, roles: &[Role]) -> Person {
        caller(&self.inn, name, roles).await
    }

    async fn provider_books(&self) -> (Vec<Charge>, Vec<ChargeRefund>) {
        let (mut charges, mut refunds) = self.inn.provider_books().await;
        charges.retain(|charge| !self.before.contains(&charge.charge_id));
        refunds.retain(|refund| !self.before.contains(&refund.charge_id));
        (charges, refunds)
    }

    async fn audit(&self) {
        self.inn.audit().await;
    }
}

/// Plays all rows of a table on a mesh of its own.
async fn plays(table: &'static Table) {
    let mut mesh = Stricken::new().await;
    let begun = Instant::now();
    let mut deaths = 0;
    // Patience is a setting of the processes: all clients of one kind come first, so that it changes once.
    for client in [Client::Repeats, Client::IsGone] {
        for row in table.rows.iter().filter(|row| row.client == client) {
            for dying in table.dying(row) {
                println!("{:?}: {dying} dies at {:?}, and the client {:?}", table.script, row.at, row.client);
                mesh.plays(table, row, dying, &format!("alice-{deaths}")).await;
                deaths += 1;
            }
        }
    }
    println!("{:?}: {deaths} deaths in {:.1} s", table.script, begun.elapsed().as_secs_f64());
    mesh.inn.close().await;
}

/// Plays some tables, each on its own mesh, all at once.
async fn all(tables: [&'static Table; 2]) {
    tables.into_iter().map(plays).collect::<JoinSet<()>>().join_all().await;
}

/// Whether the context has events of its own.
fn tells(member: Member) -> bool {
    contracts().get_file_by_name(&format!("jumak/{member}/v1/events.proto")).is_some()
}

#[test]
fn every_context_dies_at_every_kill_point_that_it_comes_to() {
    let mut missing = BTreeSet::new();
    for point in points() {
        let coming = match (only_context_at(point), point) {
            (Some(context), _) => vec![context],
            (None, AFTER_PUBLISH) => Member::ALL.into_iter().filter(|member| tells(*member)).collect(),
            (None, _) => Member::ALL.into_iter().filter(|member| member.hears.is_some()).collect(),
        };
        missing.extend(coming.into_iter().map(|context| (point.name(), context.name())));
    }
    for table in TABLES {
        for row in table.rows {
            for dying in table.dying(row) {
                missing.remove(&(row.at.0.name(), dying.name()));
            }
        }
    }
    assert!(missing.is_empty(), "no table has {missing:?}");
}

#[tokio::test]
async fn z5_a_booking_goes_right_whichever_context_dies_wherever() {
    all([&create::APPROVED, &create::DECLINED]).await;
}

#[tokio::test]
async fn z5_a_hold_is_paid_or_let_go_whichever_context_dies_wherever() {
    all([&pay::APPROVED, &pay::NEVER_PAID]).await;
}

#[tokio::test]
async fn z5_a_cancellation_is_refunded_once_whichever_context_dies_wherever() {
    all([&cancel::CONFIRMED, &cancel::HELD]).await;
}

#[tokio::test]
async fn z5_a_room_is_registered_once_whichever_context_dies_wherever() {
    plays(&register::REGISTERED).await;
}
