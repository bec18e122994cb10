//! From JSON to a request.

use std::{io::Read, path::Path};

use anyhow::Context as _;
use mesh::text;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use uuid::Uuid;

use super::describe;

const REQUEST_ID: &str = "request_id";

/// The request of `method` that `source` holds: JSON, `@` and a file with JSON, or `-` for JSON from standard input.
pub fn read(method: &MethodDescriptor, source: &str, request_id: Option<&str>) -> anyhow::Result<DynamicMessage> {
    let text = match (source, source.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes).and_then(|_| text::decode(bytes));
            read.context("standard input cannot be read")?
        }
        (_, Some(path)) => text::read(Path::new(path)).with_context(|| format!("the file {path} cannot be read"))?,
        _ => source.to_owned(),
    };
    let mut message = parse(method, &text)?;
    if let Some(id) = request_id {
        let field = method.input().get_field_by_name(REQUEST_ID);
        let field = field.with_context(|| format!("{} takes no request id", method.name()))?;
        // The server takes an empty one for none.
        anyhow::ensure!(!id.trim().is_empty(), "the request id is empty; type one, or `auto` for a new one");
        let id = if id == "auto" { Uuid::now_v7().to_string() } else { id.to_owned() };
        message.set_field(&field, prost_reflect::Value::String(id));
    }
    Ok(message)
}

/// The request of `method` that the JSON `text` says.
pub fn parse(method: &MethodDescriptor, text: &str) -> anyhow::Result<DynamicMessage> {
    let mut json: Value = serde_json::from_str(text).context("the request is no JSON")?;
    spell_masks(&method.input(), &mut json);
    DynamicMessage::deserialize(method.input(), &json).map_err(|error| {
        let (path, reason) = fault(&method.input(), &json).unwrap_or_else(|| (String::new(), error.to_string()));
        anyhow::anyhow!(
            "the request is no {}: {path}{reason}; `jumak call {} --describe` explains its fields",
            method.input().name(),
            method.name()
        )
    })
}

/// The field that cannot be read, by its path, and why. The reader of JSON does not say where it was, so the fields are read one by one.
fn fault(message: &MessageDescriptor, json: &Value) -> Option<(String, String)> {
    let Value::Object(members) = json else { return None };
    members.iter().find_map(|(name, value)| {
        let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        let error = DynamicMessage::deserialize(message.clone(), &alone).err()?;
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        // A name that there is not is in the reader's words already.
        let Some(field) = field else { return Some((String::new(), error.to_string())) };
        let below = match field.kind() {
            Kind::Message(kind) if !field.is_map() && !kind.full_name().starts_with("google.protobuf.") => {
                match value {
                    Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
                        fault(&kind, item).map(|(path, reason)| (format!("{name}.{at}.{path}"), reason))
                    }),
                    value => fault(&kind, value).map(|(path, reason)| (format!("{name}.{path}"), reason)),
                }
            }
            _ => None,
        };
        Some(
            below.unwrap_or_else(|| (format!("{name}: "), format!("{error}; it is a {}", describe::type_name(&field)))),
        )
    })
}

/// The contract spells a field mask `nightly_rate`, and proto's JSON takes only `nightlyRate`: both are taken here.
fn spell_masks(message: &MessageDescriptor, json: &mut Value) {
    let Value::Object(members) = json else { return };
    for (name, value) in members {
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        let Some(Kind::Message(kind)) = field.as_ref().map(FieldDescriptor::kind) else { continue };
        match value {
            Value::String(mask) if kind.full_name() == "google.protobuf.FieldMask" => *mask = to_camel_case(mask),
            Value::Array(items) => items.iter_mut().for_each(|item| spell_masks(&kind, item)),
            value => spell_masks(&kind, value),
        }
    }
}

fn to_camel_case(text: &str) -> String {
    let mut camel = String::with_capacity(text.len());
    let mut starts = false;
    for letter in text.chars() {
        if letter == '_' {
            starts = true;
        } else if starts {
            camel.extend(letter.to_uppercase());
            starts = false;
        } else {
            camel.push(letter);
        }
    }
    camel
}
