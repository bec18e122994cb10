//! Rows Z: what none of the originals had.
