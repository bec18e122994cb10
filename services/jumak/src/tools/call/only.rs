//! One field of a reply, found in the contract before the call is made: a slip must not cost the answer.

use anyhow::{Context as _, bail};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

/// Where a field stands in any reply of one kind.
#[derive(Clone, Debug)]
pub struct Field {
    path: String,
    pointer: String,
    /// What the field holds where JSON leaves it out; none below a list or a map, of which a part may not be there.
    default: Option<String>,
}

/// What a step of a path leads to.
enum Place {
    Message(MessageDescriptor),
    List(Kind),
    Map(Kind),
    /// What JSON has as one value.
    Value,
    /// What only the reply knows.
    Anything,
}

impl Field {
    /// The field at `path`, with dots between the steps, of replies that are `reply`s.
    pub fn find(reply: &MessageDescriptor, path: &str) -> anyhow::Result<Self> {
        let mut place = Place::Message(reply.clone());
        let (mut pointer, mut default) = (String::new(), None);
        let mut is_certain = true;
        for step in path.split('.') {
            let name;
            (place, name) = match place {
                Place::Message(message) => {
                    let field = named(&message, step)?;
                    default = default_of(&field);
                    (of_field(&field), field.json_name().to_owned())
                }
                Place::List(kind) => {
                    let number: usize = step.parse().ok().with_context(|| {
                        format!("the reply's {path} cannot be: where `{step}` stands is a list; type a number, as in 0")
                    })?;
                    is_certain = false;
                    (of_kind(&kind), number.to_string())
                }
                Place::Map(kind) => {
                    is_certain = false;
                    (of_kind(&kind), step.to_owned())
                }
                Place::Value => {
                    bail!("the reply's {path} cannot be: there is nothing below what comes before `{step}`")
                }
                Place::Anything => {
                    is_certain = false;
                    (Place::Anything, step.to_owned())
                }
            };
            pointer.push('/');
            pointer.push_str(&name);
        }
        Ok(Self { path: path.to_owned(), pointer, default: default.filter(|_| is_certain) })
    }

    /// The field of that reply: text as it is, anything else as JSON.
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

/// The field of a message, as the contract or JSON spells it.
fn named(message: &MessageDescriptor, name: &str) -> anyhow::Result<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name)).with_context(|| {
        let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
        format!("a {} has no `{name}`; it has {}", message.name(), names.join(", "))
    })
}

fn of_field(field: &FieldDescriptor) -> Place {
    if field.is_list() {
        return Place::List(field.kind());
    }
    match field.kind() {
        Kind::Message(entry) if field.is_map() => Place::Map(entry.map_entry_value_field().kind()),
        kind => of_kind(&kind),
    }
}

fn of_kind(kind: &Kind) -> Place {
    match kind {
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Any" | "google.protobuf.Struct" | "google.protobuf.Value" => Place::Anything,
            "google.protobuf.ListValue" => Place::Anything,
            name if name.starts_with("google.protobuf.") => Place::Value,
            _ => Place::Message(message.clone()),
        },
        _ => Place::Value,
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
