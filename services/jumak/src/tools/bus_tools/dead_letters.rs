//! `jumak dead-letters`: what consumers could not handle, and why.

use mesh::bus::{Bus, DeadLetter};

use super::open;
use crate::cli::{output, place::Place, target::Targeted};

/// Show the events that a consumer could not handle, and why; or give them to it again.
///
/// Works beside a running system. With a broker that has users, it has to be one who may read and replay dead letters.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) targeted: Targeted,
    /// How many to show, the newest first; 1 to 1,000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) limit: u64,
    /// Give all that this consumer could not handle to it again, and show nothing
    #[arg(long, value_name = "CONSUMER")]
    pub(super) replay: Option<String>,
}

/// Shows the newest, one on a line; or replays.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let bus = open(&args.targeted.load()?, &args.place.folder()?).await?;
    let done = show_or_replay(args, &*bus).await;
    bus.close().await;
    done
}

async fn show_or_replay(args: &Args, bus: &dyn Bus) -> anyhow::Result<()> {
    if let Some(consumer) = &args.replay {
        let replayed = bus.replay_dead_letters(consumer).await?;
        let text = match replayed {
            0 => format!("{consumer} has no dead letters; `jumak dead-letters` shows whose there are"),
            1 => format!("1 dead letter is delivered to {consumer} again"),
            many => format!("{many} dead letters are delivered to {consumer} again"),
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

/// Consumer, event and reason. Not what the event says: whoever looks at this need not know that.
pub(super) fn shown(letter: &DeadLetter) -> String {
    let header = |name: &str| {
        let found = letter.delivery.headers.iter().find(|(key, _)| key == name);
        found.map_or("-", |(_, value)| value.as_str())
    };
    let DeadLetter { consumer, delivery, reason } = letter;
    format!("{consumer}\t{}\t{}\t{}\t{reason}", header("ce-id"), delivery.route, header("ce-subject"))
}
