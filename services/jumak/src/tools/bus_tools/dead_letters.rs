//! `jumak dead-letters`: shows or replays dead letters.

use mesh::bus::{Bus, DeadLetter};

use super::open;
use crate::cli::{options::DataOption, output, target::TargetOption};

/// Show dead letters, the events that a consumer could not handle, with the reasons; or deliver them again.
///
/// Works while a system runs. If the broker has users, the configured user must be allowed to read and replay dead letters.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) data: DataOption,
    #[command(flatten)]
    pub(super) targeted: TargetOption,
    /// How many to show, newest first; 1 to 1,000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) limit: u64,
    /// Deliver all dead letters of this consumer to it again, and show none
    #[arg(long, value_name = "CONSUMER")]
    pub(super) replay: Option<String>,
}

/// Shows the newest dead letters, one per line; or replays them.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let bus = open(&args.targeted.load()?, &args.data.folder()?).await?;
    let done = show_or_replay(args, &*bus).await;
    bus.close().await;
    done
}

async fn show_or_replay(args: &Args, bus: &dyn Bus) -> anyhow::Result<()> {
    if let Some(consumer) = &args.replay {
        let replayed = bus.replay_dead_letters(consumer).await?;
        let text = match replayed {
            0 => format!("{consumer} has no dead letters; `jumak dead-letters` shows which consumers have some"),
            1 => format!("1 dead letter will be delivered to {consumer} again"),
            many => format!("{many} dead letters will be delivered to {consumer} again"),
        };
        return Ok(output::line(text)?);
    }
    let letters = bus.dead_letters(args.limit).await?;
    if letters.is_empty() {
        return Ok(output::line("there are no dead letters")?);
    }
    for letter in letters {
        output::line(shown(&letter))?;
    }
    Ok(())
}

/// Consumer, event and reason. The event's content is not shown, because the operator does not need it.
pub(super) fn shown(letter: &DeadLetter) -> String {
    let header = |name: &str| {
        let found = letter.delivery.headers.iter().find(|(key, _)| key == name);
        found.map_or("-", |(_, value)| value.as_str())
    };
    let DeadLetter { consumer, delivery, reason } = letter;
    format!("{consumer}\t{}\t{}\t{}\t{reason}", header("ce-id"), delivery.route, header("ce-subject"))
}
