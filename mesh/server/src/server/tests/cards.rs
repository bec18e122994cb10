use std::collections::BTreeSet;

use mesh_foundation::error::Reason;
use mesh_transport::auth::access::methods_of;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::*;
use crate::server::{content::Content, contracts};

const CARD: &str = "4242 4242 4242 4242";

/// A way into a request: fields from the root down to one that holds text.
type Path = Vec<FieldDescriptor>;

/// Every way to a text. A message that holds its own kind is entered once.
fn paths_to_text(message: &MessageDescriptor, above: &[MessageDescriptor]) -> Vec<Path> {
    if above.contains(message) {
        return Vec::new();
    }
    let above = [above, std::slice::from_ref(message)].concat();
    let below = |field: FieldDescriptor| -> Vec<Path> {
        let kind = if field.is_map() { map_value(&field).kind() } else { field.kind() };
        match kind {
            Kind::String | Kind::Bytes => vec![vec![field]],
            Kind::Message(inner) => {
                let ways = paths_to_text(&inner, &above).into_iter();
                ways.map(|way| [vec![field.clone()], way].concat()).collect()
            }
            _ => Vec::new(),
        }
    };
    message.fields().flat_map(below).collect()
}

fn map_value(field: &FieldDescriptor) -> FieldDescriptor {
    match field.kind() {
        Kind::Message(entry) => entry.map_entry_value_field(),
        _ => unreachable!("a map is a message"),
    }
}

/// A message with a card number at the end of `path`, and the path as the refusal has to name it.
fn with_card(message: MessageDescriptor, path: &[FieldDescriptor]) -> (DynamicMessage, String) {
    with_text(message, path, &format!("pay with {CARD}, please"))
}

fn with_text(message: MessageDescriptor, path: &[FieldDescriptor], text: &str) -> (DynamicMessage, String) {
    let (field, rest) = path.split_first().unwrap();
    let kind = if field.is_map() { map_value(field).kind() } else { field.kind() };
    let (value, below) = match kind {
        Kind::Message(inner) => {
            let (inner, below) = with_text(inner, rest, text);
            (Value::Message(inner), format!(".{below}"))
        }
        Kind::Bytes => (Value::Bytes(Bytes::copy_from_slice(text.as_bytes())), String::new()),
        _ => (Value::String(text.to_owned()), String::new()),
    };
    let mut whole = DynamicMessage::new(message);
    let name = field.name();
    if field.is_map() {
        let key = prost_reflect::MapKey::String("key".to_owned());
        whole.set_field(field, Value::Map([(key, value)].into()));
        (whole, format!("{name}{below}"))
    } else if field.is_list() {
        let harmless = Value::default_value(&field.kind());
        whole.set_field(field, Value::List(vec![harmless, value]));
        (whole, format!("{name}[1]{below}"))
    } else {
        whole.set_field(field, value);
        (whole, format!("{name}{below}"))
    }
}

/// The stack around every service of the contracts, open to anyone, with a handler that must not be reached.
fn everything(issuer: &SigningKey) -> (ContextService, Vec<String>) {
    let pool = contracts().unwrap();
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let services: Vec<&'static str> = pool
        .services()
        .map(|service| service.full_name().to_owned())
        .filter(|name| name.starts_with("jumak."))
        .map(leak)
        .collect();
    assert!(services.len() >= 4, "{services:?}");
    let methods: Vec<String> = methods_of(pool, &services).into_iter().collect();
    let rules: Vec<Rule> = methods.iter().map(|method| Rule::anyone(leak(method.clone()))).collect();
    let handler = service_fn(|request: Request<axum::body::Body>| async move {
        Ok::<_, Infallible>(Status::unknown(format!("{} was reached", request.uri().path())).into_http::<Body>())
    });
    let routes = Routes::from(axum::Router::new().route_service("/{*path}", handler));
    let parts = Parts { name: "test", services: services.leak(), routes, access: rules.leak(), owners: [].into() };
    let verifier = verifier(issuer, &SigningKey::generate());
    (ContextService::of(parts, pool, verifier, &LimitsConfig::default()).unwrap(), methods)
}

/// What a request with a text of its own in each place is answered, with the field and its path.
async fn answers(
    put: impl Fn(MessageDescriptor, &[FieldDescriptor]) -> (DynamicMessage, String),
) -> Vec<(FieldDescriptor, String, Answer)> {
    let key = SigningKey::generate();
    let token = Issuer::new("jumak", "jumak", key.clone()).mint_user("alice", &[], Duration::from_secs(60)).unwrap();
    let (service, methods) = everything(&key);
    let mut answers = Vec::new();
    for method in methods {
        let (service_name, method_name) = method.split_once('/').unwrap();
        let descriptor = contracts().unwrap().get_service_by_name(service_name).unwrap();
        let input = descriptor.methods().find(|method| method.name() == method_name).unwrap().input();
        for path in paths_to_text(&input, &[]) {
            let (message, shown) = put(input.clone(), &path);
            let mut request = request("", &token, framed(&message.encode_to_vec()));
            *request.uri_mut() = format!("http://test/{method}").parse().unwrap();
            let answer = Answer::read(service.clone().oneshot(request).await.unwrap()).await;
            answers.push((path.last().unwrap().clone(), shown, answer));
        }
    }
    answers
}

