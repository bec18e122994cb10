//! Chooses the addresses of all contexts before any process starts, because each process needs the addresses of the others.

use std::{
    collections::{BTreeMap, HashSet},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{LazyLock, Mutex, PoisonError},
};

use jumak::house::Member;

use crate::{Options, Ports};

/// How many times to look for a free port.
const TRIES: u32 = 100;

/// The address of every replica.
pub(crate) type Addresses = BTreeMap<Member, Vec<SocketAddr>>;

/// The distance between the ports of two replicas of a context: the number of contexts, rounded up to tens, so that no two ports are equal.
pub fn step() -> u16 {
    step_of(Member::ALL.len())
}

fn step_of(contexts: usize) -> u16 {
    u16::try_from(contexts.next_multiple_of(10)).unwrap_or(u16::MAX)
}

/// Chooses the addresses. If a fixed port is in use, the error says so.
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
        Err(error) => anyhow::bail!("port {port} of 127.0.0.1 is not free ({error}); stop the program that uses it"),
    }
}

/// A free port that was not chosen before. Another mesh of this process may look for ports before this one is used.
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
    fn no_two_replicas_have_the_same_port_for_any_number_of_contexts() {
        for contexts in 1..=40_u16 {
            let (step, mut taken) = (step_of(contexts.into()), HashSet::new());
            for (context, replica) in (0..contexts).flat_map(|context| (0..9).map(move |replica| (context, replica))) {
                assert!(taken.insert(context + replica * step), "{contexts} contexts: {context}, replica {replica}");
            }
        }
        assert_eq!(step_of(12), 20);
    }
}
