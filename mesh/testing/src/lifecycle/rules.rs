//! The rules, one function for each. Its name is the rule.

#![allow(missing_docs, reason = "the name of each rule says what it says")]

mod attempts;
mod cancelling;
mod holding;
mod judging;
mod outcomes;
mod parties;
mod refunds;
mod replicas;
mod requests;
mod steps;
mod sweeping;
mod waiting;

pub use self::{
    attempts::*, cancelling::*, holding::*, judging::*, outcomes::*, parties::*, refunds::*, replicas::*, requests::*,
    steps::*, sweeping::*, waiting::*,
};