#[tokio::test]
async fn a_card_number_is_refused_in_every_text_that_is_no_identifier() {
    let mut searched = BTreeSet::new();
    for (field, shown, answer) in answers(with_card).await {
        let name = field.full_name();
        if Content::of(&field) == Content::Identifier {
            assert!(answer.status.message().ends_with("was reached"), "{name}: {:?}", answer.status);
            continue;
        }
        let refusal = Refusal::from_status(&answer.status)
            .unwrap_or_else(|| panic!("{name} lets a card number pass: {:?}", answer.status));
        assert_eq!(refusal.reason, Reason::CardNumberRefused, "{name}");
        assert_eq!(refusal.violations[0].0, shown, "{name}");
        assert!(!answer.status.message().contains("4242"), "the number must not be repeated");
        searched.insert(field.name().to_owned());
    }
    // By hand: what people write, and what is handed to a provider, is searched whatever the contracts say.
    for name in [
        "full_name",
        "phone",
        "note",
        "reason",
        "token",
        "number",
        "display_name",
        "description",
        "place",
        "amenities",
        "paths",
    ] {
        assert!(searched.contains(name), "{name} is not searched");
    }
}

#[tokio::test]
async fn an_identifier_is_what_the_contracts_call_one() {
    let pool = contracts().unwrap();
    let messages = pool.all_messages().filter(|message| message.full_name().starts_with("jumak."));
    let texts =
        messages.flat_map(|message| message.fields().collect::<Vec<_>>()).filter(|field| field.kind() == Kind::String);
    let (mut names, mut others) = (BTreeSet::new(), BTreeSet::new());
    for field in texts {
        match Content::of(&field) {
            Content::Identifier => names.insert(field.name().to_owned()),
            Content::TelephoneNumber => others.insert(field.full_name().to_owned()),
            Content::Anything => false,
        };
    }
    let expected = [
        "account",
        "case",
        "charge_id",
        "counterparty",
        "etag",
        "guest",
        "host",
        "name",
        "page_token",
        "parent",
        "payee",
        "payer",
        "payment",
        "payment_id",
        "position",
        "refund_id",
        "request_id",
        "room",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert_eq!(others, ["jumak.reservation.v1.Reservation.GuestDetails.phone".to_owned()].into());
}

#[tokio::test]
async fn a_phone_number_is_not_a_card() {
    let put = |message: MessageDescriptor, path: &[FieldDescriptor]| with_text(message, path, "5511900000002");
    let mut phones = 0;
    for (field, _, answer) in answers(put).await {
        let refused = Refusal::from_status(&answer.status).map(|refusal| refusal.reason);
        match Content::of(&field) {
            Content::Anything => assert_eq!(refused, Some(Reason::CardNumberRefused), "{}", field.full_name()),
            Content::Identifier => assert_eq!(refused, None, "{}", field.full_name()),
            Content::TelephoneNumber => {
                assert_eq!(refused, None, "{}", field.full_name());
                phones += 1;
            }
        }
    }
    assert!(phones > 0);
}

#[tokio::test]
async fn a_request_without_a_card_number_passes_as_it_is() {
    let bench = bench();
    for text in ["", "a booking for two", "rooms/aaaa4111-1111-7111-8113-aaaaaaaaaaaa", "+82 10-1234-5678"] {
        assert_eq!(bench.call("Do", text).await.text(), text);
    }
}

#[tokio::test]
async fn a_request_that_is_no_message_is_the_callers_fault() {
    let bench = bench();
    let token = bench.user(&[Role::Guest]);
    let odd_flag = { [&[2][..], &framed(&message("x"))[1..]].concat() };
    let two = [framed(&message("x")), framed(&message("y"))].concat();
    let broken = framed(&[0x0a, 0x7f]);
    let broken_with_digits = framed(b"\x0a\x7f4242424242424242");
    for body in [Bytes::new(), odd_flag.into(), two.into(), broken, broken_with_digits] {
        let answer = bench.send(request("Do", &token, body)).await;
        assert_eq!(answer.refusal().reason, Reason::InvalidFields, "{answer:?}");
    }
}

#[tokio::test]
async fn a_compressed_request_is_told_that_plain_ones_are_taken() {
    let bench = bench();
    let token = bench.user(&[Role::Guest]);
    let compressed = [&[1][..], &framed(&message("x"))[1..]].concat();
    let by_flag = request("Do", &token, compressed.clone().into());
    let mut by_both = request("Do", &token, compressed.into());
    by_both.headers_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let mut by_header = bench.request("Do", "x");
    by_header.headers_mut().insert("grpc-encoding", "z".repeat(9_000).parse().unwrap());
    for request in [by_flag, by_both, by_header] {
        let answer = bench.send(request).await;
        assert_eq!(answer.status.code(), Code::Unimplemented, "{answer:?}");
        assert_eq!(answer.headers["grpc-accept-encoding"], "identity");
        assert!(answer.status.message().len() < 300, "{answer:?}");
    }
    let mut plain = bench.request("Do", "x");
    plain.headers_mut().insert("grpc-encoding", "identity".parse().unwrap());
    assert_eq!(bench.send(plain).await.text(), "x");
}

#[tokio::test]
async fn a_request_is_bounded() {
    let bench = bench_with(LimitsConfig { max_request_bytes: 1_024, ..LimitsConfig::default() });
    assert_eq!(bench.call("Do", &"x".repeat(1_000)).await.text().len(), 1_000);
    let answer = bench.call("Do", &"x".repeat(1_100)).await;
    assert_eq!(answer.refusal().reason, Reason::InvalidFields);
    assert!(answer.status.message().contains("larger than 1024 bytes"));
}
