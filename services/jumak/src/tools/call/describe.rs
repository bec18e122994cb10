//! Describes an RPC and its request, with the contract's comments.

use std::{collections::HashMap, fmt::Write};

use anyhow::Context as _;
use prost_reflect::{
    Cardinality, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, Value,
};

/// How deep nested messages are explained. Deeper ones are only named.
const MAX_DEPTH: usize = 4;
/// `google.api.FieldBehavior`.
const OUTPUT_ONLY: i32 = 3;
const REQUIRED: i32 = 2;
const IMMUTABLE: i32 = 5;

/// The RPC, its comment, and the fields of its request that a caller may set.
pub fn describe(method: &MethodDescriptor) -> anyhow::Result<String> {
    let mut text = format!(
        "{}({}) returns {}{}\n",
        method.name(),
        method.input().name(),
        if method.is_server_streaming() { "a stream of " } else { "" },
        method.output().name(),
    );
    writeln!(text, "{}", method.parent_service().full_name())?;
    for line in comment(&method.parent_file(), method.path()).lines() {
        write!(text, "\n  {line}")?;
    }
    writeln!(text, "\n\nThe request:")?;
    fields(&mut text, &method.input(), 1).context("failed to describe the request")?;
    Ok(text.trim_end().to_owned())
}

/// The first sentence of the comment.
pub fn summary(method: &MethodDescriptor) -> String {
    let comment = comment(&method.parent_file(), method.path()).replace('\n', " ");
    let end = comment.find(['.', ':', ';']).unwrap_or(comment.len());
    comment[..end].to_owned()
}

/// Whether only contexts may call it.
pub fn is_internal(method: &MethodDescriptor) -> bool {
    let pool = method.parent_pool();
    let Some(visibility) = pool.get_extension_by_name("google.api.method_visibility") else { return false };
    let options = method.options();
    let rule = options.get_extension(&visibility);
    let restriction = rule.as_message().and_then(|rule| rule.get_field_by_name("restriction"));
    restriction.as_deref().and_then(Value::as_str) == Some("INTERNAL")
}

fn fields(text: &mut String, message: &MessageDescriptor, depth: usize) -> std::fmt::Result {
    let indent = "  ".repeat(depth);
    let comments = Comments::of(&message.parent_file());
    for field in message.fields() {
        let behaviors = behaviors(&field);
        if behaviors.contains(&OUTPUT_ONLY) {
            continue;
        }
        write!(text, "\n{indent}{}  {}", field.name(), type_name(&field))?;
        if behaviors.contains(&REQUIRED) {
            text.push_str("  (required)");
        }
        if behaviors.contains(&IMMUTABLE) {
            text.push_str("  (never changes)");
        }
        for line in comments.at(field.path()).lines() {
            write!(text, "\n{indent}    {line}")?;
        }
        text.push('\n');
        match field.kind() {
            Kind::Enum(kind) => values(text, &kind, depth)?,
            Kind::Message(kind) if depth < MAX_DEPTH && !kind.full_name().starts_with("google.protobuf.") => {
                fields(text, &kind, depth + 1)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn values(text: &mut String, kind: &EnumDescriptor, depth: usize) -> std::fmt::Result {
    let indent = "  ".repeat(depth + 2);
    let comments = Comments::of(&kind.parent_file());
    // The value 0 means that the field is not set, so a caller does not type it.
    for value in kind.values().filter(|value| value.number() != 0) {
        writeln!(text, "{indent}{}  {}", value.name(), comments.at(value.path()).replace('\n', " "))?;
    }
    Ok(())
}

/// The type of a field, for a person.
pub fn type_name(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(kind) => kind.name().to_owned(),
        Kind::Enum(kind) => kind.name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    if field.cardinality() == Cardinality::Repeated { format!("list of {kind}") } else { kind }
}

fn behaviors(field: &FieldDescriptor) -> Vec<i32> {
    let Some(extension) = field.parent_pool().get_extension_by_name("google.api.field_behavior") else {
        return Vec::new();
    };
    let options: DynamicMessage = field.options();
    let behaviors = options.get_extension(&extension);
    behaviors.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number).collect()
}

fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    Comments::of(file).at(path).to_owned()
}

/// The comments of one file, by the paths of the elements that they document.
struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    fn of(file: &FileDescriptor) -> Self {
        let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
        Self(locations.map(|location| (location.path.clone(), plain(location.leading_comments()))).collect())
    }

    fn at(&self, path: &[i32]) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }
}

/// A comment without the blank that follows each `//`.
fn plain(comment: &str) -> String {
    let lines: Vec<&str> = comment.trim_end().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}
