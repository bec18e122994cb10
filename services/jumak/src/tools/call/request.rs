//! Parses a request from JSON.

use std::{io::Read, path::Path};

use anyhow::Context as _;
use mesh::text;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use uuid::Uuid;

use super::describe;

const REQUEST_ID: &str = "request_id";

/// Reads the request of `method` from `source`: JSON, `@` and a file with JSON, or `-` for JSON from standard input.
pub fn read(method: &MethodDescriptor, source: &str, request_id: Option<&str>) -> anyhow::Result<DynamicMessage> {
    let text = match (source, source.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes).and_then(|_| text::decode(bytes));
            read.context("failed to read standard input")?
        }
        (_, Some(path)) => text::read(Path::new(path)).with_context(|| format!("failed to read the file {path}"))?,
        _ => source.to_owned(),
    };
    let mut message = parse(method, &text)?;
    if let Some(id) = request_id {
        let field = method.input().get_field_by_name(REQUEST_ID);
        let field = field.with_context(|| format!("{} has no request id", method.name()))?;
        // The server treats an empty id as none.
        anyhow::ensure!(!id.trim().is_empty(), "the request id is empty; type one, or `auto` for a new one");
        let id = if id == "auto" { Uuid::now_v7().to_string() } else { id.to_owned() };
        message.set_field(&field, prost_reflect::Value::String(id));
    }
    Ok(message)
}

/// Parses the request of `method` from the JSON `text`.
pub fn parse(method: &MethodDescriptor, text: &str) -> anyhow::Result<DynamicMessage> {
    let mut json: Value = serde_json::from_str(text).context("the request is not valid JSON")?;
    spell_masks(&method.input(), &mut json);
    DynamicMessage::deserialize(method.input(), &json).map_err(|error| {
        let (path, reason) = fault(&method.input(), &json).unwrap_or_else(|| (String::new(), error.to_string()));
        anyhow::anyhow!(
            "the request is not a valid {}: {path}{reason}; `jumak call {} --describe` explains its fields",
            method.input().name(),
            method.name()
        )
    })
}

/// The path of the invalid field, and the reason. The JSON parser does not report the path, so the fields are parsed one by one.
fn fault(message: &MessageDescriptor, json: &Value) -> Option<(String, String)> {
    let Value::Object(members) = json else { return None };
    members.iter().find_map(|(name, value)| {
        let alone = Value::Object([(name.clone(), value.clone())].into_iter().collect());
        let error = DynamicMessage::deserialize(message.clone(), &alone).err()?;
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        // The parser's message already names an unknown field.
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
            below.unwrap_or_else(|| {
                (format!("{name}: "), format!("{error}; its type is {}", describe::type_name(&field)))
            }),
        )
    })
}

/// Converts field masks such as `nightly_rate` to `nightlyRate`, the only spelling that protobuf JSON accepts.
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
