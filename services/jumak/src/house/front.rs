//! The listener of a process, with its health: it is open before the process is ready and until the process has drained.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use mesh::{
    config::Config,
    server::{Contexts, Health, ServeError, ServeOptions, serve},
    tls::Tls,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Member;

/// A listener that answers health checks, and refuses other calls until the contexts run. It stops when it is dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    contexts: Contexts,
    health: Health,
    tls: Tls,
    stop: DropGuard,
    ended: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Front {
    /// Listens for calls to `members` at the configured address. If the port is in use, the error names another one.
    pub async fn open(config: &Config, members: &[Member]) -> anyhow::Result<Self> {
        let tls = Tls::load(&config.tls).context("failed to load what `tls` in the configuration names")?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let contexts = Contexts::expected(members.iter().flat_map(|member| member.services).copied());
        let health = Health::not_ready(&contexts).await;
        let options = ServeOptions {
            reflection: config.reflection(),
            // The other half is for the background work that calls have begun.
            drain_deadline: config.drain_deadline() / 2,
            connections: config.limits.connections,
            tls: Some(tls.clone()),
        };
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let served = serve(listener, contexts.clone(), health.clone(), options, stop.clone());
        let ends = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _ends = ends;
            served.await
        });
        Ok(Self { address, contexts, health, tls, stop: stop.drop_guard(), ended, task })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves if the listener fails.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The certificates of this process; its own calls to other contexts use them too.
    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(super) fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    pub(super) async fn ready(&self) {
        self.health.ready().await;
    }

    /// Accepts no more connections; resolves when the calls in hand are answered.
    pub(super) fn close(self) -> impl Future<Output = anyhow::Result<()>> {
        drop(self.stop);
        async move {
            self.task.await.context("the listener's task failed")??;
            Ok(())
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} is in use on {}; stop what uses it, or take another one with --listen {}",
            address.port(),
            address.ip(),
            // The next port may be free. Port 0 always works.
            SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(0)),
        ),
        _ => anyhow::Error::new(error).context(format!("failed to listen on {address}")),
    })
}
