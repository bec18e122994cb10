//! Rows X: what is asked of all of them.

use contracts::reservation::v1::reservation::State;
use jiff::SignedDuration;
use jumak::audit::{self, Rule};
use mesh::{db::Engine, store::entity::outbox};
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::support::{Inn, eventually, nights::two_nights, reason, setup::Setup};

#[tokio::test]
async fn x1_taking_the_supporting_context_away_harms_no_core_one() {
    let inn = Inn::with(Setup::new().without_my_page()).await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    guest.cancels(&made.name).await.expect("cancelled");
    guest.reservation_in(&made.name, State::Cancelled).await;
    inn.close().await;
}

#[tokio::test]
async fn x3_every_event_of_a_case_names_that_case() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(2).await;
    let mut request = tonic::Request::new(two_nights(&room, Some("tok_approve")));
    request.metadata_mut().insert("x-correlation-id", "case-of-alice".parse().expect("a header"));
    let made = guest.reservations().create_reservation(request).await.expect("a reservation").into_inner();
    let other = guest.books(&room, Some("tok_approve")).await.expect("another reservation");
    guest.cancels(&made.name).await.expect("cancelled");
    guest.reservation_in(&made.name, State::Cancelled).await;
    let mut of_the_case = 0;
    for context in ["reservation", "payment"] {
        let database = inn.database(context).await;
        for event in outbox::Entity::find().all(database.read()).await.expect("an outbox") {
            assert!(!event.correlation_id.is_empty(), "{event:?}");
            if event.subject == other.name {
                assert_ne!(event.correlation_id, "case-of-alice");
            }
            of_the_case += usize::from(event.correlation_id == "case-of-alice");
        }
    }
    // Held, Confirmed, CancelRequested, Cancelled; Approved, Refunded.
    assert_eq!(of_the_case, 6);
    inn.close().await;
}

#[tokio::test]
async fn x13_what_changes_in_operation_is_configuration() {
    let inn = Inn::with(Setup::new().with("checkout.hold_ms", 1_000).with("checkout.max_open_holds", 1)).await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(5).await;
    let held = guest.books(&room, None).await.expect("a hold");
    assert_eq!(reason(&guest.books(&room, None).await.expect_err("one hold")), "TOO_MANY_HOLDS");
    guest.reservation_in(&held.name, State::Expired).await;
    guest.books(&room, None).await.expect("another hold");
    inn.close().await;
}

#[tokio::test]
async fn z9_a_system_that_is_stopped_and_started_again_knows_all_it_knew() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let made = guest.books(&room, Some("tok_approve")).await.expect("a reservation");
    let inn = inn.rests().await.opens().await;
    let guest = inn.guest("alice");
    assert_eq!(guest.reservation(&made.name).await.expect("known").state(), State::Confirmed);
    assert_eq!(
        reason(&inn.guest("bob").books(&room, Some("tok_approve")).await.expect_err("sold")),
        "ROOM_UNAVAILABLE"
    );
    guest.booking(&made).await.expect("on my page");
    inn.audit().await;
    inn.close().await;
}

/// The provider decides late about a charge, and cannot store its decision.
#[tokio::test]
async fn the_audit_names_a_background_task_that_fails_until_it_succeeds_again() {
    let inn = Inn::open().await;
    let (host, guest) = (inn.host("henry"), inn.guest("alice"));
    let room = host.registers_a_room(1).await;
    let provider = inn.database("provider").await;
    let engine = match provider.engine() {
        Engine::Sqlite => servers::engine::Engine::Sqlite,
        Engine::Postgres => servers::engine::Engine::Postgres,
        Engine::MySql => servers::engine::Engine::MariaDb,
    };
    let run = async |sql: String| provider.for_migrations().execute_unprepared(&sql).await.expect("a statement");
    let read =
        async || audit::read(inn.folder(), inn.config(), SignedDuration::from_hours(1)).await.expect("a reading");
    eventually("every process has reported", || async {
        let tasks = read().await.tasks;
        assert!(tasks.iter().all(|task| task.is_up), "{tasks:#?}");
        tasks.iter().any(|task| task.report.task == "provider.late").then_some(())
    })
    .await;
    let findings = async || {
        let mut found = audit::check(&read().await);
        found.retain(|finding| finding.rule == Rule::TasksRun);
        found
    };
    assert_eq!(findings().await, []);
    run(engine.to_refuse("UPDATE", "charge")).await;
    let unknown = guest.books(&room, Some("tok_timeout_then_approved")).await.expect_err("not decided yet");
    assert_eq!(reason(&unknown), "PAYMENT_PENDING");
    let found = eventually("the task is found", || async { findings().await.pop() }).await;
    assert!(
        found.resource.starts_with("provider.late in process ") && found.sentence.contains("turns failed"),
        "{found}"
    );
    run(engine.to_refuse_no_more("charge")).await;
    inn.audit().await;
    inn.close().await;
}
