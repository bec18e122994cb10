//! The kind of a text field, from the contracts.

use prost_reflect::{FieldDescriptor, Value};

/// The kind of a text field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Free text, or a field without a mark in the contracts.
    Anything,
    /// An identifier: a resource name, a request id, a page token.
    Identifier,
    /// A telephone number.
    TelephoneNumber,
}

impl Content {
    /// The kind of `field`.
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        use contracts::{google::api::FieldBehavior, types::v1::Content as Declared};
        let (pool, options) = (field.parent_file().parent_pool().clone(), field.options());
        let option = |name: &str| {
            let option = pool.get_extension_by_name(name).filter(|option| options.has_extension(option))?;
            Some(options.get_extension(&option).into_owned())
        };
        match option("jumak.type.v1.content") {
            Some(Value::EnumNumber(content)) if content == i32::from(Declared::Identifier) => return Self::Identifier,
            Some(Value::EnumNumber(content)) if content == i32::from(Declared::TelephoneNumber) => {
                return Self::TelephoneNumber;
            }
            _ => {}
        }
        let behaviors = match option("google.api.field_behavior") {
            Some(Value::List(behaviors)) => behaviors,
            _ => Vec::new(),
        };
        let is_name = behaviors.contains(&Value::EnumNumber(FieldBehavior::Identifier.into()))
            || option("google.api.resource_reference").is_some();
        if is_name { Self::Identifier } else { Self::Anything }
    }
}
