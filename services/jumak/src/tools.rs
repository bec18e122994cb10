//! Tools that operate a running system. None of them is a context, and no context depends on them.
//!
//! | module | what it does |
//! |---|---|
//! | [`audit`] | compares the books of every context and of the provider |
//! | [`backup`] | copies a data folder while it is in use, and restores it |
//! | [`bench`] | measures a system, and compares it with what the machine can do |
//! | [`bus_tools`] | lists and replays dead letters; publishes a context's events again |
//! | [`call`] | makes any call from a command line, from the contracts alone |
//! | [`demo`] | plays a business case, and checks each step |

pub mod audit;
pub mod backup;
pub mod bench;
pub mod bus_tools;
pub mod call;
pub mod demo;
