use std::time::Duration;

use mesh::{
    bus::{Bus, ConsumerSpec, embedded::EmbeddedBus},
    config::Config,
    event::Event,
};

use super::{dead_letters::shown, open, republish};
use crate::{
    cli::{
        options::{ConfigOption, DataOption},
        target::TargetOption,
    },
    embedded::{Options, System},
    house::{DataFolder, Member},
};

fn event() -> Event {
    Event {
        id: uuid::Uuid::now_v7(),
        kind: "jumak.room.v1.RoomCreated".to_owned(),
        source: "room".to_owned(),
        subject: "rooms/1".to_owned(),
        route: "jumak.room.v1.room.created".to_owned(),
        time: mesh::Clock::system().now(),
        correlation_id: "case".to_owned(),
        causation_id: None,
        actor: "users/alice".to_owned(),
        sequence: 1,
        traceparent: None,
        data: vec![1, 2, 3],
    }
}

#[tokio::test]
async fn dead_letters_are_shown_and_replayed_while_another_process_uses_the_bus() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::at(folder.path());
    data.mark().unwrap();
    let running = EmbeddedBus::open(&data.bus_file()).await.unwrap();
    let events = [event(), event()];
    running.publish(&events).await.unwrap();
    let filters = vec!["jumak.>".to_owned()];
    let spec = ConsumerSpec { name: "stay".to_owned(), filters, ack_wait: Duration::from_secs(60) };
    let mut member = running.subscribe(spec).await.unwrap();
    let delivered = member.fetch(2, Duration::ZERO).await.unwrap();
    member.dead_letter(delivered[0].handle, "failed 5 times: internal").await.unwrap();

    let beside = open(&Config::default(), &data).await.unwrap();
    let letters = beside.dead_letters(10).await.unwrap();
    let expected = format!("stay\t{}\tjumak.room.v1.room.created\trooms/1\tfailed 5 times: internal", events[0].id);
    assert_eq!(letters.iter().map(shown).collect::<Vec<_>>(), [expected]);
    assert_eq!(beside.replay_dead_letters("stay").await.unwrap(), 1);
    let again = member.fetch(10, Duration::ZERO).await.unwrap();
    assert_eq!(again.len(), 1, "the unacknowledged event is still leased to the member");
    assert_eq!(again[0].data, delivered[0].data);
}

#[tokio::test]
async fn opening_the_bus_of_a_folder_without_one_fails_and_creates_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::at(folder.path());
    let error = open(&Config::default(), &data).await.err().unwrap();
    assert!(error.to_string().contains("bus.url is not set, and there is no bus in"), "{error:#}");
    assert!(!data.bus_file().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contexts_events_are_published_again_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::start(Options::in_folder(folder.path())).await.unwrap();
    let database = system.database("room").unwrap().clone();
    database.transact("tell", |tx| async move { mesh::outbox::append(&tx, event()).await }).await.unwrap();
    published(&database, None).await;
    let args = republish::Args {
        context: Member::ROOM,
        data: DataOption { data: Some(folder.path().to_owned()) },
        targeted: TargetOption { configured: ConfigOption { config: None }, target: None },
    };
    let before = published(&database, None).await;
    republish::run(&args).await.unwrap();
    published(&database, Some(before)).await;
    system.stop().await.unwrap();
}

/// Waits until the event is published at another time than `before`, and returns that time.
async fn published(database: &mesh::Database, before: Option<i64>) -> i64 {
    use mesh::store::entity::outbox::Entity;
    use sea_orm::EntityTrait;
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let row = Entity::find().one(database.read()).await.unwrap().unwrap();
        match row.publish_time {
            Some(time) if Some(time) != before => return time,
            _ => assert!(std::time::Instant::now() < deadline, "the event is not published"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
