//! Refuses requests with a card number in them.
//!
//! A card is charged by a provider's token. If a person or a program puts a card number into a field by mistake, the request is refused
//! before any of our code sees it, so the number is in no log, event or backup.
//!
//! One number in ten passes the check for a card number, so fields with other kinds of numbers are not searched: the contracts mark
//! them, and every other text is searched.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use mesh_foundation::{
    card_number,
    error::{Error, Reason, Refusal},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, Value};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tonic::{Code, Status, body::Body};

use super::{
    compression,
    content::Content,
    layer::{Around, Call, Method, Reply, Rest, refuse},
};

/// One byte for the compression flag, four for the length.
const FRAME_HEAD: usize = 5;

/// How long a request may take to arrive, whatever its deadline: the call holds a permit from here on, and a slow sender would keep it
/// from other callers.
const ARRIVES: Duration = Duration::from_secs(2);

/// A larger message is searched on a blocking thread, because that takes some milliseconds.
const LARGE: usize = 64 * 1024;

/// Concurrent searches of large messages: a decoded message of many small fields takes a hundred times its encoded size.
const LARGE_AT_ONCE: usize = 4;

/// Reads the request, looks for card numbers, and hands the request on as it was.
#[derive(Clone)]
pub(super) struct CardGuard {
    max_request_bytes: usize,
    large: Arc<Semaphore>,
}

impl CardGuard {
    pub(super) fn new(max_request_bytes: usize) -> Self {
        Self { max_request_bytes, large: Arc::new(Semaphore::new(LARGE_AT_ONCE)) }
    }

    /// The field of the `message` that has a card number in it.
    async fn search(&self, kind: &MessageDescriptor, message: &Bytes) -> Result<Option<String>, Error> {
        // Few requests have that many digits in a row: only those are searched field by field.
        if !card_number::may_be_in(message) {
            return Ok(None);
        }
        if message.len() <= LARGE {
            return Ok(card_number_field(kind.clone(), message.clone()));
        }
        let failed =
            |error: &dyn std::error::Error| Error::Internal(format!("failed to search for card numbers: {error}"));
        let turn = self.large.clone().acquire_owned().await.map_err(|error| failed(&error))?;
        let (kind, message) = (kind.clone(), message.clone());
        let search = move || {
            // Held by the search and not by the call, because the search goes on when the call is given up.
            let _turn = turn;
            card_number_field(kind, message)
        };
        spawn_blocking(search).await.map_err(|error| failed(&error))
    }
}

impl Around for CardGuard {
    async fn around(&self, mut call: Call, rest: &impl Rest) -> Reply {
        if let Some(refused) = compression::named_in(call.request.headers()) {
            return refused;
        }
        let body = std::mem::take(call.request.body_mut());
        let body = match timeout(ARRIVES, Limited::new(body, FRAME_HEAD + self.max_request_bytes).collect()).await {
            Err(_) => return refuse(too_slow()),
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return refuse(malformed(&call.method, format!("is larger than {} bytes", self.max_request_bytes)));
            }
            Ok(Err(error)) => return refuse(Status::from_error(error)),
        };
        let message = match message_in(&body) {
            Ok(message) => message,
            Err(Unreadable::Compressed) => {
                return compression::refused(&format!("the {} is compressed", call.method.input.name()));
            }
            Err(Unreadable::Malformed(problem)) => return refuse(malformed(&call.method, problem)),
        };
        let method = call.method.clone();
        match self.search(&method.input, &message).await {
            Ok(None) => {}
            Ok(Some(field)) => return refuse(card_number_in(field)),
            Err(error) => return refuse(error),
        }
        *call.request.body_mut() = Body::new(Full::new(body));
        let reply = rest.answer(call).await;
        // If tonic cannot decode a message, it answers INTERNAL, as if the server were at fault.
        if is_foreign_failure(&reply) && DynamicMessage::decode(method.input.clone(), message).is_err() {
            return refuse(malformed(&method, "cannot be decoded"));
        }
        reply
    }
}

