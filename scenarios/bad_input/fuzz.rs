//! Good requests, bent and bitten by chance: the same chance in every run, from one seed.

use futures::{StreamExt, stream};
use prost_reflect::{DynamicMessage, prost::Message};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::is_answer;
use crate::support::{
    Person,
    rpcs::{RPCS, Rpc},
    scene::Scene,
    wire,
};

/// What all chance comes from.
const SEED: u64 = 0x6a75_6d61_6b00;
/// How many requests each RPC gets.
const REQUESTS: usize = 100;
/// How many are asked at once.
const AT_ONCE: usize = 16;

/// What stands between texts and what changes their meaning.
const LETTERS: &str = "0123456789abcxyzABC-_/.:, '\"%\\\u{0}\n한é";

/// The pointers to everything in a request that is no object or list itself.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| leaves(value, &format!("{at}/{n}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// The request with another value in one of its fields, or without the field.
fn bend(chance: &mut StdRng, mut request: Value) -> Value {
    let mut found = Vec::new();
    leaves(&request, "", &mut found);
    let Some(pointer) = found.choose(chance) else { return request };
    if chance.random_ratio(1, 5) {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        if let Some(fields) = request.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.remove(name);
        }
        return request;
    }
    let leaf = request.pointer_mut(pointer).expect("it was found");
    *leaf = match &*leaf {
        Value::String(text) => json!(bend_text(chance, text)),
        Value::Number(_) => {
            let numbers = [0, 1, -1, 2, 10, 11, 255, 65_536, i64::from(i32::MAX), i64::from(i32::MIN)];
            json!(numbers.choose(chance))
        }
        Value::Bool(yes) => json!(!yes),
        other => other.clone(),
    };
    request
}

fn bend_text(chance: &mut StdRng, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = chance.random_range(0..=letters.len());
    let letter = LETTERS.chars().collect::<Vec<_>>().choose(chance).copied().unwrap_or(' ');
    match chance.random_range(0..5) {
        0 if at < letters.len() => drop(letters.remove(at)),
        1 => letters.insert(at, letter),
        2 => letters.truncate(at),
        3 => letters.extend_from_within(..at),
        _ if at < letters.len() => letters[at] = letter,
        _ => {}
    }
    letters.into_iter().collect()
}

/// The bytes with one to three bites in them; `others` is what else may be found in a request.
fn bite(chance: &mut StdRng, good: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..chance.random_range(1..=3) {
        let at = chance.random_range(0..=bytes.len());
        let end = (at + chance.random_range(0..=8)).min(bytes.len());
        match chance.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = chance.random(),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let twice = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, twice));
            }
            5 => drop(bytes.splice(at..at, chance.random::<[u8; 4]>())),
            // As large as a number can be: a length, an enum, an amount.
            6 => drop(bytes.splice(at..end, [0xff; 9].into_iter().chain([0x01]))),
            _ => {
                let other = others.choose(chance).expect("there are others");
                let from = chance.random_range(0..=other.len());
                drop(bytes.splice(at..end, other[from..].iter().copied()));
            }
        }
    }
    bytes
}

/// Asks all these RPCs with requests that are bent, and every third time bitten as well.
async fn asks_all(scene: &Scene, rpcs: &[&Rpc]) {
    let mut chance = StdRng::seed_from_u64(SEED);
    let good: Vec<Value> = rpcs.iter().map(|rpc| scene.request(rpc)).collect();
    let bytes = rpcs.iter().zip(&good).map(|(rpc, request)| wire::request(rpc.name, request).encode_to_vec());
    let bytes: Vec<Vec<u8>> = bytes.collect();
    let mut calls: Vec<(&Rpc, Person, Vec<u8>)> = Vec::new();
    for n in 0..REQUESTS {
        for ((rpc, request), good) in rpcs.iter().zip(&good).zip(&bytes) {
            let bent = bend(&mut chance, request.clone());
            // What JSON can no longer say is bitten instead.
            let bent = DynamicMessage::deserialize(wire::method(rpc.name).input(), bent);
            let request = match bent {
                Ok(bent) if n % 3 > 0 => bent.encode_to_vec(),
                _ => bite(&mut chance, good, &bytes),
            };
            calls.push((rpc, scene.by(rpc), request));
        }
    }
    let asked = stream::iter(calls).map(|(rpc, person, bytes)| async move {
        let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer = person.sends(rpc.name, bytes).await;
        is_answer(&format!("{} with {shown}", rpc.name), &answer);
        u32::from(answer.is_ok())
    });
    let answered = asked.buffer_unordered(AT_ONCE).fold(0, async |sum, one| sum + one).await;
    // Or chance goes so deep that nothing behind the decoder is ever reached.
    let least = u32::try_from(5 * rpcs.len()).expect("a small number");
    assert!(answered > least, "only {answered} requests were good enough to be answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bent_request_of_a_person_breaks_nothing_and_the_books_are_right() {
    let scene = Scene::set().await;
    let people: Vec<&Rpc> = RPCS.iter().filter(|rpc| !rpc.by.starts_with("contexts/")).collect();
    asks_all(&scene, &people).await;
    scene.guest.reservation(&scene.stay.name).await.expect("the server lives on");
    scene.inn.audit().await;
    scene.inn.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bent_request_of_a_context_breaks_nothing() {
    let scene = Scene::set().await;
    let contexts: Vec<&Rpc> = RPCS.iter().filter(|rpc| rpc.by.starts_with("contexts/")).collect();
    asks_all(&scene, &contexts).await;
    scene.guest.reservation(&scene.stay.name).await.expect("the server lives on");
    scene.inn.close().await;
}
