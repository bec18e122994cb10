//! Starting: the folder, the databases, the contexts, the listener, the loops; and only then "ready".

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use mesh::{
    Context, Database, Deps,
    auth::verify::Verifier,
    background::Background,
    bus::{SharedBus, embedded::EmbeddedBus},
    client::InProcess,
    config::Config,
    consumer,
    context::Wiring,
    housekeeping, relay,
    server::{ContextService, Health, ServeOptions, serve},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Serving, System,
    contexts::Member,
    folder::DataFolder,
    keys::Keyring,
    options::{Data, Options},
};

pub(super) async fn start(options: Options) -> anyhow::Result<System> {
    let Options { config_file, config, data, clock, without } = options;
    let members: Vec<Member> =
        Member::ALL.into_iter().filter(|member| !without.iter().any(|left| Member::from(*left) == *member)).collect();

    let (folder, ephemeral) = match data {
        Data::Folder(path) => (DataFolder::at(path), None),
        Data::Ephemeral => {
            let temporary = tempfile::Builder::new().prefix("jumak-").tempdir().context("no temporary folder")?;
            (DataFolder::at(temporary.path()), Some(temporary))
        }
    };
    // The two that fail most often come first, before anything is touched.
    let lock = folder.lock()?;
    let listener = bind(config.listen).await?;
    let address = listener.local_addr()?;

    let keys = Keyring::open(&folder, &config.auth, members.iter().map(|member| member.name()))?
        .configured_by(&folder, config_file.as_deref())?;
    let background = Background::new();
    let registry = InProcess::new();
    let mut databases = BTreeMap::new();
    let mut contexts = Vec::with_capacity(members.len());
    let mut services = BTreeMap::new();
    for member in members {
        let name = member.name();
        let (database, steps) = open_database(member, &folder, &config).await?;
        tracing::debug!(context = name, ?steps, "migrated");
        let deps = Deps {
            database: database.clone(),
            upstreams: member.upstreams(&registry, Arc::new(keys.tokens_of(name)?), &config),
            clock: clock.clone(),
            background: background.clone(),
        };
        let context =
            member.assemble(deps, &config).await.with_context(|| format!("the context {member} cannot start"))?;
        // One stack in front of the context, whichever way a call comes: what the listener serves is what its neighbours reach.
        let service = ContextService::new(&context, Verifier::new(keys.trust_of(name)), &config.limits)?;
        registry.register(name, service.in_process());
        databases.insert(name, database);
        services.insert(name, service);
        contexts.push(context);
    }

    folder.create_file(&folder.bus_file())?;
    let bus: SharedBus = Arc::new(EmbeddedBus::open(&folder.bus_file()).await.context("the bus cannot be opened")?);
    let all: Vec<ContextService> = services.values().cloned().collect();
    let health = Health::not_ready(&all).await;
    let serve_options = ServeOptions {
        reflection: config.reflection(),
        // Half of it: what calls have begun gets the other half.
        drain_deadline: config.drain_deadline() / 2,
        connections: config.limits.connections,
    };
    let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
    let served = serve(listener, all, health.clone(), serve_options, stop.clone());
    let ends = ended.clone().drop_guard();
    let task = tokio::spawn(async move {
        let _ends = ends;
        served.await
    });

    let wiring = Wiring { bus, background: background.clone(), clock };
    for context in contexts {
        start_loops(context, &wiring).await?;
    }
    health.ready().await;
    Ok(System {
        config,
        address,
        folder,
        keys,
        databases,
        services,
        registry,
        background,
        serving: Serving { stop, ended, task },
        lock,
        ephemeral,
    })
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

/// The context's database, which is the one that is configured or a file of its own in the folder, brought up to date; and the steps
/// that this took.
pub async fn open_database(
    member: Member,
    folder: &DataFolder,
    config: &Config,
) -> anyhow::Result<(Database, Vec<String>)> {
    let max_connections = config.database.max_connections;
    let database = match config.database_url(member.name()) {
        Some(url) => Database::connect(url, max_connections).await,
        None => {
            let file = folder.database_file(member.name());
            folder.create_file(&file)?;
            Database::open_file(&file, max_connections).await
        }
    };
    let database = database.with_context(|| format!("the database of {member} cannot be opened"))?;
    let steps =
        member.migrate(&database).await.with_context(|| format!("the database of {member} is not up to date"))?;
    Ok((database, steps))
}

async fn start_loops(context: Context, wiring: &Wiring) -> anyhow::Result<()> {
    relay::start(context.name, context.database.clone(), wiring);
    housekeeping::start(context.name, context.database.clone(), wiring);
    if let Some(hears) = context.hears {
        consumer::start(context.name, context.database, hears, wiring).await?;
    }
    (context.start)(&wiring.background);
    Ok(())
}
