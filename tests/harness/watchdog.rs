//! A folder and a process group that do not outlive this process.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

/// Keeps the folders (logs, audit log, kubeconfigs) for looking into a failure.
pub const KEEP_VARIABLE: &str = "REGCRED_TEST_KEEP";

/// Where it is noted what regcred's account did in each control plane, for `tests/rights`.
pub fn records() -> PathBuf {
    // The target folder's own one for tests; an example, which has none, leaves its record in its temporary folder.
    option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from).join("calls")
}

/// The watchdog process; see `watchdog.py`. When this is dropped, or the process that holds it is gone in
/// whatever way, every process started in its group is killed and its folder removed.
pub struct Watchdog {
    folder: PathBuf,
    group: i32,
    child: Child,
    /// The only write end of the pipe that the watchdog reads.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// A temporary folder and an empty process group under a watchdog of their own.
    pub fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("regcred-test-").tempdir().expect("a temporary folder").keep();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/watchdog.py");
        let mut command = Command::new("python3");
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Its own group: a terminal sends Ctrl-C to the group in the foreground, and this one must survive it.
        command.process_group(0);
        let then = if std::env::var_os(KEEP_VARIABLE).is_none() { "remove" } else { "keep" };
        command.arg(&folder).arg(records()).arg(then);
        let mut child = command.spawn().expect("python3, which runs the watchdog of the tests' processes");
        let pipe = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("the watchdog's group");
        let group = line.trim().parse().expect("the watchdog prints its process group");
        Self { folder, group, child, pipe }
    }

    /// The folder that goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a command in the group.
    pub fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        command.process_group(self.group).stdin(Stdio::null()).spawn()
    }

    /// Runs a command in the group to its end and returns what it printed.
    pub fn output(&self, command: &mut Command) -> std::io::Result<Output> {
        self.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // The group and the folder are gone when this returns, so a test may look.
        let _ = self.child.wait();
    }
}
