//! Payments, refunds and the ledger, free of I/O.

pub mod ledger;
pub mod machine;
pub mod pace;
pub mod payment;
pub mod provider;
pub mod refund;
