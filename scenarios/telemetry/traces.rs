//! One booking, one trace.

use std::{collections::BTreeSet, path::Path};

use contracts::reservation::v1::{
    CreateReservationRequest, Reservation,
    reservation::{GuestDetails, State},
};
use jumak::house::Member;
use local_mesh::{Options, Servers, Variables};
use mesh::Role;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use tonic::Request;

use super::collector::{Collector, hex, number, text};
use crate::support::{Inn, contexts::heard, eventually, nights::two_nights, process::Process};

/// The provider takes it for a token that asks to be paid after 31 milliseconds.
const PAYMENT_TOKEN: &str = "tok_slow_00000000000000000000000031";
const FULL_NAME: &str = "Kanari Hwang-Bo";
const PHONE: &str = "010-97-53-24";
const NOTE: &str = "kanari needs a perch by the window";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const GUESTS_SPAN: &str = "00f067aa0ba902b7";
const CASE: &str = "the-case-of-the-canary";

const CONFIRMED: &str = "jumak.reservation.v1.reservation.confirmed";

/// The one span of that kind and name in which all is as `is` wants it; none before it has come.
fn find(spans: &[Span], kind: SpanKind, name: &str, is: impl Fn(&Span) -> bool) -> Option<Span> {
    let mut found = spans.iter().filter(|span| span.kind() == kind && span.name == name && is(span));
    let first = found.next().cloned();
    assert!(found.next().is_none(), "{name} is there twice: {spans:#?}");
    first
}

fn context(span: &Span) -> Option<String> {
    text(&span.attributes, "jumak.context")
}

/// The spans that one booking must leave.
struct Booking {
    create: Span,
    ask_payment: Span,
    pay: Span,
    ask_provider: Span,
    charge: Span,
    send: Span,
    show: Span,
}

impl Booking {
    fn in_trace(spans: &[Span]) -> Option<Self> {
        let any = |_: &Span| true;
        let create = "jumak.reservation.v1.ReservationService/CreateReservation";
        let pay = "jumak.payment.v1.PaymentService/CreatePayment";
        let charge = "jumak.provider.v1.ProviderService/CreateCharge";
        let by_mypage = |span: &Span| context(span).as_deref() == Some("mypage");
        Some(Self {
            create: find(spans, SpanKind::Server, create, any)?,
            ask_payment: find(spans, SpanKind::Client, pay, any)?,
            pay: find(spans, SpanKind::Server, pay, any)?,
            ask_provider: find(spans, SpanKind::Client, charge, any)?,
            charge: find(spans, SpanKind::Server, charge, any)?,
            send: find(spans, SpanKind::Producer, &format!("send {CONFIRMED}"), any)?,
            show: find(spans, SpanKind::Consumer, &format!("process {CONFIRMED}"), by_mypage)?,
        })
    }
}

