//! Who may call what: one table per context, beside its services. A method without a rule cannot be called.
//!
//! The table names roles and contexts only. The owner column decides whose reservation it is: another person's resource is NOT_FOUND,
//! never PERMISSION_DENIED, which would reveal that it exists.

use std::collections::{BTreeSet, HashMap};

use mesh_foundation::{
    call::{Principal, Role},
    error::{Error, Reason, Refusal},
};
use prost_reflect::DescriptorPool;

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any person or context with a valid token.
    Anyone,
    /// A person with one of these roles.
    Roles(&'static [Role]),
    /// One of these contexts.
    Contexts(&'static [&'static str]),
    /// A person with one of these roles, or one of these contexts.
    RolesOrContexts(&'static [Role], &'static [&'static str]),
    /// A context that has cases.
    Owners,
    /// A person with one of these roles, or a context that has cases.
    RolesOrOwners(&'static [Role]),
}

/// A context that has cases, and the collection that their names are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseOwner {
    /// The context, as in `reservation`.
    pub context: &'static str,
    /// The collection, as in `reservations`.
    pub collection: &'static str,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The method's full name, as in `jumak.room.v1.RoomService/CreateRoom`.
    pub method: &'static str,
    /// Who may call it.
    pub who: Who,
}

impl Rule {
    /// Any person or context with a valid token may call `method`.
    pub const fn anyone(method: &'static str) -> Self {
        Self { method, who: Who::Anyone }
    }

    /// A person with one of `roles` may call `method`.
    pub const fn roles(method: &'static str, roles: &'static [Role]) -> Self {
        Self { method, who: Who::Roles(roles) }
    }

    /// One of `contexts` may call `method`.
    pub const fn contexts(method: &'static str, contexts: &'static [&'static str]) -> Self {
        Self { method, who: Who::Contexts(contexts) }
    }

    /// A person with one of `roles`, or one of `contexts`, may call `method`.
    pub const fn roles_or_contexts(
        method: &'static str,
        roles: &'static [Role],
        contexts: &'static [&'static str],
    ) -> Self {
        Self { method, who: Who::RolesOrContexts(roles, contexts) }
    }

    /// A context that has cases may call `method`.
    pub const fn owners(method: &'static str) -> Self {
        Self { method, who: Who::Owners }
    }

    /// A person with one of `roles`, or a context that has cases, may call `method`.
    pub const fn roles_or_owners(method: &'static str, roles: &'static [Role]) -> Self {
        Self { method, who: Who::RolesOrOwners(roles) }
    }
}

impl Who {
    /// The contexts among them, where `owners` are those that have cases.
    pub fn contexts<'a>(self, owners: &'a [&'static str]) -> &'a [&'static str] {
        match self {
            Self::Anyone | Self::Roles(_) => &[],
            Self::Contexts(contexts) | Self::RolesOrContexts(_, contexts) => contexts,
            Self::Owners | Self::RolesOrOwners(_) => owners,
        }
    }

    fn includes(self, principal: &Principal, owners: &[&'static str]) -> bool {
        match principal {
            _ if self == Self::Anyone => true,
            Principal::User { roles, .. } => self.of_people().iter().any(|role| roles.contains(role)),
            Principal::Context { name } => self.contexts(owners).contains(&name.as_str()),
        }
    }

    const fn of_people(self) -> &'static [Role] {
        match self {
            Self::Roles(roles) | Self::RolesOrContexts(roles, _) | Self::RolesOrOwners(roles) => roles,
            Self::Anyone | Self::Contexts(_) | Self::Owners => &[],
        }
    }
}

/// A context's rules, by method.
#[derive(Clone, Debug)]
pub struct AccessTable {
    rules: HashMap<&'static str, Who>,
    owners: Vec<&'static str>,
}

impl AccessTable {
    /// The table of these rules, where `owners` are the contexts that have cases. Two rules for one method are a mistake, because only
    /// one of them would hold.
    pub fn new(rules: &[Rule], owners: &[CaseOwner]) -> Result<Self, Error> {
        let mut table = HashMap::with_capacity(rules.len());
        for rule in rules {
            if table.insert(rule.method, rule.who).is_some() {
                return Err(Error::Internal(format!("{} has two rules of access", rule.method)));
            }
        }
        Ok(Self { rules: table, owners: owners.iter().map(|owner| owner.context).collect() })
    }

    /// Refuses unless `principal` may call `method`.
    pub fn check(&self, method: &str, principal: &Principal) -> Result<(), Refusal> {
        let who = self.rules.get(method).copied();
        if who.is_some_and(|who| who.includes(principal, &self.owners)) {
            return Ok(());
        }
        let roles = who.map_or(&[][..], Who::of_people);
        let may = match roles {
            [] => "is not open to people".to_owned(),
            roles => format!("needs the role {}", names(roles, " or ")),
        };
        let has = match principal {
            Principal::User { roles, .. } if roles.is_empty() => "the token has none".to_owned(),
            Principal::User { roles, .. } => format!("the token has {}", names(roles, " and ")),
            Principal::Context { name } => format!("the token is that of the context {name}, which may not call it"),
        };
        Err(Refusal::new(Reason::ROLE_REQUIRED, format!("{method} {may}; {has}")).with("role", names(roles, ",")))
    }

    /// Where the table and the contracts differ: methods of `services` without a rule, and rules without a method. Both are empty in a
    /// correct context.
    pub fn differences(&self, pool: &DescriptorPool, services: &[&str]) -> Differences {
        let methods = methods_of(pool, services);
        Differences {
            unruled: methods.iter().filter(|method| !self.rules.contains_key(method.as_str())).cloned().collect(),
            unknown: self.rules.keys().filter(|method| !methods.contains(**method)).copied().collect(),
        }
    }
}

/// Where a table and the contracts differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Methods that nobody may call, because no rule names them.
    pub unruled: BTreeSet<String>,
    /// Rules that name no method.
    pub unknown: BTreeSet<&'static str>,
}

/// The full names of all methods of `services`, as in `jumak.room.v1.RoomService/CreateRoom`.
pub fn methods_of(pool: &DescriptorPool, services: &[&str]) -> BTreeSet<String> {
    services
        .iter()
        .filter_map(|service| pool.get_service_by_name(service))
        .flat_map(|service| {
            let name = service.full_name().to_owned();
            service.methods().map(move |method| format!("{name}/{}", method.name())).collect::<Vec<_>>()
        })
        .collect()
}

fn names(roles: &[Role], separator: &str) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule] = &[
        Rule::anyone("s/Get"),
        Rule::roles("s/Create", &[Role::Host, Role::Admin]),
        Rule::contexts("s/Charge", &["reservation"]),
        Rule::roles_or_contexts("s/Cancel", &[Role::Guest], &["servicecenter"]),
        Rule::owners("s/Pay"),
        Rule::roles_or_owners("s/GetPayment", &[Role::Guest]),
    ];

    const OWNERS: &[CaseOwner] = &[CaseOwner { context: "reservation", collection: "reservations" }];

    fn user(roles: &[Role]) -> Principal {
        Principal::User { name: "users/x".to_owned(), roles: roles.to_vec() }
    }

    fn context(name: &str) -> Principal {
        Principal::Context { name: name.to_owned() }
    }

    #[test]
    fn each_rule_admits_whom_it_names_and_nobody_else() {
        let table = AccessTable::new(RULES, OWNERS).unwrap();
        let principals = [
            user(&[]),
            user(&[Role::Guest]),
            user(&[Role::Courier, Role::Host]),
            context("reservation"),
            context("servicecenter"),
        ];
        let admitted = |method: &str| {
            principals.iter().map(|principal| table.check(method, principal).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(admitted("s/Get"), [true, true, true, true, true]);
        assert_eq!(admitted("s/Create"), [false, false, true, false, false]);
        assert_eq!(admitted("s/Charge"), [false, false, false, true, false]);
        assert_eq!(admitted("s/Cancel"), [false, true, false, false, true]);
        assert_eq!(admitted("s/Pay"), [false, false, false, true, false]);
        assert_eq!(admitted("s/GetPayment"), [false, true, false, true, false]);
        assert_eq!(admitted("s/Unlisted"), [false; 5]);
    }

    #[test]
    fn a_refusal_names_the_roles_needed_and_those_at_hand() {
        let table = AccessTable::new(RULES, OWNERS).unwrap();
        let refusal = table.check("s/Create", &user(&[Role::Guest])).unwrap_err();
        assert_eq!(refusal.reason, Reason::ROLE_REQUIRED);
        assert_eq!(refusal.message, "s/Create needs the role host or admin; the token has guest");
        assert_eq!(refusal.metadata["role"], "host,admin");
    }

    #[test]
    fn a_method_has_one_rule() {
        assert!(AccessTable::new(&[Rule::anyone("s/Get"), Rule::contexts("s/Get", &["room"])], OWNERS).is_err());
    }
}
