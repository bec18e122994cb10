//! The reasons in the contracts' comments, against those that the contexts define.

use std::collections::BTreeSet;

use jumak::house::Member;
use mesh::{Reason, checkout};
use prost_reflect::{FileDescriptor, ServiceDescriptor};

use crate::support::wire::contracts;

fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    locations.filter(|location| location.path == path).map(|location| location.leading_comments()).collect()
}

/// What the contract of a service says about refusals: above the service, and after `Errors:` above each RPC.
fn about_refusals(service: &ServiceDescriptor) -> String {
    let file = service.parent_file();
    let mut text = comment(&file, service.path());
    for method in service.methods() {
        text += comment(&file, method.path()).split_once("Errors:").map_or("", |(_, errors)| errors);
    }
    text
}

/// The words that are written as a reason of several words is.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.contains('_') && !word.contains(|letter: char| letter.is_ascii_lowercase())).collect()
}

fn names<'a>(reasons: impl IntoIterator<Item = &'a [Reason]>) -> BTreeSet<&'a str> {
    reasons.into_iter().flatten().map(Reason::as_str).collect()
}

#[test]
fn the_contracts_name_the_reasons_that_their_contexts_answer_and_no_others() {
    for member in Member::ALL {
        let services = member.services.iter().map(|name| contracts().get_service_by_name(name).expect("a service"));
        let text: String = services.map(|service| about_refusals(&service)).collect();
        let said = named(&text);
        let (mut own, mut others) = (vec![member.reasons], vec![Reason::OF_THE_MESH, member.reasons_of_others]);
        if member.cases.is_some() {
            own.push(checkout::reasons::ALL);
            others.push(checkout::reasons::OF_OTHERS);
        }
        let (own, others) = (names(own), names(others));
        let unsaid: Vec<_> = own.difference(&said).collect();
        assert!(unsaid.is_empty(), "the contract of {member} does not name {unsaid:?}");
        let unknown: Vec<_> = said.iter().filter(|name| !own.contains(*name) && !others.contains(*name)).collect();
        assert!(unknown.is_empty(), "the contract of {member} names {unknown:?}");
    }
}
