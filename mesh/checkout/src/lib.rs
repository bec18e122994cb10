//! Hold, pay, confirm; or let go. The one crate of the mesh that knows the contract of payment.

#![warn(unreachable_pub)]

pub mod checkout;
