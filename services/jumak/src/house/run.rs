//! The contexts that run: each with its database, its server stack and its loops, behind one listener.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use mesh::{
    Clock, Context, Database, Deps,
    auth::{
        issuer::Issuers,
        verify::{Trust, Verifier},
    },
    background::Background,
    bus::SharedBus,
    client::{InProcess, TokenSource},
    config::Config,
    consumer,
    context::Wiring,
    housekeeping, relay,
    server::ContextService,
    task_reports,
    tls::Tls,
};

use super::{Front, Member, stop};

/// A context that is about to start, with its database and keys.
pub struct Tenant {
    /// The context.
    pub member: Member,
    /// Its database, already migrated.
    pub database: Database,
    /// The tokens with which it calls other contexts.
    pub tokens: Arc<dyn TokenSource>,
    /// The issuers and contexts whose tokens it accepts.
    pub trust: Trust,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("member", &self.member).finish_non_exhaustive()
    }
}

/// The contexts that run in this process. End them with [`stop`](Self::stop); otherwise their loops keep running.
#[derive(Debug)]
pub struct House {
    pub(super) front: Front,
    pub(super) databases: BTreeMap<Member, Database>,
    pub(super) services: BTreeMap<Member, ContextService>,
    pub(super) registry: InProcess,
    pub(super) background: Background,
    pub(super) bus: Option<SharedBus>,
    pub(super) drain_deadline: Duration,
}

impl House {
    /// Starts the contexts behind `front`, and returns when they take calls. `bus` may be `None` if none of them uses it.
    pub async fn start(
        front: Front,
        tenants: Vec<Tenant>,
        bus: Option<SharedBus>,
        clock: Clock,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let neighbours: Vec<Member> = tenants.iter().map(|tenant| tenant.member).collect();
        let (background, registry, owners) = (Background::new(), InProcess::new(), Member::case_owners());
        front.tls().start(&background);
        let issuers = Issuers::new(&config.auth)?;
        issuers.start(&background);
        let (mut databases, mut services, mut contexts) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for Tenant { member, database, tokens, trust } in tenants {
            let deps = Deps {
                database: database.clone(),
                upstreams: member.upstreams(&registry, &neighbours, tokens, front.tls(), config)?,
                owners: owners.clone(),
                clock: clock.clone(),
                background: background.clone(),
            };
            let context = member.descriptor().context(deps, config).await;
            let context = context.with_context(|| format!("failed to start the context {member}"))?;
            let verifier = Verifier::new(trust).with_issuers(&issuers);
            // Calls from the network and from other contexts of this process go through the same server stack.
            let service = ContextService::new(&context, verifier, &config.limits)?;
            registry.register(member.name(), service.in_process());
            databases.insert(member, database);
            services.insert(member, service);
            contexts.push((member, context));
        }
        front.contexts().open(services.values().cloned());
        if let Some(bus) = &bus {
            bus.start(&background);
        }
        for (member, context) in contexts {
            start_loops(member, context, bus.as_ref(), &background, &clock).await?;
        }
        front.ready().await;
        Ok(Self { front, databases, services, registry, background, bus, drain_deadline: config.drain_deadline() })
    }

    /// The address on which they take calls.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// The certificates of this process.
    pub fn tls(&self) -> &Tls {
        self.front.tls()
    }

    /// The database of a context, if the context runs here.
    pub fn database(&self, context: &str) -> Option<&Database> {
        self.databases.iter().find(|(member, _)| member.name() == context).map(|(_, database)| database)
    }

    /// Makes in-process calls to `context` fail, as if it ran in another process that has stopped. For tests.
    pub fn cut_off(&self, context: &str) {
        self.registry.remove(context);
    }

    /// Ends [`cut_off`](Self::cut_off).
    pub fn reconnect(&self, context: &str) {
        if let Some(service) = Member::named(context).and_then(|member| self.services.get(&member)) {
            self.registry.register(context, service.in_process());
        }
    }

    /// Resolves if the listener fails.
    pub async fn ended(&self) {
        self.front.ended().await;
    }

    /// Drains and stops: calls in hand and the work that they have begun are finished, within the configured drain deadline.
    pub async fn stop(self) -> anyhow::Result<()> {
        stop::stop(self).await
    }
}

async fn start_loops(
    member: Member,
    context: Context,
    bus: Option<&SharedBus>,
    background: &Background,
    clock: &Clock,
) -> anyhow::Result<()> {
    let (name, database) = (member.name(), context.database.clone());
    context.database.keep_log_small(name, background);
    housekeeping::start(name, context.database.clone(), background, clock.clone());
    match bus {
        Some(bus) => {
            let wiring = Wiring { bus: bus.clone(), background: background.clone(), clock: clock.clone() };
            relay::start(name, context.database.clone(), &wiring);
            if let Some(hears) = context.hears() {
                consumer::start(name, context.database, hears, &wiring).await?;
            }
        }
        None => anyhow::ensure!(!member.uses_bus(), "the context {member} needs a bus, and there is none"),
    }
    (context.parts.start)(background);
    task_reports::start(name, database, background);
    Ok(())
}