fn card_number_field(kind: MessageDescriptor, message: Bytes) -> Option<String> {
    // If the message cannot be decoded here, the handler cannot decode it either.
    field_with_card_number(&DynamicMessage::decode(kind, message).ok()?)
}

/// Why a request's body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    /// It is compressed, which this server does not support.
    Compressed,
    /// It is not a message, and why.
    Malformed(&'static str),
}

/// The one message in a unary request's body.
fn message_in(body: &Bytes) -> Result<Bytes, Unreadable> {
    let Some((head, message)) = body.split_first_chunk::<FRAME_HEAD>() else {
        return Err(Unreadable::Malformed("has no message"));
    };
    let [compressed, length @ ..] = *head;
    match compressed {
        0 => {}
        1 => return Err(Unreadable::Compressed),
        _ => return Err(Unreadable::Malformed("begins with a byte that is not a compression flag")),
    }
    if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
        return Err(Unreadable::Malformed("is not exactly one message"));
    }
    Ok(body.slice(FRAME_HEAD..))
}

fn too_slow() -> Refusal {
    let message = format!("the request did not arrive within {} s", ARRIVES.as_secs());
    Refusal::new(Reason::DEADLINE_EXCEEDED, message).hint("nothing was done; send the complete request again")
}

fn malformed(method: &Method, problem: impl AsRef<str>) -> Refusal {
    Refusal::new(Reason::INVALID_FIELDS, format!("the {} {}", method.input.name(), problem.as_ref()))
}

fn card_number_in(field: String) -> Refusal {
    let mut refusal = Refusal::new(Reason::CARD_NUMBER_REFUSED, format!("{field} holds what looks like a card number"))
        .hint("send the token that your payment provider gave you for the card; if it is a telephone number, begin it with +")
        .with("field", &field);
    refusal.violations.push((field, "looks like a card number".to_owned()));
    refusal
}

/// Whether tonic, and not our code, answered INTERNAL.
fn is_foreign_failure(reply: &Reply) -> bool {
    Status::from_header_map(reply.headers())
        .is_some_and(|status| status.code() == Code::Internal && Refusal::from_status(&status).is_none())
}

/// The path, from the request's root, of a field with a card number in it.
fn field_with_card_number(message: &DynamicMessage) -> Option<String> {
    message.fields().find_map(|(field, value)| Some(join(field.name(), path_in(&field, value)?)))
}

/// The path of a card number within a field's `value`: empty if the value itself is the number.
fn path_in(field: &FieldDescriptor, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => is_in_text(field, text).then(String::new),
        Value::Bytes(bytes) => is_in_text(field, &String::from_utf8_lossy(bytes)).then(String::new),
        Value::Message(message) => field_with_card_number(message),
        Value::List(items) => {
            items.iter().enumerate().find_map(|(n, item)| Some(join(&format!("[{n}]"), path_in(field, item)?)))
        }
        // The map's key may be the card number, so the path does not name keys.
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            let in_key = key.as_str().is_some_and(card_number::is_in);
            if in_key { Some(String::new()) } else { path_in(field, value) }
        }),
        Value::Bool(_)
        | Value::I32(_)
        | Value::I64(_)
        | Value::U32(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::EnumNumber(_) => None,
    }
}

/// The field's kind is checked last, because few texts pass the first check.
fn is_in_text(field: &FieldDescriptor, text: &str) -> bool {
    card_number::is_in(text)
        && match Content::of(field) {
            Content::Anything => true,
            Content::Identifier => false,
            Content::TelephoneNumber => card_number::is_in_phones(text),
        }
}

fn join(head: &str, tail: String) -> String {
    match tail.as_str() {
        "" => head.to_owned(),
        tail if tail.starts_with('[') => format!("{head}{tail}"),
        tail => format!("{head}.{tail}"),
    }
}
