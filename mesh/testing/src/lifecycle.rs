//! The rules of the [lifecycle](mesh_checkout::checkout), as tests that each context with cases runs on its own cases.
//!
//! A context implements [`Seller`] in its tests, and writes
//!
//! ```ignore
//! mod lifecycle {
//!     mesh_testing::lifecycle_rules!(super::Hotel);
//! }
//! ```
//!
//! It then has one test for each rule, on the engine that `JUMAK_TEST_ENGINE` names. The rules use the public functions of
//! `Checkout`, and payment's events; payment itself is a [`Till`].

mod bench;
mod list;
#[doc(hidden)]
pub mod rules;
#[cfg(test)]
mod shop;
mod till;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use mesh_checkout::checkout::{Cases, Told};
use mesh_foundation::error::{Error, Reason};
use mesh_store::{db::Database, store::Schema};

pub use self::{
    bench::{Bench, Moment, actor, answered, caller, create, judge_at, reason},
    till::Till,
};

/// A case of a context.
pub type CaseOf<S> = <<S as Seller>::Cases as Cases>::Case;

/// A context with cases, as the rules need it.
#[async_trait]
pub trait Seller: Sized + Send + Sync + 'static {
    /// Its cases.
    type Cases: Cases<Case: Debug + PartialEq>;

    /// Its tables.
    const SCHEMA: Schema;
    /// The reason of the refusal when no unit is left.
    const SOLD_OUT: Reason;
    /// The moments to which none of its cases ever comes. All others are looked for, and have to be found.
    const NEVER: &'static [Moment] = &[];

    /// When the rules begin.
    fn begin() -> Timestamp;

    /// Offers so many units, in a database that has its tables and nothing else.
    async fn open(database: &Database, units: u32) -> Self;

    /// The store of its cases.
    fn cases(database: &Database) -> Self::Cases;

    /// A new case that wants one unit for `payer`: made, and not stored. Every case wants the same, so that the last unit is the last
    /// one for all of them. It costs something, and all of that comes back if it is cancelled at once. Its business case is `case`.
    async fn case(&self, database: &Database, payer: &str, now: Timestamp) -> CaseOf<Self>;

    /// How many more cases find a unit.
    async fn free(&self, database: &Database) -> u32;

    /// Takes a step of the context's own on a CONFIRMED case, and says what is told of it; `None` if that step was taken before. A
    /// context that has no such step makes one up.
    fn step(case: &mut CaseOf<Self>) -> Result<Option<Told<CaseOf<Self>>>, Error>;
}
