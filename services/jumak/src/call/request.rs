//! From JSON to a request, and from a reply to one of its fields.

use std::{fs, io::Read};

use anyhow::Context as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::Value;
use uuid::Uuid;

const REQUEST_ID: &str = "request_id";

/// The request of `method` that `source` holds: JSON, `@` and a file with JSON, or `-` for JSON from standard input.
pub fn read(method: &MethodDescriptor, source: &str, request_id: Option<&str>) -> anyhow::Result<DynamicMessage> {
    let text = match (source, source.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            text
        }
        (_, Some(path)) => fs::read_to_string(path).with_context(|| format!("the file {path} cannot be read"))?,
        _ => source.to_owned(),
    };
    let mut message = parse(method, &text)?;
    if let Some(id) = request_id {
        let field = method.input().get_field_by_name(REQUEST_ID);
        let field = field.with_context(|| format!("{} takes no request id", method.name()))?;
        let id = if id == "auto" { Uuid::now_v7().to_string() } else { id.to_owned() };
        message.set_field(&field, prost_reflect::Value::String(id));
    }
    Ok(message)
}

/// The request of `method` that the JSON `text` says.
pub fn parse(method: &MethodDescriptor, text: &str) -> anyhow::Result<DynamicMessage> {
    let mut json: Value = serde_json::from_str(text).context("the request is no JSON")?;
    spell_masks(&method.input(), &mut json);
    DynamicMessage::deserialize(method.input(), json).map_err(|error| {
        anyhow::anyhow!(
            "the request is no {}: {error}; `jumak call {} --describe` explains its fields",
            method.input().name(),
            method.name()
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

/// One field of a reply, by its path with dots between the steps: text as it is, anything else as JSON.
pub fn field(reply: &DynamicMessage, path: &str) -> anyhow::Result<String> {
    let reply = serde_json::to_value(reply)?;
    let pointer: String = path.split('.').map(|step| format!("/{}", to_camel_case(step))).collect();
    match reply.pointer(&pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
        None => anyhow::bail!("the reply has no {path}"),
    }
}
