//! What a booking asks of the databases of a whole house, counted and not timed: bookings one after another, and nothing else.
//!
//! A change may lower these numbers. One that raises them says why.

use std::{fs, time::Duration};

use contracts::reservation::v1::reservation::State;
use jumak::{
    embedded::{Data, Options, System},
    house::Member,
};
use mesh::{Role, config::Config, db::Counts};
use servers::{Durability, Postgres};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{Person, connect, eventually, setup::Setup};

const BOOKINGS: u32 = 40;

/// What one booking may cost a context.
struct Budget {
    context: &'static str,
    /// Until the caller is answered. T1 and T2 in reservation, P1 and P2 in payment: one statement, one commit and, on PostgreSQL, one round
    /// trip each. That it is exactly this is asserted by the tests of each (`tests/budget.rs`).
    synchronous: Counts,
    /// What follows: relaying its events and hearing those of others, each event by itself, which is the most that it can cost. Each step
    /// that makes hearing cheaper lowers this.
    hearing: Counts,
}

const fn counts(statements: u64, commits: u64) -> Counts {
    Counts { statements, commits }
}

const BUDGETS: [Budget; 4] = [
    Budget { context: "reservation", synchronous: counts(2, 2), hearing: counts(12, 5) },
    Budget { context: "payment", synchronous: counts(2, 2), hearing: counts(4, 2) },
    Budget { context: "room", synchronous: counts(0, 0), hearing: counts(7, 2) },
    Budget { context: "mypage", synchronous: counts(0, 0), hearing: counts(26, 3) },
];

/// Statements of an idle house that may be taken for those of bookings: half a statement for each.
const NOISE: u64 = BOOKINGS as u64 / 2;

/// A house of one process, with each context's database where the setup says.
async fn house(setup: &Setup, kept: &TempDir) -> System {
    let file = kept.path().join("config.toml");
    fs::write(&file, setup.config.to_string()).expect("a file");
    let listen = [("JUMAK_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
    let config = Config::from_sources(Some(&file), listen, &Member::configured()).expect("a configuration");
    System::start(Options::new(config, Data::Folder(kept.path().join("data")))).await.expect("the system starts")
}

fn counted(system: &System) -> Vec<Counts> {
    BUDGETS.iter().map(|budget| system.database(budget.context).expect("its database").counts()).collect()
}

/// Waits until everybody has heard of everything: until what is counted rises no more but by what a house does that is idle.
async fn is_quiet(system: &System) {
    eventually("the house is quiet", || async {
        let before = counted(system);
        sleep(Duration::from_millis(100)).await;
        (counted(system) == before).then_some(())
    })
    .await;
}

async fn keeps_its_budget(setup: Setup) {
    let kept = tempfile::tempdir().expect("a temporary folder");
    let system = house(&setup, &kept).await;
    let channel = connect(&format!("http://{}", system.address())).await;
    let person = |name: &str, role| {
        let token = system.mint(name, &[role], Duration::from_secs(600)).expect("a token");
        Person::over(channel.clone(), &system.user(name), &token)
    };
    let (host, guest) = (person("hana", Role::Host), person("alice", Role::Guest));
    let room = host.registers_a_room(1_000).await;
    let book = async || {
        let booked = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
        assert_eq!(booked.state(), State::Confirmed);
        guest.booking(&booked).await.expect("on my page");
    };
    // The first ones find out what every other one knows: the room, its nights.
    for _ in 0..3 {
        book().await;
    }
    is_quiet(&system).await;
    let (began, before) = (Instant::now(), counted(&system));
    for _ in 0..BOOKINGS {
        book().await;
    }
    is_quiet(&system).await;
    let (took, after) = (began.elapsed(), counted(&system));
    // What the house does anyway meanwhile.
    sleep(took).await;
    let idle = counted(&system);
    let mut beyond = Vec::new();
    for (index, Budget { context, synchronous, hearing }) in BUDGETS.into_iter().enumerate() {
        let (all, anyway) = (after[index].since(before[index]), idle[index].since(after[index]));
        let spent = all.since(anyway);
        let per_booking = |counted: u64| f64::from(u32::try_from(counted).expect("some")) / f64::from(BOOKINGS);
        let (statements, commits) = (per_booking(spent.statements), per_booking(spent.commits));
        println!(
            "{context}: {statements:.2} statements and {commits:.2} commits a booking; idle {anyway:?} in {took:?}"
        );
        let most = |synchronous: u64, hearing: u64| u64::from(BOOKINGS) * (synchronous + hearing);
        if spent.statements > most(synchronous.statements, hearing.statements) + NOISE
            || spent.commits > most(synchronous.commits, hearing.commits)
        {
            beyond.push(format!("{context}: {statements:.2} statements and {commits:.2} commits a booking"));
        }
    }
    assert!(beyond.is_empty(), "beyond the budget: {beyond:#?}");
    system.stop().await.expect("the system stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_keeps_its_budget_on_sqlite() {
    keeps_its_budget(Setup::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_keeps_its_budget_on_postgres() {
    let postgres = Postgres::start(Durability::Off).await.expect("PostgreSQL");
    let mut setup = Setup::new();
    for Budget { context, .. } in BUDGETS {
        postgres.create_database(context).await.expect("a database");
        setup = setup.with(&format!("contexts.{context}.database_url"), postgres.url(context));
    }
    keeps_its_budget(setup).await;
}
