//! Who may call what, and what they learn of what is not theirs.

mod ownership;
mod walk;
