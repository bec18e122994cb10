//! What the module of an entity imports: sea-orm's prelude, and that the entity has no relations.

pub use sea_orm::entity::prelude::*;

/// No relations. An entity that has some declares its own.
#[derive(Clone, Copy, Debug, EnumIter)]
pub enum Relation {}

impl RelationTrait for Relation {
    fn def(&self) -> RelationDef {
        match *self {}
    }
}
