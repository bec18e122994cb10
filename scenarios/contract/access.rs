//! Every method of every context stands in that context's table of who may call it, and nothing else does.

use std::{collections::BTreeSet, sync::Arc};

use jumak::embedded::{DataFolder, Keyring, Member, open_database};
use mesh::{
    Clock, Deps,
    auth::access::{AccessTable, Differences, Who},
    background::Background,
    client::InProcess,
    config::Config,
    tls::Tls,
};

use crate::support::wire::contracts;

fn callers(who: Who) -> &'static [&'static str] {
    match who {
        Who::Contexts(contexts) | Who::RolesOrContexts(_, contexts) => contexts,
        Who::Anyone | Who::Roles(_) => &[],
    }
}

#[tokio::test]
async fn x7_every_method_stands_in_its_contexts_table_of_access() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let (folder, config) = (DataFolder::at(parent.path()), Config::default());
    let keys = Keyring::open(&folder, &config.auth, Member::ALL.map(Member::name)).expect("keys");
    let tls = Tls::load(&config.tls).expect("no certificate");
    let mut served = BTreeSet::new();
    for member in Member::ALL {
        let (database, _) = open_database(member, &folder, &config).await.expect("a database");
        let tokens = Arc::new(keys.tokens_of(member.name()).expect("a key"));
        let deps = Deps {
            database,
            upstreams: member.upstreams(&InProcess::new(), &Member::ALL, tokens, &tls, &config).expect("upstreams"),
            clock: Clock::system(),
            background: Background::new(),
        };
        let context = member.assemble(deps, &config).await.expect("a context");
        let table = AccessTable::new(context.access).expect("a table");
        assert_eq!(table.differences(contracts(), context.services), Differences::default(), "{member}");
        assert_eq!(context.services, member.services(), "{member}");
        for caller in context.access.iter().flat_map(|rule| callers(rule.who)).filter_map(|name| Member::named(name)) {
            assert!(member.callers().any(|known| known == caller), "{member} is called by {caller}");
        }
        served.extend(context.services.iter().map(|service| (*service).to_owned()));
        context.database.close().await;
    }
    let described: BTreeSet<String> = contracts()
        .services()
        .map(|service| service.full_name().to_owned())
        .filter(|name| name.starts_with("jumak."))
        .collect();
    assert_eq!(served, described, "a service that nobody serves, or that no contract has");
}
