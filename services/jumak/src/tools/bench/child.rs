//! A child process that is killed when its handle is dropped.

use std::{
    io::Read,
    process::{Child as Process, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

/// The pause between two checks whether the process has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A child process. Dropping this kills it, by its pid.
#[derive(Debug)]
pub struct Child(Process);

impl Child {
    /// Starts the process.
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.0
    }

    /// Waits until the process has ended, for at most `within`. Returns whether it succeeded.
    async fn ends(&mut self, within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.success());
            }
            anyhow::ensure!(Instant::now() < deadline, "it did not end within {} s", within.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // If the process has ended already, both calls do nothing.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs a program to its end, for at most `within`, and returns its output.
pub async fn output(command: &mut Command, within: Duration) -> anyhow::Result<String> {
    // Files instead of pipes: nothing reads while the program runs, and a full pipe would block it.
    let (out, err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = Child::spawn(command).with_context(|| format!("failed to start {program}"))?;
    let succeeded = child.ends(within).await.with_context(|| program.clone())?;
    if succeeded {
        return read(out);
    }
    let said = read(err)?;
    anyhow::bail!("{program} failed: {}", said.lines().last().unwrap_or("it printed no error"))
}

fn read(mut file: std::fs::File) -> anyhow::Result<String> {
    use std::io::Seek;
    file.rewind()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_programs_output_or_its_last_error_line_is_returned() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let patience = Duration::from_secs(10);
        assert_eq!(output(&mut shell("echo here"), patience).await.unwrap(), "here\n");
        let complaint = output(&mut shell("echo there is no such database >&2; exit 2"), patience).await.unwrap_err();
        assert!(complaint.to_string().contains("there is no such database"), "{complaint}");
        let slow = output(&mut shell("sleep 60"), Duration::from_millis(100)).await.unwrap_err();
        assert!(format!("{slow:#}").contains("did not end"), "{slow:#}");
        assert!(output(&mut Command::new("no-such-program"), patience).await.is_err());
    }
}
