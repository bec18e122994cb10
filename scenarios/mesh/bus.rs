//! The bus of the mesh: who may say what, and what becomes of an event that should not be there.

mod catching_up;
mod poison;

use std::time::Duration;

use contracts::{payment::v1 as payment, reservation::v1::reservation::State};
use jumak::{audit::Rule, house::Member};
use mesh::{
    Clock, Event,
    bus::{Bus, ConsumerSpec, jetstream::JetStreamBus},
    config::Config,
    event::route,
};
use prost::{Message, Name};
use uuid::Uuid;

use super::options;
use crate::support::{Inn, eventually, process::jumak};

/// A bus for the operator, who may do everything.
pub async fn operator(inn: &Inn) -> JetStreamBus {
    let bus = JetStreamBus::connect(&inn.config().bus, "operator").await.expect("a connection");
    ready(&bus).await;
    bus
}

async fn ready(bus: &JetStreamBus) {
    eventually("the broker answers", || async { bus.ready().await.ok() }).await;
}

/// An event as `context` would tell it.
fn event(context: &str, kind: &str, aggregate: &str, data: Vec<u8>) -> Event {
    let name = kind.rsplit('.').next().unwrap_or_default();
    Event {
        id: Uuid::now_v7(),
        kind: kind.to_owned(),
        source: context.to_owned(),
        subject: format!("{aggregate}s/{}", Uuid::now_v7()),
        route: route(context, aggregate, name),
        time: Clock::system().now(),
        correlation_id: "forged".to_owned(),
        causation_id: None,
        actor: format!("contexts/{context}"),
        sequence: 1,
        traceparent: None,
        data,
    }
}

/// What `jumak dead-letters` prints.
async fn dead_letters(inn: &Inn, arguments: &[&str]) -> String {
    let mut command = jumak();
    command.arg("dead-letters").arg("--config").arg(inn.mesh().await.config_file()).args(arguments);
    let printed = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("it runs");
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.status.success(), "{text}{}", String::from_utf8_lossy(&printed.stderr));
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_no_context_can_speak_on_the_bus_as_another() {
    let inn = Inn::in_mesh(options()).await;
    let contexts: Vec<Member> = Member::ALL.into_iter().filter(|member| member.uses_bus()).collect();
    for speaker in &contexts {
        let file = inn.folder().path().join(format!("{speaker}.toml"));
        let config =
            Config::from_sources(Some(&file), [], &Member::configured()).expect("the context's own configuration");
        let bus = JetStreamBus::connect(&config.bus, speaker.name()).await.expect("a connection");
        ready(&bus).await;
        for other in contexts.iter().filter(|other| *other != speaker) {
            let forged = event(other.name(), &format!("jumak.{other}.v1.ThingHappened"), "thing", Vec::new());
            let refused = bus.publish(&[forged]).await.expect_err("it is not published");
            let why = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
            let expected = format!("the broker does not permit publishing on jumak.{other}.v1.thing.happened");
            assert_eq!(why, expected, "{speaker} spoke as {other}");
        }
    }
    // Nothing of that is on the stream, where nothing has happened yet.
    let spec = ConsumerSpec {
        name: "listener".to_owned(),
        filters: vec!["jumak.>".to_owned()],
        ack_wait: Duration::from_secs(60),
    };
    let mut listener = operator(&inn).await.subscribe(spec).await.expect("a consumer");
    let heard = listener.fetch(10, Duration::from_secs(1)).await.expect("an answer");
    assert!(heard.is_empty(), "{heard:?}");
    inn.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x_a_forged_event_is_put_aside_with_its_reason_and_changes_nothing() {
    let inn = Inn::in_mesh(options()).await;
    let (host, alice) = (inn.host("hana"), inn.guest("alice"));
    let room = host.registers_a_room(10).await;
    let hold = alice.books(&room, None).await.expect("a hold");

    // "It is paid", says somebody who is not payment, in two ways.
    let approved = payment::PaymentApproved {
        payment: Some(payment::Payment {
            name: format!("payments/{}", Uuid::now_v7()),
            case: hold.name.clone(),
            state: payment::payment::State::Approved.into(),
            ..payment::Payment::default()
        }),
    };
    let kind = payment::PaymentApproved::full_name();
    let honest = event("payment", &kind, "payment", approved.encode_to_vec());
    let by_another = Event { id: Uuid::now_v7(), source: "room".to_owned(), ..honest.clone() };
    let of_another_kind = Event { id: Uuid::now_v7(), kind: "jumak.payment.v1.PaymentDeclined".to_owned(), ..honest };
    operator(&inn).await.publish(&[by_another, of_another_kind]).await.expect("the operator may do everything");

    // Whoever hears payment puts both aside: reservation and my page.
    let listed = eventually("both who hear it have put it aside", || async {
        let listed = dead_letters(&inn, &[]).await;
        (listed.lines().count() == 4).then_some(listed)
    })
    .await;
    for reason in [
        "undecodable: published on jumak.payment.v1.payment.approved, but declared as jumak.payment.v1.PaymentApproved from room",
        "undecodable: published on jumak.payment.v1.payment.approved, but declared as jumak.payment.v1.PaymentDeclined from payment",
    ] {
        let consumers: Vec<&str> =
            listed.lines().filter(|line| line.ends_with(reason)).filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(consumers.len(), 2, "{reason}: {listed}");
        assert!(consumers.contains(&"reservation"), "{listed}");
        assert!(consumers.iter().any(|consumer| consumer.starts_with("mypage-")), "{listed}");
    }

    // Nothing is paid, nobody else is held up, and the audit shows what was put aside and nothing else.
    assert_eq!(alice.reservation(&hold.name).await.expect("the hold").state(), State::Pending);
    let stay = inn.guest("bob").books(&room, Some("tok_approve")).await.expect("a stay");
    let booking = eventually("my page has heard of the booking", || async {
        inn.guest("bob").booking(&stay).await.ok().filter(|booking| booking.payment_state == "APPROVED")
    });
    assert_eq!(booking.await.state, "CONFIRMED");
    alice.cancels(&hold.name).await.expect("given up");
    let verdict = jumak::audit::settle(inn.folder(), inn.config(), Duration::from_secs(5)).await.expect("an audit");
    let rules: Vec<Rule> = verdict.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::EventsHandled; 2], "{:#?}", verdict.findings);
    inn.close().await;
}
