//! Addresses for the contexts, chosen before any process runs: each has to know where the others will be.

use std::{
    collections::{BTreeMap, HashSet},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

use jumak::house::Member;

use crate::{Options, Ports};

/// How often a free port is looked for.
const TRIES: u32 = 100;

/// The address of every replica.
pub(crate) type Addresses = BTreeMap<Member, Vec<SocketAddr>>;

/// From one replica's ports to the next one's: as many as there are contexts, rounded up to tens, so that no two meet.
pub fn step() -> u16 {
    step_of(Member::ALL.len())
}

fn step_of(contexts: usize) -> u16 {
    u16::try_from(contexts.next_multiple_of(10)).unwrap_or(u16::MAX)
}

/// Chooses the addresses. A fixed port that somebody uses is an error that says so.
pub(crate) fn choose(options: &Options) -> anyhow::Result<Addresses> {
    let mut addresses = Addresses::new();
    for (first, member) in (0..).zip(Member::ALL) {
        for replica in 0..options.replicas_of(member) {
            let port = match options.ports {
                Ports::Free => free()?,
                Ports::From(base) => {
                    free_at(base.saturating_add(first).saturating_add(replica.saturating_mul(step())))?
                }
            };
            addresses.entry(member).or_default().push(at(port));
        }
    }
    Ok(addresses)
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn free_at(port: u16) -> anyhow::Result<u16> {
    match TcpListener::bind(at(port)) {
        Ok(_) => Ok(port),
        Err(error) => anyhow::bail!("port {port} of 127.0.0.1 cannot be had ({error}); stop what uses it"),
    }
}

/// A port that nobody uses and that was not chosen before: between its choice and its use another mesh of this process may look.
fn free() -> anyhow::Result<u16> {
    static CHOSEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    for _ in 0..TRIES {
        let port = servers::free_port()?;
        if CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
            return Ok(port);
        }
    }
    anyhow::bail!("there is no free port")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_replica_takes_the_port_of_another_contexts_however_many_contexts_there_are() {
        for contexts in 1..=40_u16 {
            let (step, mut taken) = (step_of(contexts.into()), HashSet::new());
            for (context, replica) in (0..contexts).flat_map(|context| (0..9).map(move |replica| (context, replica))) {
                assert!(taken.insert(context + replica * step), "{contexts} contexts: {context}, replica {replica}");
            }
        }
        assert_eq!(step_of(12), 20);
    }
}
