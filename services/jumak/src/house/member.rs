//! The contexts that there are.

use std::{fmt, sync::Arc};

use clap::ValueEnum;
use contracts::{
    mypage::v1::my_page_service_server, payment::v1::payment_service_server, provider::v1::provider_service_server,
    reservation::v1::reservation_service_server, room::v1::room_service_server,
};
use mesh::{
    Context, Database, Deps, Error,
    client::{InProcess, Limits, TokenSource, Upstreams},
    config::Config,
    store,
    tls::Tls,
};

use super::settings;

/// A context that can run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
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

    /// The context of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.name() == name)
    }

    /// The full names of its gRPC services.
    pub const fn services(self) -> &'static [&'static str] {
        match self {
            Self::Provider => &[provider_service_server::SERVICE_NAME],
            Self::Payment => &[payment_service_server::SERVICE_NAME],
            Self::Room => &[room_service_server::SERVICE_NAME],
            Self::Reservation => &[reservation_service_server::SERVICE_NAME],
            Self::Mypage => &[my_page_service_server::SERVICE_NAME],
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

    /// The contexts that it calls.
    pub const fn calls(self) -> &'static [Self] {
        match self {
            Self::Provider | Self::Room | Self::Mypage => &[],
            Self::Payment => &[Self::Provider],
            Self::Reservation => &[Self::Payment, Self::Room],
        }
    }

    /// The contexts that call it.
    pub fn callers(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |other| other.calls().contains(&self))
    }

    /// Whether it has anything to do with the bus: the provider neither tells nor hears anything.
    pub const fn uses_bus(self) -> bool {
        !matches!(self, Self::Provider)
    }

    /// The steps that the context's database has not taken yet.
    pub async fn pending(self, database: &Database) -> Result<Vec<String>, Error> {
        match self {
            Self::Provider => store::pending::<provider::Migrator>(database).await,
            Self::Payment => store::pending::<payment::Migrator>(database).await,
            Self::Room => store::pending::<room::Migrator>(database).await,
            Self::Reservation => store::pending::<reservation::Migrator>(database).await,
            Self::Mypage => store::pending::<mypage::Migrator>(database).await,
        }
    }

    /// Brings the context's database up to date, and tells which steps that took.
    pub async fn migrate(self, database: &Database) -> Result<Vec<String>, Error> {
        match self {
            Self::Provider => store::migrate::<provider::Migrator>(database).await,
            Self::Payment => store::migrate::<payment::Migrator>(database).await,
            Self::Room => store::migrate::<room::Migrator>(database).await,
            Self::Reservation => store::migrate::<reservation::Migrator>(database).await,
            Self::Mypage => store::migrate::<mypage::Migrator>(database).await,
        }
    }

    /// Puts the context together on a database that is up to date.
    pub async fn assemble(self, deps: Deps, config: &Config) -> anyhow::Result<Context> {
        let context = match self {
            Self::Provider => provider::context(deps, provider::Settings::default()).await,
            Self::Payment => payment::context(deps, settings::payment(config)).await,
            Self::Room => room::context(deps, settings::room(config)).await,
            Self::Reservation => reservation::context(deps, settings::reservation(config)).await,
            Self::Mypage => mypage::context(deps).await,
        };
        Ok(context?)
    }

    /// The contexts that this one may call: those of this process in it, the others at their addresses.
    pub fn upstreams(
        self,
        registry: &InProcess,
        neighbours: &[Self],
        tokens: Arc<dyn TokenSource>,
        tls: &Tls,
        config: &Config,
    ) -> anyhow::Result<Upstreams> {
        // What a context waits for is set where the wait is described; the stack below must not cut it shorter.
        let limits = config.client.limits();
        let patient = |timeout| Limits { timeout: limits.timeout.max(timeout), ..limits.clone() };
        let mut upstreams = Upstreams::builder(self.name(), tokens, limits.clone())
            .in_process(registry.clone())
            .tls(tls.clone())
            .limits(Self::Payment.name(), patient(config.checkout.payment_timeout()))
            .limits(Self::Provider.name(), patient(config.payment.provider_timeout()));
        for callee in self.calls().iter().filter(|callee| !neighbours.contains(callee)) {
            for address in config.addresses(callee.name()) {
                upstreams = upstreams.address(callee.name(), address)?;
            }
        }
        Ok(upstreams.build())
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that is added without another format would let an older version go on with what it does not understand. Format 1 is that of
    /// the first release: until then its steps may still become more.
    #[tokio::test]
    async fn a_format_is_a_list_of_steps() {
        let of_mesh = ["m0001_mesh_tables", "m0002_stream_position", "m0003_place"];
        for (member, own) in [
            (Member::Provider, vec!["m0001_provider_tables"]),
            (Member::Payment, vec!["m0001_payment_tables"]),
            (Member::Room, vec!["m0101_room_tables", "m0102_room_spellings"]),
            (Member::Reservation, vec!["m0002_reservation_tables"]),
            (Member::Mypage, vec!["m0101_read_model"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open_file(&folder.path().join("fresh.db"), 2).await.unwrap();
            let steps = member.migrate(&database).await.unwrap();
            let expected: Vec<_> = of_mesh.into_iter().chain(own).collect();
            assert_eq!(steps, expected, "{member}: raise mesh::store::version::FORMAT with a step");
        }
        assert_eq!(mesh::store::version::FORMAT, 1, "and write down here which steps the new format has");
    }

    #[test]
    fn whoever_is_called_comes_before_those_that_call_it() {
        for (at, member) in Member::ALL.into_iter().enumerate() {
            assert!(
                member.callers().all(|caller| Member::ALL[..at].iter().all(|before| *before != caller)),
                "{member}"
            );
        }
    }
}
