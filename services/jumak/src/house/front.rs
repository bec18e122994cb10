//! Where a process takes calls, from before it is ready until after it has stopped being so.

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

/// A listener that tells health checks how far the process is, and turns calls away until its contexts are there. Dropped, it stops.
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
    /// Listens for calls to `members`, as `config` says. A port in use is an error that says so.
    pub async fn open(config: &Config, members: &[Member]) -> anyhow::Result<Self> {
        let tls = Tls::load(&config.tls).context("TLS cannot be had as `tls` in the configuration says")?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        let contexts = Contexts::expected(members.iter().flat_map(|member| member.services).copied());
        let health = Health::not_ready(&contexts).await;
        let options = ServeOptions {
            reflection: config.reflection(),
            // Half of it: what calls have begun gets the other half.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resolves if the listener ends by itself, which it does only when it fails.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The certificates of this process, which the calls that go out show as well.
    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(super) fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    pub(super) async fn ready(&self) {
        self.health.ready().await;
    }

    /// From now on no connection is taken; resolves when the calls in hand are answered.
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
            // The next one is as good a guess as any, and 0 is always free.
            SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(0)),
        ),
        _ => anyhow::Error::new(error).context(format!("{address} cannot be listened on")),
    })
}
