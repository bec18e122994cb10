//! My page off, on again, and rebuilt.
