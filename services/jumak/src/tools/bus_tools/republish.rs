//! `jumak republish`: publishes a context's events again.

use mesh::relay;

use crate::{
    cli::{options::DataOption, output, target::TargetOption},
    house::{self, Member},
};

/// Publish all events of a context again, from its outbox.
///
/// Use this if a broker has lost its stream, or a consumer its position. Consumers skip the events that they have handled already. The
/// context's relay publishes the events, within a second if it runs, otherwise when it starts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The context whose events to publish
    pub(super) context: Member,
    #[command(flatten)]
    pub(super) data: DataOption,
    #[command(flatten)]
    pub(super) targeted: TargetOption,
}

/// Marks the context's events as unpublished.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let context = args.context;
    anyhow::ensure!(context.uses_bus(), "{context} publishes no events");
    let (config, folder) = (args.targeted.load()?, args.data.folder()?);
    let file = folder.database_file(context.name());
    let is_there = config.database_url(context.name()).is_some() || file.is_file();
    anyhow::ensure!(
        is_there,
        "contexts.{context}.database_url is not set, and there is no {}; name its folder with --data",
        file.display()
    );
    let database = house::open(context, Some(&folder), &config).await?;
    let republished = relay::republish(&database).await;
    database.close().await;
    let events = match republished? {
        1 => "1 event".to_owned(),
        many => format!("{many} events"),
    };
    Ok(output::line(format_args!("{events} of {context} will be published again"))?)
}
