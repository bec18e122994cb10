//! The contexts that an embedded system is made of.

use std::{fmt, sync::Arc};

use clap::ValueEnum;
use mesh::{
    Context, Database, Deps,
    checkout::Settings as CheckoutSettings,
    client::{InProcess, Limits, TokenSource, Upstreams},
    config::Config,
    store,
};
use sea_orm_migration::MigratorTrait;

/// A context that can run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// The simulated payment provider.
    Provider,
    /// Payments, refunds, the ledger.
    Payment,
    /// Rooms and their search.
    Room,
    /// Reservations.
    Reservation,
    /// What concerns a user, read from a model of its own.
    Mypage,
}

/// How a context hears the others' events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Each once, for as long as there is the context.
    Once,
    /// All of them from the beginning, whenever its database is a new one.
    AsProjection,
}

/// A context that the others do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Optional {
    /// What concerns a user, read from a model of its own.
    Mypage,
}

impl From<Optional> for Member {
    fn from(optional: Optional) -> Self {
        match optional {
            Optional::Mypage => Self::Mypage,
        }
    }
}

impl Member {
    /// All of them, whoever is called before those that call it.
    pub const ALL: [Self; 5] = [Self::Provider, Self::Payment, Self::Room, Self::Reservation, Self::Mypage];

    /// The context's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Payment => "payment",
            Self::Room => "room",
            Self::Reservation => "reservation",
            Self::Mypage => "mypage",
        }
    }

    /// Whether a house can do without the context.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Mypage)
    }

    /// How the context hears events; none if it hears nothing.
    pub const fn hears(self) -> Option<Hearing> {
        match self {
            Self::Provider => None,
            Self::Payment | Self::Room | Self::Reservation => Some(Hearing::Once),
            Self::Mypage => Some(Hearing::AsProjection),
        }
    }

    /// Brings the context's database up to date, and tells which steps that took.
    pub async fn migrate(self, database: &Database) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Provider => migrate::<provider::Migrator>(database).await,
            Self::Payment => migrate::<payment::Migrator>(database).await,
            Self::Room => migrate::<room::Migrator>(database).await,
            Self::Reservation => migrate::<reservation::Migrator>(database).await,
            Self::Mypage => migrate::<mypage::Migrator>(database).await,
        }
    }

    /// Puts the context together on a database that is up to date.
    pub async fn assemble(self, deps: Deps, config: &Config) -> anyhow::Result<Context> {
        let context = match self {
            Self::Provider => provider::context(deps, provider::Settings::default()).await,
            Self::Payment => payment::context(deps, payment_settings(config)).await,
            Self::Room => room::context(deps, room::Settings { time_zone: config.time_zone.clone() }).await,
            Self::Reservation => {
                reservation::context(deps, reservation::Settings { checkout: checkout_settings(config) }).await
            }
            Self::Mypage => mypage::context(deps).await,
        };
        Ok(context?)
    }

    /// The contexts that this one may call, all of them in this process.
    pub fn upstreams(self, registry: &InProcess, tokens: Arc<dyn TokenSource>, config: &Config) -> Upstreams {
        // What a context waits for is set where the wait is described; the stack below must not cut it shorter.
        let limits = config.client.limits();
        let patient = |timeout| Limits { timeout: limits.timeout.max(timeout), ..limits.clone() };
        Upstreams::builder(self.name(), tokens, limits.clone())
            .in_process(registry.clone())
            .limits(Self::Payment.name(), patient(config.checkout.payment_timeout()))
            .limits(Self::Provider.name(), patient(config.payment.provider_timeout()))
            .build()
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

async fn migrate<M: MigratorTrait>(database: &Database) -> anyhow::Result<Vec<String>> {
    let pending = M::get_pending_migrations(database.for_migrations()).await?;
    store::migrate::<M>(database).await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}

fn checkout_settings(config: &Config) -> CheckoutSettings {
    let checkout = &config.checkout;
    CheckoutSettings {
        hold: checkout.hold(),
        payment_timeout: checkout.payment_timeout(),
        settle_after: checkout.settle_after(),
        max_open_holds: checkout.max_open_holds.into(),
        max_attempts: checkout.max_attempts,
        sweep_interval: checkout.sweep_interval(),
    }
}

fn payment_settings(config: &Config) -> payment::Settings {
    let payment = &config.payment;
    payment::Settings {
        provider_timeout: payment.provider_timeout(),
        recovery_interval: payment.recovery_interval(),
        give_up_after: payment.give_up_after(),
        abandon_after: payment.abandon_after(),
        ..payment::Settings::default()
    }
}
