//! Starts a process: first the listener, then the databases and the bus, then the contexts.

use std::sync::Arc;

use mesh::{Database, Error, config::Config, db::StoreError};
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::{Instant, timeout_at};

use super::{
    Options, Server, bus,
    plan::{Planned, plan},
    wait::{Failure, until_there},
};
use crate::house::{self, DataFolder, Front, House, Member, Tenant};

pub(super) async fn start(options: Options) -> anyhow::Result<Server> {
    let planned = plan(&options)?;
    let Options { members, config, data, migrate, clock } = options;
    // The folder is locked only if a database is in it.
    let in_folder = members.iter().any(|member| config.database_url(member.name()).is_none());
    let folder = data.filter(|_| in_folder).map(DataFolder::at);
    let lock = folder.as_ref().map(DataFolder::lock).transpose()?;
    let front = Front::open(&config, &members).await?;
    let deadline = Instant::now() + config.start_deadline();
    let opened = async {
        let mut tenants = Vec::with_capacity(planned.len());
        for Planned { member, tokens, trust } in planned {
            let database = database(member, folder.as_ref(), &config, migrate, deadline).await?;
            tenants.push(Tenant { member, database, tokens: Arc::new(tokens), trust });
        }
        anyhow::Ok(tenants)
    };
    let uses_bus = members.iter().any(|member| member.uses_bus());
    let connected =
        async { if uses_bus { bus::connect(&members, &config, deadline).await.map(Some) } else { Ok(None) } };
    // Both at once, so that the log names both if both are missing.
    let (tenants, bus) = tokio::try_join!(opened, connected)?;
    let house = House::start(front, tenants, bus, clock, &config).await?;
    Ok(Server { house, lock })
}

async fn database(
    member: Member,
    folder: Option<&DataFolder>,
    config: &Config,
    migrate: bool,
    deadline: Instant,
) -> anyhow::Result<Database> {
    let what = format!("the database of {member}");
    until_there(&what, deadline, || open(member, folder, config, migrate, deadline)).await
}

async fn open(
    member: Member,
    folder: Option<&DataFolder>,
    config: &Config,
    migrate: bool,
    deadline: Instant,
) -> Result<Database, Failure> {
    // Only opening has this timeout. A migration that was cut short would begin again and never finish.
    let opened = timeout_at(deadline, house::open(member, folder, config)).await;
    let database = opened.map_err(|_| Failure::Retryable(anyhow::anyhow!("it does not answer")))?.map_err(failure)?;
    let ready = if migrate { up_to_date(member, &database).await } else { is_up_to_date(member, &database).await };
    match ready {
        Ok(()) => Ok(database),
        Err(failure) => {
            database.close().await;
            Err(failure)
        }
    }
}

async fn up_to_date(member: Member, database: &Database) -> Result<(), Failure> {
    let steps = house::migrate(member, database).await.map_err(failure)?;
    if !steps.is_empty() {
        tracing::info!(context = member.name(), steps = steps.join(", "), "migrated the database");
    }
    Ok(())
}

async fn is_up_to_date(member: Member, database: &Database) -> Result<(), Failure> {
    let missing = member.schema.pending(database).await.map_err(|error| failure(error.into()))?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::Retryable(anyhow::anyhow!("it lacks the migration steps {missing}; run `jumak migrate {member}`")))
}

/// Whether waiting may help. A server that refuses the login may still be being set up. A wrong URL, a failing statement and data of
/// another version do not change by waiting.
fn failure(error: anyhow::Error) -> Failure {
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Error::Incompatible(_)))) {
        return Failure::Permanent(error);
    }
    let is_permanent = error.chain().any(|cause| match cause.downcast_ref::<StoreError>() {
        Some(StoreError::Other(DbErr::Conn(RuntimeErr::Internal(_)))) => true,
        Some(StoreError::Other(DbErr::Conn(_))) => false,
        Some(StoreError::Other(_)) => true,
        _ => false,
    });
    if is_permanent { Failure::Permanent(error) } else { Failure::Retryable(error) }
}
