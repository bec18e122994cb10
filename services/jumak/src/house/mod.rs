//! What runs contexts in a process, whichever of them and however many: `jumak up` with all of them, `jumak serve` with some.
//!
//! A process opens its front first, so that whoever asks for its health learns that it is not ready yet. Then it gets for each
//! context what is the context's own, a database and keys, and starts the house on that and on the bus: each context is put together,
//! given its server stack, and its loops begin. A context that is called from this process is called in it, any other at its address.

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
