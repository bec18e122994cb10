//! The command line as a shell has it: pipes whose reader leaves, what is typed wrongly, files as other programs write them.

mod input;
mod keys;
mod log;
mod pipes;
mod tls;
