//! One process of the bench: its output in a file, its signals, its end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::watchdog::Watchdog;

/// How often an end is looked for; nothing that is measured depends on it.
const POLL: Duration = Duration::from_millis(20);

/// A process in the group of a watchdog. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command with both its outputs going to `FOLDER/NAME.log` (appended: a server that is started
    /// again goes on in the same file).
    pub fn start(watchdog: &Watchdog, name: &str, command: &mut Command) -> Self {
        let log = watchdog.folder().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        command.stdout(output.try_clone().expect("a second handle")).stderr(output);
        let child = watchdog
            .spawn(command)
            .unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
        Self { name: name.to_owned(), child, log }
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The file that its output goes to.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The end of what it has said, for messages.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!("the last lines of {}:\n{}", self.name, lines[from..].join("\n"))
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child that can be waited for")
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let id =
                Pid::from_raw(i32::try_from(self.child.id()).expect("a process number")).expect("not zero");
            let _ = kill_process(id, signal);
        }
    }

    /// Waits for its end.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGTERM, then SIGKILL when it has not ended in time.
    pub async fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        if let Some(status) = self.wait(limit).await {
            return status;
        }
        self.kill()
    }

    /// SIGKILL, and waits.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child that can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
