//! Every RPC with nothing in its request, and with too much of everything: whatever it answers, it answers soon, and with a reason.

use std::time::Duration;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value, prost::Message};
use tokio::time::Instant;

use super::is_answer;
use crate::support::{Person, rpcs::RPCS, scene::Scene, wire};

/// What an answer to such a request may take.
const SOON: Duration = Duration::from_secs(1);

/// What stands in every field of a kind.
struct Filling {
    what: &'static str,
    text: fn() -> String,
    number: i64,
    float: f64,
    items: usize,
}

const FILLINGS: &[Filling] = &[
    filling("long texts", || "x".repeat(10_000), 1, 1.0, 1),
    filling("long texts of letters of three bytes", || "한".repeat(10_000), 1, 1.0, 1),
    filling("nulls", || "\u{0}".repeat(3), 0, 0.0, 1),
    filling("control characters and quotes", || "\u{1b}[2J\r\n'\"`;--\\%_!\u{202e}\u{feff}".to_owned(), -1, -1.0, 1),
    filling("the largest numbers", || "9".repeat(40), i64::MAX, f64::INFINITY, 1),
    filling("the smallest numbers", || "-9".repeat(40), i64::MIN, f64::NEG_INFINITY, 1),
    filling("what is no number", || "NaN".to_owned(), -2_147_483_648, f64::NAN, 1),
    filling("long lists", || "a".to_owned(), 1, 1.0, 3_000),
    filling("long lists of what is none of it", || "?".repeat(300), 99, 1e300, 3_000),
];

const fn filling(what: &'static str, text: fn() -> String, number: i64, float: f64, items: usize) -> Filling {
    Filling { what, text, number, float, items }
}

impl Filling {
    /// A request with all of its fields filled. No message of the contracts holds its own kind.
    fn fill(&self, descriptor: MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let value = self.value(&field);
            let value = if field.is_list() { Value::List(vec![value; self.items]) } else { value };
            message.set_field(&field, value);
        }
        message
    }

    fn value(&self, field: &FieldDescriptor) -> Value {
        let narrow = i32::try_from(self.number).unwrap_or(if self.number > 0 { i32::MAX } else { i32::MIN });
        match field.kind() {
            Kind::String => Value::String((self.text)()),
            Kind::Message(inner) => Value::Message(self.fill(inner)),
            Kind::Enum(_) => Value::EnumNumber(narrow),
            Kind::Int32 => Value::I32(narrow),
            Kind::Int64 => Value::I64(self.number),
            Kind::Double => Value::F64(self.float),
            Kind::Bool => Value::Bool(true),
            kind => panic!("{} is of a kind that this does not fill: {kind:?}", field.full_name()),
        }
    }
}

/// It is answered, and soon. A machine that was busy with something else is given a second chance.
async fn answers_soon(what: &str, person: &Person, rpc: &str, message: &[u8]) {
    for last in [false, true] {
        let begun = Instant::now();
        let answer = person.sends(rpc, message.to_vec()).await;
        let took = begun.elapsed();
        is_answer(what, &answer);
        if took < SOON {
            return;
        }
        assert!(!last, "{what} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_nothing_in_it_is_answered() {
    let scene = Scene::set().await;
    for rpc in RPCS {
        answers_soon(rpc.name, &scene.by(rpc), rpc.name, &[]).await;
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_too_much_in_it_is_answered() {
    let scene = Scene::set().await;
    for rpc in RPCS {
        let person = scene.by(rpc);
        for filling in FILLINGS {
            let what = format!("{} with {}", rpc.name, filling.what);
            let message = filling.fill(wire::method(rpc.name).input()).encode_to_vec();
            answers_soon(&what, &person, rpc.name, &message).await;
        }
    }
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_request_with_one_long_text_in_it_is_answered() {
    let scene = Scene::set().await;
    for rpc in RPCS {
        let (person, good) = (scene.by(rpc), wire::request(rpc.name, &scene.request(rpc)));
        for way in wire::texts(&good.descriptor()) {
            let mut request = good.clone();
            let path = wire::put_text(&mut request, &way, &"x".repeat(10_000));
            let what = format!("{} with a long {path}", rpc.name);
            answers_soon(&what, &person, rpc.name, &request.encode_to_vec()).await;
        }
    }
    scene.inn.close().await;
}
