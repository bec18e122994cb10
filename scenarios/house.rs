//! Rows X: what is asked of all of them.
