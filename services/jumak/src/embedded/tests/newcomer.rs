//! A context that is not in the list runs from its descriptor alone.

use std::time::{Duration, Instant};

use contracts::{payment::v1::Payment, reservation::v1::Reservation, room::v1::Room};
use mesh::{
    Descriptor, Role,
    context::{Handled, Parts, Rank, Subscription},
    hearing::Hearing,
    store::{
        Schema,
        entity::{inbox, outbox},
    },
};
use sea_orm::{EntityTrait, PaginatorTrait};
use tonic::service::Routes;

use super::{bearer, book, channel, create_room};
use crate::embedded::{Member, Options, System};

/// How long the test waits.
const PATIENCE: Duration = Duration::from_secs(20);

static NEWCOMER: Descriptor = Descriptor {
    name: "newcomer",
    about: "Hears all events and publishes none",
    services: &[],
    access: &[],
    rank: Rank::Supporting,
    calls: &[],
    cases: None,
    reasons: &[],
    reasons_of_others: &[],
    settings: None,
    hears: Some(Subscription::Projection),
    schema: Schema::new(Vec::new),
    assemble: |_, _| Box::pin(async { Ok(Parts::serving(Routes::default()).hearing(hearing())) }),
};

fn hearing() -> Hearing<()> {
    Hearing::new(())
        .on_any("room", |(), _, _: Room, _| Box::pin(async { Ok(Handled::Done) }))
        .on_any("reservation", |(), _, _: Reservation, _| Box::pin(async { Ok(Handled::Done) }))
        .on_any("payment", |(), _, _: Payment, _| Box::pin(async { Ok(Handled::Done) }))
}

async fn told(system: &System) -> u64 {
    let mut told = 0;
    for member in Member::ALL {
        let database = system.database(member.name()).unwrap();
        told += outbox::Entity::find().count(database.read()).await.unwrap();
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_added_later_hears_all_earlier_events() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::start(Options::in_folder(folder.path())).await.unwrap();
    let (connection, alice) = (channel(&system).await, bearer(&system, &[Role::Guest, Role::Host]));
    let room = create_room(&connection, &alice).await;
    book(&connection, &alice, &room).await;
    system.stop().await.unwrap();

    let mut options = Options::in_folder(folder.path());
    options.members.push(Member::of(&NEWCOMER));
    let system = System::start(options).await.unwrap();
    let told = told(&system).await;
    assert!(told >= 4, "a room, a hold, a payment and a confirmation are published: {told}");
    let (database, deadline) = (system.database("newcomer").unwrap(), Instant::now() + PATIENCE);
    loop {
        let heard = inbox::Entity::find().count(database.read()).await.unwrap();
        if heard == told {
            break;
        }
        assert!(Instant::now() < deadline, "{heard} of {told} events were heard");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    system.stop().await.unwrap();
}
