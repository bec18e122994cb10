//! `jumak republish`: a context's events, published once more.

use mesh::relay;

use crate::{
    cli::{output, place::Place, target::Targeted},
    house::{self, Member},
};

/// Publish all events of a context once more, from its outbox.
///
/// For a new consumer on a broker whose stream is gone, or when a consumer's place was lost: whoever has handled an event passes over
/// it. The context's relay does it, within a second if it runs, otherwise when it starts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The context whose events
    pub(super) context: Member,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) targeted: Targeted,
}

/// Makes the context's events unpublished.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let context = args.context;
    anyhow::ensure!(context.uses_bus(), "{context} publishes nothing");
    let (config, folder) = (args.targeted.load()?, args.place.folder()?);
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
    Ok(output::line(format_args!("{events} of {context} are published once more"))?)
}
