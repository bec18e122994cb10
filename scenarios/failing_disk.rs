//! A disk is full for a while, or a file may not grow, while guests book and cancel: every answer that was given stays true, and all goes
//! on without a restart once the disk is well.

use std::{process::Command, time::Duration};

use jumak::house::Member;
use local_mesh::{Options, Servers};
use mesh::Role;
use servers::small_disk::SmallDisk;
use tokio::time::sleep;

use crate::{
    kill::busy::{Busy, Crowd},
    support::{
        Inn,
        process::{Process, audit_at_rest_on},
    },
};

const MEGABYTES: u32 = 64;
/// Guests who are busy meanwhile.
const GUESTS: usize = 4;
/// Answers that they get before each trouble, and again after it.
const ANSWERS: usize = 8;
/// How long each trouble lasts. Nothing has to happen meanwhile.
const TROUBLE: Duration = Duration::from_millis(1_500);
/// A write-ahead log is larger than this after a few bookings.
const SMALL_FILE: &str = "65536";

/// How large a file of that process may be, in bytes, from now on. The process runs as this user.
fn limit_files(process: u32, bytes: &str) {
    let set = Command::new("prlimit").arg(format!("--pid={process}")).arg(format!("--fsize={bytes}:")).status();
    assert!(set.expect("prlimit runs").success(), "the limit of process {process} could not be set");
}

/// What goes wrong, between answers that come.
async fn troubled<T>(busy: &Busy, trouble: impl FnOnce() -> T) {
    busy.are_answered(ANSWERS).await;
    let trouble = trouble();
    sleep(TROUBLE).await;
    drop(trouble);
    busy.are_answered(ANSWERS).await;
}

/// A limit that is lifted when this is dropped.
struct SmallFiles(u32);

impl SmallFiles {
    fn only(process: u32) -> Self {
        limit_files(process, SMALL_FILE);
        Self(process)
    }
}

impl Drop for SmallFiles {
    fn drop(&mut self) {
        limit_files(self.0, "unlimited");
    }
}

#[tokio::test]
async fn z5_no_answer_is_lost_when_the_disk_is_full_for_a_while() {
    let disk = SmallDisk::make(MEGABYTES).expect("a small disk");
    let process = Process::start_on(&disk).await;
    let host = process.person(&process.connect().await, "hana", &[Role::Host]);
    let room = host.registers_a_room(1_000).await;
    let busy = Crowd::of(GUESTS, &room);
    let busy = busy.begins(async |name| process.person(&process.connect().await, name, &[Role::Guest])).await;
    for _ in 0..2 {
        troubled(&busy, || disk.fill().expect("it can be filled")).await;
        troubled(&busy, || SmallFiles::only(process.id())).await;
    }
    let mut crowd = busy.end().await;
    let channel = process.connect().await;
    crowd.checks(async |name| process.person(&channel, name, &[Role::Guest])).await;
    process.stops().await;
    audit_at_rest_on(&disk);

    let process = Process::start_on(&disk).await;
    let channel = process.connect().await;
    let tally = crowd.checks(async |name| process.person(&channel, name, &[Role::Guest])).await;
    let admin = process.person(&channel, "auditor", &[Role::Admin]);
    tally.is_charged(&admin).await;
    process.stops().await;
    let left: Vec<_> = std::fs::read_dir(disk.seen_from_outside()).expect("the folder").flatten().collect();
    let logs = left.iter().filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
    assert_eq!(logs.count(), 0, "a clean stop leaves no write-ahead log: {left:?}");
    audit_at_rest_on(&disk);
}

#[tokio::test]
async fn z5_no_answer_is_lost_when_the_files_of_one_context_may_not_grow_for_a_while() {
    let inn = Inn::in_mesh(Options {
        servers: Servers::Shared,
        ..Options::new(std::path::Path::new(env!("CARGO_BIN_EXE_jumak")))
    })
    .await;
    let room = inn.host("hana").registers_a_room(1_000).await;
    let busy = Crowd::of(GUESTS, &room).begins(async |name| inn.guest(name)).await;
    for _ in 0..2 {
        let provider = inn.mesh().await.replica(Member::PROVIDER, 0).expect("it runs").id().expect("its process");
        troubled(&busy, || SmallFiles::only(provider)).await;
    }
    let mut crowd = busy.end().await;
    let tally = crowd.checks(async |name| inn.guest(name)).await;
    inn.audit().await;
    tally.is_charged(&inn.person("auditor", &[Role::Admin])).await;
    inn.close().await;
}
