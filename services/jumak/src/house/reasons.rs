//! The reasons of all refusals.

use mesh::{Reason, checkout};

use super::Member;

/// Every reason for which anything here refuses a call, once: those of the mesh, of the checkout and of each context.
pub fn reasons() -> impl Iterator<Item = &'static Reason> {
    let contexts = Member::ALL.into_iter().flat_map(|member| member.descriptor().reasons);
    Reason::OF_THE_MESH.iter().chain(checkout::reasons::ALL).chain(contexts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_name_is_one_reason_and_is_written_as_one() {
        let mut seen = BTreeMap::new();
        for reason in reasons() {
            assert!(Reason::read(reason.as_str(), reason.code()).is_some(), "{reason:?}");
            assert_eq!(seen.insert(reason.as_str(), reason), None, "{reason:?} is defined twice");
        }
    }

    #[test]
    fn what_a_context_takes_for_anothers_reason_is_one() {
        let checkout = ("the checkout", checkout::reasons::ALL, checkout::reasons::OF_OTHERS);
        let contexts = Member::ALL.map(|member| (member.name(), member.reasons, member.reasons_of_others));
        for (who, own, of_others) in contexts.into_iter().chain([checkout]) {
            for reason in of_others {
                let theirs = reasons().find(|defined| *defined == reason && !own.contains(defined));
                assert_eq!(theirs.map(Reason::code), Some(reason.code()), "{who} speaks of {reason:?}");
            }
        }
    }
}
