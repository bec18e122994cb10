//! The assembled contexts, each on an empty database of its own.

use std::{collections::BTreeMap, sync::Arc};

use jumak::embedded::{DataFolder, Keyring, Member, open_database};
use mesh::{Clock, Context, Deps, background::Background, client::InProcess, config::Config, tls::Tls};

/// All contexts, assembled but not running.
pub async fn contexts() -> BTreeMap<Member, Context> {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let (folder, config) = (DataFolder::at(parent.path()), Config::default());
    let keys = Keyring::open(&folder, &config.auth, Member::ALL.map(Member::name)).expect("keys");
    let tls = Tls::load(&config.tls).expect("no certificate");
    let mut contexts = BTreeMap::new();
    for member in Member::ALL {
        let (database, _) = open_database(member, &folder, &config).await.expect("a database");
        let tokens = Arc::new(keys.tokens_of(member.name()).expect("a key"));
        let deps = Deps {
            database,
            upstreams: member.upstreams(&InProcess::new(), &Member::ALL, tokens, &tls, &config).expect("upstreams"),
            owners: Member::case_owners(),
            clock: Clock::system(),
            background: Background::new(),
        };
        let context = member.descriptor().context(deps, &config).await.expect("a context");
        context.database.clone().close().await;
        contexts.insert(member, context);
    }
    contexts
}

/// The contexts whose events each context hears.
pub async fn heard() -> BTreeMap<Member, Vec<Member>> {
    let tellers = |filters: Vec<String>| filters.iter().filter_map(|it| Member::named(it.split('.').nth(1)?)).collect();
    let heard = contexts().await.into_iter();
    heard
        .map(|(member, context)| (member, context.hears().map_or_else(Vec::new, |hears| tellers(hears.filters))))
        .collect()
}
