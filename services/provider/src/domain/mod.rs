//! Charges, refunds, and what each token makes of them, free of I/O.

pub mod charge;
pub mod token;