impl Booking {
    fn hangs_together(&self) {
        let Self { create, ask_payment, pay, ask_provider, charge, send, show } = self;
        for (child, parent) in [
            (ask_payment, create),
            (pay, ask_payment),
            (ask_provider, pay),
            (charge, ask_provider),
            (send, create),
            (show, create),
        ] {
            assert_eq!(child.parent_span_id, parent.span_id, "{} is not below {}", child.name, parent.name);
        }
        let linked: Vec<_> = show.links.iter().map(|link| &link.span_id).collect();
        assert_eq!(linked, [&create.span_id], "an event that is handled names the span in which it was made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x_one_booking_is_one_trace_through_five_processes_and_the_broker() {
    let collector = Collector::listen().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
    ];
    let variables: Variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let options = Options {
        servers: Servers::Shared,
        env: Member::ALL.into_iter().map(|member| (member, variables.clone())).collect(),
        ..Options::new(Path::new(env!("CARGO_BIN_EXE_jumak")))
    };
    let inn = Inn::in_mesh(options).await;
    let (guest, host) = (inn.guest("alice"), inn.host("hanok"));
    let room = host.registers_a_room(1).await;
    let mut request = Request::new(two_nights(&room, Some("tok_approve")));
    let sent = format!("00-{TRACE}-{GUESTS_SPAN}-01");
    request.metadata_mut().insert("traceparent", sent.parse().expect("a header"));
    let booked = guest.reservations().create_reservation(request).await.expect("a stay").into_inner();
    guest.booking(&booked).await.expect("the guest's page");

    let booking =
        eventually("the whole trace is collected", || async { Booking::in_trace(&collector.trace(TRACE)) }).await;
    booking.hangs_together();
    for span in [&booking.send, &booking.show] {
        assert_eq!(text(&span.attributes, "messaging.system").as_deref(), Some("nats"), "{span:#?}");
    }
    let services: BTreeSet<String> = collector.services().into_iter().collect();
    let each: BTreeSet<String> = of_a_booking().await.iter().map(|member| format!("jumak-{member}")).collect();
    assert_eq!(services, each);
    inn.close().await;
}

/// The contexts that a booking comes to: whom reservation calls, whom those call, and who hears of it.
async fn of_a_booking() -> BTreeSet<Member> {
    let heard = heard().await.into_iter();
    let hears = |(member, tellers): (Member, Vec<Member>)| tellers.contains(&Member::RESERVATION).then_some(member);
    let mut found: BTreeSet<Member> = heard.filter_map(hears).collect();
    let mut next = vec![Member::RESERVATION];
    while let Some(member) = next.pop() {
        next.extend(member.callees());
        found.insert(member);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn x_one_booking_is_one_trace_through_every_context_and_tells_nothing_of_its_guest() {
    let collector = Collector::listen().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
        ("JUMAK_LOG__FILTER", "info,jumak::calls=debug"),
    ];
    let process = Process::start(&folder.path().join("data"), &variables).await;
    let channel = process.connect().await;
    let guest = process.person(&channel, "alice", &[Role::Guest]);
    let host = process.person(&channel, "hanok", &[Role::Host]);
    let room = host.registers_a_room(1).await;

    let wish = two_nights(&room, Some(PAYMENT_TOKEN));
    let details = GuestDetails { full_name: FULL_NAME.to_owned(), phone: PHONE.to_owned(), note: NOTE.to_owned() };
    let stay = Reservation { guest_details: Some(details), ..wish.reservation.expect("a stay") };
    let mut request = Request::new(CreateReservationRequest { reservation: Some(stay), ..wish });
    // The guest would rather not be traced. That is not for a guest to say.
    let sent = format!("00-{TRACE}-{GUESTS_SPAN}-00");
    request.metadata_mut().insert("traceparent", sent.parse().expect("a header"));
    request.metadata_mut().insert("tracestate", "guest=kanari".parse().expect("a header"));
    request.metadata_mut().insert("x-correlation-id", CASE.parse().expect("a header"));
    let booked = guest.reservations().create_reservation(request).await.expect("a stay").into_inner();
    assert_eq!(booked.state(), State::Confirmed);
    guest.booking(&booked).await.expect("the guest's page");

    let booking =
        eventually("the whole trace is collected", || async { Booking::in_trace(&collector.trace(TRACE)) }).await;
    let Booking { create, ask_payment, pay, ask_provider, charge, send, show } = &booking;
    assert_eq!(hex(&create.parent_span_id), GUESTS_SPAN, "the guest's trace goes on");
    booking.hangs_together();

    for span in collector.trace(TRACE) {
        assert_eq!(text(&span.attributes, "jumak.correlation_id").as_deref(), Some(CASE), "{span:#?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:#?}");
    }
    for span in [create, ask_payment, pay, ask_provider, charge] {
        assert_eq!(text(&span.attributes, "rpc.system").as_deref(), Some("grpc"), "{span:#?}");
        assert_eq!(number(&span.attributes, "rpc.grpc.status_code"), Some(0), "{span:#?}");
    }
    for span in [send, show] {
        assert_eq!(text(&span.attributes, "messaging.system").as_deref(), Some("embedded"), "{span:#?}");
        assert_eq!(text(&span.attributes, "messaging.destination.name").as_deref(), Some(CONFIRMED), "{span:#?}");
        assert_eq!(text(&span.attributes, "jumak.subject"), Some(booked.name.clone()), "{span:#?}");
    }
    let contexts: BTreeSet<String> = collector.trace(TRACE).iter().filter_map(context).collect();
    let everybody: BTreeSet<String> = of_a_booking().await.iter().map(|member| member.name().to_owned()).collect();
    assert_eq!(contexts, everybody);
    assert!(collector.services().iter().all(|service| service == "jumak"), "{:?}", collector.services());
    eventually("the metrics came too", || async {
        collector.metrics().iter().any(|name| name == "jumak.server.calls").then_some(())
    })
    .await;

    let secrets = [
        PAYMENT_TOKEN.to_owned(),
        FULL_NAME.to_owned(),
        PHONE.to_owned(),
        NOTE.to_owned(),
        "guest=kanari".to_owned(),
        guest.token(),
        host.token(),
        guest.name.clone(),
        host.name.clone(),
    ];
    drop((guest, host, channel));
    let log = process.stops().await;
    assert!(
        log.lines().any(|line| line.contains(TRACE) && line.contains(CASE)),
        "the log does not name the trace: {log}"
    );
    assert!(collector.holds(&booked.name), "nothing was looked through");
    for secret in secrets {
        assert!(!collector.holds(&secret), "the collector was told `{secret:.40}`");
    }
}
