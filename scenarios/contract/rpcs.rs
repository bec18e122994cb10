//! RPCs: their names, their keys, and who can reach those that are not for people.

use std::collections::BTreeMap;

use mesh::{Reason, Role};
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, Value};

use crate::support::{
    Inn, reason,
    wire::{contracts, method, methods},
};

/// What an RPC that changes nothing is called.
const READS: [&str; 5] = ["Get", "List", "Search", "Watch", "Quote"];

/// Marked INTERNAL, so that no gateway shows it, and still called by people: with the roles that may.
const BY_PEOPLE: [(&str, &[Role]); 2] = [
    // Stands for the bank's own page, which asks whoever has its address.
    ("jumak.provider.v1.ProviderService/CompleteChargeAction", &[Role::Guest, Role::Admin]),
    // The provider's books, which an audit reads.
    ("jumak.provider.v1.ProviderService/ListCharges", &[Role::Admin]),
];

fn is_internal(method: &MethodDescriptor) -> bool {
    let extension = contracts().get_extension_by_name("google.api.method_visibility").expect("visibility.proto");
    let options: DynamicMessage = method.options();
    let rule = options.get_extension(&extension);
    let rule = rule.as_message().expect("a rule");
    rule.get_field_by_name("restriction").as_deref().and_then(Value::as_str) == Some("INTERNAL")
}

fn is_read(method: &MethodDescriptor) -> bool {
    READS.iter().any(|verb| method.name().starts_with(verb))
}

fn has(message: &MessageDescriptor, field: &str) -> bool {
    message.get_field_by_name(field).is_some()
}

#[test]
fn the_name_of_an_rpc_is_enough_to_find_it() {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (full, method) in methods() {
        names.entry(method.name().to_owned()).or_default().push(full);
    }
    assert!(names.len() > 25, "{names:?}");
    let twice: Vec<_> = names.values().filter(|services| services.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn z3_every_mutation_takes_a_request_id_or_has_a_key_of_its_own() {
    let mut mutations = 0;
    for (name, method) in methods().into_iter().filter(|(_, method)| !is_read(method)) {
        mutations += 1;
        let request = method.input();
        let keyed = if is_internal(&method) {
            // Between contexts, and to the provider: ids that the caller derives. Voiding names the payment, there or not.
            ["payment_id", "refund_id", "charge_id", "name"].iter().any(|key| has(&request, key))
        } else {
            has(&request, "request_id")
        };
        assert!(keyed, "{name} cannot be repeated safely");
    }
    assert!(mutations >= 12, "only {mutations} RPCs change something");
}

#[test]
fn the_details_of_a_refusal_are_among_the_contracts() {
    for message in ["ErrorInfo", "BadRequest", "RetryInfo"] {
        let name = format!("google.rpc.{message}");
        let found = contracts().get_message_by_name(&name).unwrap_or_else(|| panic!("there is no {name}"));
        assert_eq!(found.parent_file().name(), "google/rpc/error_details.proto");
    }
}

#[tokio::test]
async fn an_internal_rpc_is_reached_by_no_person() {
    let inn = Inn::open().await;
    let internal: Vec<_> =
        methods().into_iter().filter(|(_, method)| is_internal(method)).map(|(name, _)| name).collect();
    assert!(internal.len() >= 9, "{internal:?}");
    for (name, _) in BY_PEOPLE {
        assert!(is_internal(&method(name)), "{name} is no exception any more");
    }
    for rpc in &internal {
        let exception = BY_PEOPLE.iter().find(|(name, _)| name == rpc);
        let allowed = exception.map_or(&[][..], |(_, roles)| *roles);
        let others: Vec<Role> = Role::ALL.into_iter().filter(|role| !allowed.contains(role)).collect();
        let refusal = inn.person("mallory", &others).sends(rpc, Vec::new()).await.expect_err("a refusal");
        assert_eq!(reason(&refusal), Reason::ROLE_REQUIRED.as_str(), "{rpc}: {refusal:?}");
        for role in allowed {
            if let Err(refusal) = inn.person("carol", &[*role]).sends(rpc, Vec::new()).await {
                assert_ne!(reason(&refusal), Reason::ROLE_REQUIRED.as_str(), "{rpc} as {}", role.name());
            }
        }
    }
    inn.close().await;
}
