//! The caller, the business case and the deadline of a call, as the server's layers establish them for its handler.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Reason, Refusal};

/// The role of a person. A token carries any number of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Books and pays.
    Guest,
    /// Registers rooms and takes guests.
    Host,
    /// Brings what was ordered.
    Courier,
    /// Works in the service centre.
    Agent,
    /// Runs the installation.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Guest, Self::Host, Self::Courier, Self::Agent, Self::Admin];

    /// The role's name in tokens and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Host => "host",
            Self::Courier => "courier",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The bearer of the call's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    User {
        /// `users/{user}`: a hash of issuer and subject, because a subject alone collides between issuers.
        name: String,
        /// The roles in the token.
        roles: Vec<Role>,
    },
    /// A context.
    Context {
        /// The context's name, as in `reservation`.
        name: String,
    },
}

impl Principal {
    /// The principal's resource name: `users/…` or `contexts/…`. The scope of request ids.
    pub fn name(&self) -> String {
        match self {
            Self::User { name, .. } => name.clone(),
            Self::Context { name } => format!("contexts/{name}"),
        }
    }

    /// Whether a person's token carries `role`.
    pub fn has(&self, role: Role) -> bool {
        matches!(self, Self::User { roles, .. } if roles.contains(&role))
    }
}

/// A call as its handler sees it. The server's stack puts it into the request's extensions.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The bearer of the token.
    pub principal: Principal,
    /// The id of the business case or, until there is one, of this call: sent by the caller or made here.
    pub correlation_id: String,
    /// When the caller stops listening.
    pub deadline: Instant,
}

impl Caller {
    /// The caller of a request that came through the server's stack.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Error> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| {
            Refusal::new(Reason::TOKEN_MISSING, "the call has no identity")
                .hint("send `authorization: Bearer …`")
                .into()
        })
    }

    /// The user's resource name; a context has none and is refused.
    pub fn user(&self) -> Result<&str, Error> {
        match &self.principal {
            Principal::User { name, .. } => Ok(name),
            Principal::Context { name } => Err(Refusal::new(
                Reason::ROLE_REQUIRED,
                format!("only people may make this call, and the token belongs to the context {name}"),
            )
            .into()),
        }
    }

    /// `users/me` as the caller's own name; any other name as it is.
    pub fn resolve_user(&self, name: &str) -> String {
        match &self.principal {
            Principal::User { name: own, .. } if name == "users/me" => own.clone(),
            _ => name.to_owned(),
        }
    }

    /// The time until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The caller as the cause of a change that is about to be committed.
    pub fn actor(&self) -> Actor {
        Actor { correlation_id: self.correlation_id.clone(), causation_id: None, actor: self.principal.name() }
    }
}

/// The cause of a change, recorded on each event of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The business case.
    pub correlation_id: String,
    /// The event that caused the change, if an event did.
    pub causation_id: Option<String>,
    /// Who did it: `users/…` or `contexts/…`.
    pub actor: String,
}

impl Actor {
    /// A context acting by itself for a case: a sweeper, a recovery loop.
    pub fn context(context: &str, correlation_id: impl Into<String>) -> Self {
        Self { correlation_id: correlation_id.into(), causation_id: None, actor: format!("contexts/{context}") }
    }

    /// A context acting because it consumed `event`.
    pub fn hearing(context: &str, event: &crate::Event) -> Self {
        Self {
            correlation_id: event.correlation_id.clone(),
            causation_id: Some(event.id.to_string()),
            actor: format!("contexts/{context}"),
        }
    }
}
