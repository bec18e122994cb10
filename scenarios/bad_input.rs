//! What must be refused, and how: everything that is wrong with a request at once, by its path, and nothing done.

mod books;
mod bounds;
mod bytes;
mod extremes;
mod fields;
mod fuzz;
mod meaning;
mod names;
mod pages;
mod writing;

use std::collections::BTreeSet;

use mesh::{Reason, Refusal};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::refusal;

/// The paths of all the faults that the status lists; none if it speaks of something else.
fn faults(status: &Status) -> Option<BTreeSet<String>> {
    let refusal = Refusal::from_status(status)?;
    let speaks_of_fields = status.code() == Code::InvalidArgument && refusal.reason == Reason::INVALID_FIELDS;
    speaks_of_fields.then(|| refusal.violations.into_iter().map(|(path, _)| path).collect())
}

/// Whether it is an answer that a caller can do something with: never a failure of ours, and never a bare status.
fn is_answer(what: &str, answer: &Result<impl Sized, Status>) {
    if let Err(status) = answer {
        refusal(status);
        assert!(!matches!(status.code(), Code::Internal | Code::Unknown), "{what}: {status:?}");
    }
}

/// Puts a value into a request at a path like `room.amenities[0]`; null takes away what is there.
fn put(request: &mut Value, path: &str, value: Value) {
    let pointer = format!("/{}", path.replace('[', ".").replace(']', "").replace('.', "/"));
    let (parent, name) = pointer.rsplit_once('/').expect("a path");
    let parent = reach(request, parent);
    match name.parse::<usize>() {
        Ok(at) => {
            let list = list(parent);
            list.resize(list.len().max(at + 1), json!({}));
            list[at] = value;
        }
        Err(_) if value.is_null() => drop(object(parent).remove(name)),
        Err(_) => drop(object(parent).insert(name.to_owned(), value)),
    }
}

/// What stands at a pointer, with whatever is missing on the way there.
fn reach<'a>(mut at: &'a mut Value, pointer: &str) -> &'a mut Value {
    for name in pointer.split('/').filter(|name| !name.is_empty()) {
        at = match name.parse::<usize>() {
            Ok(n) => {
                let list = list(at);
                list.resize(list.len().max(n + 1), json!({}));
                &mut list[n]
            }
            Err(_) => object(at).entry(name).or_insert(Value::Null),
        };
    }
    at
}

fn object(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("an object")
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = json!([]);
    }
    value.as_array_mut().expect("a list")
}
