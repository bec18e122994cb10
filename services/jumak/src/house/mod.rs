//! A house: the contexts that run together in one process. `jumak up` runs all of them, `jumak serve` some.
//!
//! A process starts in this order:
//!
//! 1. It opens its [`Front`], the listener. Health checks learn that it is not ready yet.
//! 2. It opens each context's database and keys, and the bus.
//! 3. It starts the [`House`]: each context is assembled and gets its server stack, and its loops begin.
//!
//! Contexts of one process call each other in process; other contexts are called at their addresses.

mod database;
mod folder;
mod folder_version;
mod front;
mod issuers;
mod member;
mod reasons;
mod run;
mod stop;

pub use self::{
    database::{migrate, open},
    folder::{DataFolder, LOCK_FILE, Lock},
    folder_version::VERSION_FILE,
    front::Front,
    issuers::ask_issuers,
    member::Member,
    reasons::reasons,
    run::{House, Tenant},
};
