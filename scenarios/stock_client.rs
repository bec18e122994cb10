//! A stock client with reflection only.
