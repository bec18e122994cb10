//! `--only`: one field of a reply. The path is checked against the contract before the call, so that a typing error does not lose the
//! answer.

use anyhow::{Context as _, bail};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

/// A field's path in replies of one type.
#[derive(Clone, Debug)]
pub struct Field {
    path: String,
    pointer: String,
    /// The field's default, which JSON leaves out. None below a list or a map, because an element may be missing.
    default: Option<String>,
}

/// The type that a step of a path leads to.
enum Type {
    Message(MessageDescriptor),
    List(Kind),
    Map(Kind),
    /// A single JSON value.
    Value,
    /// A type that only the reply determines.
    Anything,
}

impl Field {
    /// The field at `path`, with dots between the steps, in replies of the type `reply`.
    pub fn find(reply: &MessageDescriptor, path: &str) -> anyhow::Result<Self> {
        let mut current = Type::Message(reply.clone());
        let (mut pointer, mut default) = (String::new(), None);
        let mut is_certain = true;
        for step in path.split('.') {
            let name;
            (current, name) = match current {
                Type::Message(message) => {
                    let field = named(&message, step)?;
                    default = default_of(&field);
                    (of_field(&field), field.json_name().to_owned())
                }
                Type::List(kind) => {
                    let number: usize = step.parse().ok().with_context(|| {
                        format!(
                            "the reply cannot have {path}: `{step}` must be the number of a list element, such as 0"
                        )
                    })?;
                    is_certain = false;
                    (of_kind(&kind), number.to_string())
                }
                Type::Map(kind) => {
                    is_certain = false;
                    (of_kind(&kind), step.to_owned())
                }
                Type::Value => {
                    bail!("the reply cannot have {path}: the field before `{step}` has no fields")
                }
                Type::Anything => {
                    is_certain = false;
                    (Type::Anything, step.to_owned())
                }
            };
            pointer.push('/');
            pointer.push_str(&name);
        }
        Ok(Self { path: path.to_owned(), pointer, default: default.filter(|_| is_certain) })
    }

    /// The field in `reply`: a string without quotes, anything else as JSON.
    pub fn of(&self, reply: &DynamicMessage) -> anyhow::Result<String> {
        let reply = serde_json::to_value(reply)?;
        match (reply.pointer(&self.pointer), &self.default) {
            (Some(Value::String(text)), _) => Ok(text.clone()),
            (Some(value), _) => Ok(value.to_string()),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => bail!("the reply has no {}", self.path),
        }
    }
}

/// The field of a message by its name in the contract or in JSON.
fn named(message: &MessageDescriptor, name: &str) -> anyhow::Result<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name)).with_context(|| {
        let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
        format!("a {} has no `{name}`; it has {}", message.name(), names.join(", "))
    })
}

fn of_field(field: &FieldDescriptor) -> Type {
    if field.is_list() {
        return Type::List(field.kind());
    }
    match field.kind() {
        Kind::Message(entry) if field.is_map() => Type::Map(entry.map_entry_value_field().kind()),
        kind => of_kind(&kind),
    }
}

fn of_kind(kind: &Kind) -> Type {
    match kind {
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Any" | "google.protobuf.Struct" | "google.protobuf.Value" => Type::Anything,
            "google.protobuf.ListValue" => Type::Anything,
            name if name.starts_with("google.protobuf.") => Type::Value,
            _ => Type::Message(message.clone()),
        },
        _ => Type::Value,
    }
}

fn default_of(field: &FieldDescriptor) -> Option<String> {
    if field.is_list() {
        return Some("[]".to_owned());
    }
    if field.is_map() {
        return Some("{}".to_owned());
    }
    Some(match field.kind() {
        Kind::String | Kind::Bytes => String::new(),
        Kind::Bool => false.to_string(),
        Kind::Enum(kind) => kind.default_value().name().to_owned(),
        Kind::Message(_) => Value::Null.to_string(),
        _ => 0.to_string(),
    })
}
