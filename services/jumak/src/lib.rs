//! The one binary that runs Jumak's contexts, as a library, so that tests start systems in their own process.
//!
//! | module | what it is |
//! |---|---|
//! | [`house`] | contexts in a process: whichever, and however many |
//! | [`embedded`] | all of them in one process, on one data folder |
//! | [`serve`] | one or some of them, in the mesh |
//! | [`call`] | any RPC from a command line, from the contracts alone |
//! | [`cli`] | the commands |
//! | [`bus_tools`] | dead letters, and events published once more |
//! | [`bench`] | how fast a system is, beside what the machine can do |
//! | [`audit`], [`backup`], [`demo`] | proves the books, keeps them safe, tells the story |

pub mod audit;
pub mod backup;
pub mod bench;
pub mod bus_tools;
pub mod call;
pub mod cli;
pub mod demo;
pub mod embedded;
pub mod house;
pub mod serve;
