//! The list of all contexts.

use std::{fmt, ops::Deref, sync::Arc};

use clap::{ValueEnum, builder::PossibleValue};
use mesh::{
    Descriptor,
    client::{InProcess, Limits, TokenSource, Upstreams},
    config::{Config, Known},
    context::{CaseOwner, Rank},
    tls::Tls,
};

/// A context that can run in this binary: one entry of the list below. Everything else about it is in its [`Descriptor`].
#[derive(Clone, Copy)]
pub struct Member(&'static Descriptor);

macro_rules! members {
    ($($name:ident = $context:ident,)*) => {
        impl Member {
            $(
                #[doc = concat!("The context `", stringify!($context), "`.")]
                pub const $name: Self = Self(&$context::DESCRIPTOR);
            )*

            /// All of them, callees before callers.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];
        }
    };
}

// Callees before callers.
members! {
    PROVIDER = provider,
    PAYMENT = payment,
    ROOM = room,
    RESERVATION = reservation,
    MYPAGE = mypage,
}

impl Member {
    /// The context that `descriptor` describes. It need not be in the list.
    pub const fn of(descriptor: &'static Descriptor) -> Self {
        Self(descriptor)
    }

    /// Its description.
    pub const fn descriptor(self) -> &'static Descriptor {
        self.0
    }

    /// The context's name.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The context of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.name() == name)
    }

    /// Whether the other contexts can run without this one.
    pub fn is_optional(self) -> bool {
        self.0.rank == Rank::Supporting
    }

    /// Whether it calls `other`.
    pub fn calls(self, other: Self) -> bool {
        self.0.calls.iter().any(|call| call.callee == other.name())
    }

    /// The contexts that it calls.
    pub fn callees(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |other| self.calls(*other))
    }

    /// The contexts that call it.
    pub fn callers(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |other| other.calls(self))
    }

    /// The contexts that have cases, with the names of the cases' collections.
    pub fn case_owners() -> Arc<[CaseOwner]> {
        let owner = |member: Self| Some(CaseOwner { context: member.name(), collection: member.0.cases?.collection });
        Self::ALL.into_iter().filter_map(owner).collect()
    }

    /// The names that a configuration may contain.
    pub fn configured() -> Known {
        Known::of(Self::ALL.into_iter().map(Self::descriptor))
    }

    /// The clients for the contexts that this one may call: in process if they run here, else at their addresses.
    pub fn upstreams(
        self,
        registry: &InProcess,
        neighbours: &[Self],
        tokens: Arc<dyn TokenSource>,
        tls: &Tls,
        config: &Config,
    ) -> anyhow::Result<Upstreams> {
        let limits = config.client.limits();
        let mut upstreams =
            Upstreams::builder(self.name(), tokens, limits.clone()).in_process(registry.clone()).tls(tls.clone());
        for call in self.0.calls {
            if let Some(patience) = call.patience {
                // The context's own settings say how long it waits for this callee; the client's general timeout must not be shorter.
                let timeout = limits.timeout.max(patience(config));
                upstreams = upstreams.limits(call.callee, Limits { timeout, ..limits.clone() });
            }
        }
        for callee in self.callees().filter(|callee| !neighbours.contains(callee)) {
            for address in config.addresses(callee.name()) {
                upstreams = upstreams.address(callee.name(), address)?;
            }
        }
        Ok(upstreams.build())
    }

    fn place(self) -> usize {
        Self::ALL.into_iter().take_while(|member| *member != self).count()
    }
}

/// Its descriptor's fields can be read directly.
impl Deref for Member {
    type Target = Descriptor;

    fn deref(&self) -> &Descriptor {
        self.0
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Member {}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Callees before callers.
impl Ord for Member {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.place(), self.name()).cmp(&(other.place(), other.name()))
    }
}

