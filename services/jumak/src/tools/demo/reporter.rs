//! Prints one line for each requirement.

use std::{
    fmt::Display,
    io::{self, Write},
    time::Instant,
};

/// A line did not hold and has been printed, so the story ends.
#[derive(Debug)]
pub struct Ended;

/// Prints the lines, and counts those that hold.
#[derive(Debug)]
pub struct Reporter<W> {
    output: W,
    held: u32,
    begun: Instant,
}

impl<W: Write> Reporter<W> {
    /// Prints to `output`.
    pub fn new(output: W) -> Self {
        Self { output, held: 0, begun: Instant::now() }
    }

    /// Awaits `shown`, prints whether `claim` holds, and returns the value.
    pub async fn line<T>(
        &mut self,
        requirement: &str,
        claim: &str,
        shown: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<T, Ended> {
        let shown = shown.await;
        let told = match &shown {
            Ok(_) => self.print(requirement, "ok", claim),
            Err(error) => self.print(requirement, "FAILED", format_args!("{claim}: {error:#}")),
        };
        match (shown, told) {
            (Ok(value), Ok(())) => {
                self.held += 1;
                Ok(value)
            }
            // The line does not hold, or it could not be printed.
            (Err(_), _) | (_, Err(_)) => Err(Ended),
        }
    }

    /// Prints the result.
    pub fn sum_up(mut self, complete: bool) -> io::Result<()> {
        let (held, took) = (self.held, self.begun.elapsed().as_secs_f64());
        if complete {
            writeln!(self.output, "all {held} lines hold, shown in {took:.1} s")
        } else {
            writeln!(self.output, "{held} lines hold, and then one does not")
        }
    }

    fn print(&mut self, requirement: &str, outcome: &str, text: impl Display) -> io::Result<()> {
        writeln!(self.output, "{requirement:<4} {outcome:<6}  {text}")?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_does_not_hold_shows_expected_and_seen_values_and_ends_the_story() {
        let mut told = Vec::new();
        let mut reporter = Reporter::new(&mut told);
        let two = reporter.line("A1", "one and one are two", async { Ok(1 + 1) }).await.unwrap();
        let wrong = async { super::super::expect::equal("their sum", 3, two) };
        reporter.line("A2", "one and one are three", wrong).await.unwrap_err();
        reporter.sum_up(false).unwrap();
        assert_eq!(
            String::from_utf8(told).unwrap(),
            "A1   ok      one and one are two\n\
             A2   FAILED  one and one are three: their sum: expected 3, saw 2\n\
             1 lines hold, and then one does not\n"
        );
    }
}
