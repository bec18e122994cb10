//! Who is calling, for which business case, and until when: what the server's layers learn of a call and its handler may rely on.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Reason, Refusal};

/// What a person may be. A token carries any number of them.
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

/// Whose token came with the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    User {
        /// `users/{user}`: a hash of issuer and subject, because a subject alone collides between issuers.
        name: String,
        /// What the token lets them be.
        roles: Vec<Role>,
    },
    /// A context calling for itself.
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
    /// Whose token it was.
    pub principal: Principal,
    /// The business case or, until there is one, this call: sent by the caller or made here.
    pub correlation_id: String,
    /// When the caller stops listening.
    pub deadline: Instant,
}

impl Caller {
    /// The caller of a request that came through the server's stack.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Error> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| {
            Refusal::new(Reason::TokenMissing, "the call came with no identity")
                .hint("send `authorization: Bearer …`")
                .into()
        })
    }

    /// The user's resource name; a context has none and is refused.
    pub fn user(&self) -> Result<&str, Error> {
        match &self.principal {
            Principal::User { name, .. } => Ok(name),
            Principal::Context { name } => Err(Refusal::new(
                Reason::RoleRequired,
                format!("this call is for people, and the token is that of the context {name}"),
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

    /// How long the caller goes on listening.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The caller as the cause of what is about to be committed.
    pub fn actor(&self) -> Actor {
        Actor { correlation_id: self.correlation_id.clone(), causation_id: None, actor: self.principal.name() }
    }
}

/// What made a change happen: written on each event that the change puts out.
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

    /// A context acting because it heard `event`.
    pub fn hearing(context: &str, event: &crate::Event) -> Self {
        Self {
            correlation_id: event.correlation_id.clone(),
            causation_id: Some(event.id.to_string()),
            actor: format!("contexts/{context}"),
        }
    }
}