impl ValueEnum for Member {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.0.about))
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use mesh::Database;
    use sea_orm::{ConnectionTrait, DbBackend, Statement};
    use sha2::{Digest, Sha256};

    use super::*;

    /// Format 1 belongs to the first release, and its tables may change until then: change their digests here. ADR 45 says what a change
    /// needs afterwards.
    #[tokio::test]
    async fn a_changed_table_needs_a_new_step_and_a_new_format() {
        type Digests = &'static [(&'static str, &'static str)];
        const OF_MESH: Digests = &[
            ("data_version", "8f2819c4"),
            ("failure", "4ebc77e1"),
            ("inbox", "8f61b4ba"),
            ("incarnation", "fcd8fa1b"),
            ("outbox", "7f87c799"),
            ("place", "b50841c8"),
            ("request", "de200bcb"),
            ("seaql_migrations", "4d6f316a"),
            ("task_report", "01e843f6"),
        ];
        let own: [(_, &[&str], Digests); 5] = [
            (
                "provider",
                &["m0001_provider_tables"],
                &[("charge", "35fe11c6"), ("charge_refund", "f2899881"), ("movement", "f3c2ab4f")],
            ),
            (
                "payment",
                &["m0001_payment_tables"],
                &[("ledger_entry", "cb01f186"), ("payment", "bbe5bddd"), ("refund", "86d2a9e2")],
            ),
            (
                "room",
                &["m0101_room_tables"],
                &[("blocked_night", "e9c35753"), ("room", "084ce8c6"), ("stay", "f05c9a4a")],
            ),
            (
                "reservation",
                &["m0002_reservation_tables"],
                &[("night", "4229d8f4"), ("payer", "fc91746a"), ("reservation", "2e33c57a"), ("room", "559769a4")],
            ),
            (
                "mypage",
                &["m0101_read_model"],
                &[
                    ("booking", "cb542a92"),
                    ("business_case", "1d5a72db"),
                    ("room", "36898da7"),
                    ("timeline", "49422395"),
                    ("viewer", "5974d5e1"),
                ],
            ),
        ];
        assert_eq!(own.map(|(name, ..)| name).as_slice(), Member::ALL.map(Member::name));
        for (member, (_, own, tables)) in Member::ALL.into_iter().zip(own) {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open_file(&folder.path().join("fresh.db"), 2).await.unwrap();
            let steps = member.schema.migrate(&database).await.unwrap();
            let expected = [&["m0001_mesh_tables"], own].concat();
            assert_eq!(steps, expected, "{member}: a new step needs a higher mesh::store::version::FORMAT");
            let found = digests(&database).await;
            let expected =
                OF_MESH.iter().chain(tables).map(|(table, digest)| ((*table).to_owned(), (*digest).to_owned()));
            assert_eq!(
                found,
                expected.collect(),
                "{member}: a table has changed; after a release, add a step that changes it, and freeze the step that made it"
            );
        }
        assert_eq!(mesh::store::version::FORMAT, 1, "list the steps of the new format here");
    }

    /// The digest of each table with its indices. A text without a width would have the width of the engine's choice.
    async fn digests(database: &Database) -> BTreeMap<String, String> {
        let made = "SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, name";
        let made = database.read().query_all_raw(Statement::from_string(DbBackend::Sqlite, made)).await.unwrap();
        let mut tables = BTreeMap::<String, Sha256>::new();
        for row in made {
            let (table, sql): (String, String) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
            assert!(
                table == "seaql_migrations" || !sql.contains("varchar "),
                "{table} has a text without a width: {sql}"
            );
            tables.entry(table).or_default().update(sql + ";");
        }
        let digest = |hash: Sha256| hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        tables.into_iter().map(|(table, hash)| (table, digest(hash))).collect()
    }

    #[test]
    fn callees_come_before_callers_and_no_core_context_calls_a_supporting_one() {
        for member in Member::ALL {
            for call in member.descriptor().calls {
                let callee = Member::named(call.callee);
                let callee = callee.unwrap_or_else(|| panic!("{member} calls {}, which does not exist", call.callee));
                assert!(callee < member, "{member} is listed before {callee}, which it calls");
                assert!(
                    !callee.is_optional() || member.is_optional(),
                    "{member} is core and calls the supporting {callee}"
                );
            }
        }
    }

    #[test]
    fn each_context_has_its_own_name_services_and_cases() {
        let mut seen = std::collections::BTreeSet::new();
        for member in Member::ALL {
            let collection = member.cases.map(|cases| cases.collection);
            for word in member.services.iter().chain(&collection).chain([&member.name]) {
                assert!(seen.insert(*word), "{member}: {word} is another context's");
            }
        }
    }

    #[test]
    fn the_section_of_a_context_has_its_name_and_is_none_of_the_meshs() {
        for (member, section) in Member::ALL.into_iter().filter_map(|member| Some((member, member.settings?))) {
            assert_eq!(section.name, member.name());
            let variable = [(format!("JUMAK_{}__X", section.name.to_ascii_uppercase()), "1".to_owned())];
            let refused = Config::from_sources(None, variable, &Known::default()).unwrap_err();
            assert_eq!(refused.problems()[0].key, section.name, "the mesh has such a section");
        }
    }

    #[test]
    fn a_context_without_the_bus_neither_hears_events_nor_has_cases() {
        for member in Member::ALL.into_iter().filter(|member| !member.uses_bus()) {
            assert!(member.hears.is_none() && member.cases.is_none(), "{member}");
        }
    }

    #[test]
    fn the_timeout_of_a_call_comes_from_its_callers_settings() {
        let mut config = Config::default();
        let patience = |member: Member, callee: &str, config: &Config| {
            let call = member.descriptor().calls.iter().find(|call| call.callee == callee).unwrap();
            call.patience.map(|patience| patience(config).as_millis())
        };
        config.checkout.payment_timeout_ms = 7_000;
        config.set_section(payment::Settings { provider_timeout: Duration::from_secs(6), ..Default::default() });
        assert_eq!(patience(Member::RESERVATION, "payment", &config), Some(7_000));
        assert_eq!(patience(Member::PAYMENT, "provider", &config), Some(6_000));
        assert_eq!(patience(Member::RESERVATION, "room", &config), None);
    }
}
