//! The one binary that runs Jumak's contexts, as a library, so that tests start systems in their own process.
//!
//! | module | what it is |
//! |---|---|
//! | [`embedded`] | all contexts in one process, on one data folder |
//! | [`call`] | any RPC from a command line, from the contracts alone |
//! | [`cli`] | the commands |
//! | [`audit`], [`backup`], [`demo`] | proves the books, keeps them safe, tells the story |

pub mod audit;
pub mod backup;
pub mod call;
pub mod cli;
pub mod demo;
pub mod embedded;
