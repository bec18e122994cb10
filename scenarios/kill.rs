//! The process is killed at each kill point, and the case settles with the books right.
