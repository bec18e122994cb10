//! One line for each requirement.

use std::{fmt::Display, time::Instant};

use crate::cli::output;

/// A line did not hold, and was printed: the story ends.
#[derive(Debug)]
pub struct Ended;

/// Prints the lines, and counts them.
#[derive(Debug)]
pub struct Teller {
    held: u32,
    begun: Instant,
}

impl Default for Teller {
    fn default() -> Self {
        Self { held: 0, begun: Instant::now() }
    }
}

impl Teller {
    /// Does what shows that `claim` holds, prints whether it does, and hands on what came of it.
    pub async fn line<T>(
        &mut self,
        requirement: &str,
        claim: &str,
        shown: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<T, Ended> {
        match shown.await {
            Ok(value) => {
                self.held += 1;
                print(requirement, "ok", claim);
                Ok(value)
            }
            Err(error) => {
                print(requirement, "FAILED", format_args!("{claim}: {error:#}"));
                Err(Ended)
            }
        }
    }

    /// Prints what it came to.
    pub fn sum_up(&self, complete: bool) -> anyhow::Result<()> {
        let (held, took) = (self.held, self.begun.elapsed().as_secs_f64());
        if complete {
            output::line(format_args!("all {held} lines hold, shown in {took:.1} s"))?;
        } else {
            output::line(format_args!("{held} lines hold, and then one does not"))?;
        }
        Ok(())
    }
}

fn print(requirement: &str, outcome: &str, text: impl Display) {
    // Who has stopped reading is told no more; the status still says how it ended.
    let _unread = output::line(format_args!("{requirement:<4} {outcome:<6}  {text}"));
}
