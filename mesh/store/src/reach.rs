//! Which resources a caller sees: the one place that knows which roles see everything.
//!
//! The owner is part of the WHERE clause: another person's row is not found, because "permission denied" would reveal that it exists.

use mesh_foundation::call::{Caller, Principal, Role};
use sea_orm::{ColumnTrait, Condition};

/// The resources that a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's.
    All,
    /// Those that this principal owns: `users/…`.
    Own(String),
}

impl Reach {
    /// The caller's reach: agents and admins see everything, everybody else their own resources. A context owns nothing.
    pub fn of(caller: &Caller) -> Self {
        match &caller.principal {
            Principal::User { roles, .. } if roles.iter().any(|role| matches!(role, Role::Agent | Role::Admin)) => {
                Self::All
            }
            principal => Self::Own(principal.name()),
        }
    }

    /// The condition for rows with an owner in any of these columns.
    pub fn any_of<C: ColumnTrait>(&self, owners: &[C]) -> Condition {
        match self {
            Self::All => Condition::all(),
            Self::Own(name) => owners.iter().fold(Condition::any(), |any, owner| any.add(owner.eq(name))),
        }
    }

    /// Whether it includes the resources of that user.
    pub fn covers(&self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Own(name) => name == owner,
        }
    }

    /// The reach as a word, so that a page token is valid for one reach only.
    pub fn name(&self) -> &str {
        match self {
            Self::All => "",
            Self::Own(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbBackend, EntityTrait, QueryFilter, QueryTrait};
    use tokio::time::Instant;

    use super::*;
    use crate::store::entity::request::{Column, Entity};

    fn reach(principal: Principal) -> Reach {
        Reach::of(&Caller { principal, correlation_id: String::new(), deadline: Instant::now() })
    }

    fn user(roles: &[Role]) -> Principal {
        Principal::User { name: "users/x".to_owned(), roles: roles.to_vec() }
    }

    #[test]
    fn agents_and_admins_see_everything_and_nobody_else_does() {
        for role in Role::ALL {
            let sees_all = matches!(role, Role::Agent | Role::Admin);
            assert_eq!(reach(user(&[Role::Guest, role])) == Reach::All, sees_all, "{role:?}");
        }
        assert_eq!(reach(user(&[])), Reach::Own("users/x".to_owned()));
        let context = reach(Principal::Context { name: "admin".to_owned() });
        assert_eq!(context, Reach::Own("contexts/admin".to_owned()), "a context is no person, whatever its name");
        assert!(!context.covers("users/x"));
    }

    #[test]
    fn whose_a_row_is_stands_in_the_where_clause() {
        let sql = |reach: Reach| {
            let owners = [Column::Principal, Column::CaseName];
            Entity::find().filter(reach.any_of(&owners)).build(DbBackend::Sqlite).to_string()
        };
        let own = sql(Reach::Own("users/x".to_owned()));
        assert!(
            own.ends_with(r#"WHERE "request"."principal" = 'users/x' OR "request"."case_name" = 'users/x'"#),
            "{own}"
        );
        assert!(sql(Reach::All).ends_with("WHERE TRUE"), "everybody's");
        let unowned = Reach::Own("users/x".to_owned()).any_of::<Column>(&[]);
        let unowned = Entity::find().filter(unowned).build(DbBackend::Sqlite).to_string();
        assert!(unowned.ends_with("WHERE FALSE"), "nobody owns a row that has no owner: {unowned}");
    }
}
