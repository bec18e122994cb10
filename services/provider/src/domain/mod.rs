//! Charges, refunds, and the scripts of test tokens, free of I/O.

pub mod charge;
pub mod token;
