//! One line for each requirement.

use std::{
    fmt::Display,
    io::{self, Write},
    time::Instant,
};

/// A line did not hold, and was told: the story ends.
#[derive(Debug)]
pub struct Ended;

/// Tells the lines, and counts them.
#[derive(Debug)]
pub struct Teller<W> {
    listener: W,
    held: u32,
    begun: Instant,
}

impl<W: Write> Teller<W> {
    /// Tells `listener`.
    pub fn new(listener: W) -> Self {
        Self { listener, held: 0, begun: Instant::now() }
    }

    /// Does what shows that `claim` holds, tells whether it does, and hands on what came of it.
    pub async fn line<T>(
        &mut self,
        requirement: &str,
        claim: &str,
        shown: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<T, Ended> {
        let shown = shown.await;
        let told = match &shown {
            Ok(_) => self.tell(requirement, "ok", claim),
            Err(error) => self.tell(requirement, "FAILED", format_args!("{claim}: {error:#}")),
        };
        match (shown, told) {
            (Ok(value), Ok(())) => {
                self.held += 1;
                Ok(value)
            }
            // Nobody listens any more.
            (Err(_), _) | (_, Err(_)) => Err(Ended),
        }
    }

    /// Tells what it came to.
    pub fn sum_up(mut self, complete: bool) -> io::Result<()> {
        let (held, took) = (self.held, self.begun.elapsed().as_secs_f64());
        if complete {
            writeln!(self.listener, "all {held} lines hold, shown in {took:.1} s")
        } else {
            writeln!(self.listener, "{held} lines hold, and then one does not")
        }
    }

    fn tell(&mut self, requirement: &str, outcome: &str, text: impl Display) -> io::Result<()> {
        writeln!(self.listener, "{requirement:<4} {outcome:<6}  {text}")?;
        self.listener.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_does_not_hold_says_what_was_expected_and_what_was_seen_and_ends_the_story() {
        let mut told = Vec::new();
        let mut teller = Teller::new(&mut told);
        let two = teller.line("A1", "one and one are two", async { Ok(1 + 1) }).await.unwrap();
        let wrong = async { super::super::expect::equal("their sum", 3, two) };
        teller.line("A2", "one and one are three", wrong).await.unwrap_err();
        teller.sum_up(false).unwrap();
        assert_eq!(
            String::from_utf8(told).unwrap(),
            "A1   ok      one and one are two\n\
             A2   FAILED  one and one are three: their sum: expected 3, saw 2\n\
             1 lines hold, and then one does not\n"
        );
    }
}
