//! What a text field holds, as the contracts say it.

use prost_reflect::{FieldDescriptor, Value};

/// What a text field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Anything that a person writes, or what the contracts do not say.
    Anything,
    /// An identifier: a resource name, a request id, a page token.
    Identifier,
    /// A telephone number.
    TelephoneNumber,
}

impl Content {
    /// What the contracts say of a field.
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
