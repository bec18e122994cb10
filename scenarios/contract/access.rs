//! Every method of every context stands in that context's table of who may call it, and nothing else does.

use std::collections::BTreeSet;

use jumak::house::Member;
use mesh::auth::access::{AccessTable, Differences};

use crate::support::{contexts::contexts, wire};

#[tokio::test]
async fn x7_every_method_stands_in_its_contexts_table_of_access() {
    let (owners, mut served) = (Member::case_owners(), BTreeSet::new());
    let names: Vec<_> = owners.iter().map(|owner| owner.context).collect();
    for (member, context) in contexts().await {
        let table = AccessTable::new(member.access, &owners).expect("a table");
        assert_eq!(table.differences(wire::contracts(), member.services), Differences::default(), "{member}");
        let callers = member.access.iter().flat_map(|rule| rule.who.contexts(&names));
        for caller in callers.filter_map(|name| Member::named(name)) {
            assert!(caller.calls(member), "{member} is called by {caller}");
        }
        assert_eq!(member.hears.is_some(), context.hears().is_some(), "{member} does something about what it hears");
        served.extend(member.services.iter().map(|service| (*service).to_owned()));
    }
    let described: BTreeSet<String> = wire::contracts()
        .services()
        .map(|service| service.full_name().to_owned())
        .filter(|name| name.starts_with("jumak."))
        .collect();
    assert_eq!(served, described, "a service that nobody serves, or that no contract has");
}
