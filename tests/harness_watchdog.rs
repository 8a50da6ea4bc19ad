//! Nothing is left running and no folder is left when a test is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::ControlPlane;
use rustix::process::{Pid, Signal, kill_process_group};

/// Far more than the start and the end take, also on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The child of the next test: starts a control plane, says where, and waits to be killed.
#[tokio::test]
#[ignore = "only the next test runs it, as a process of its own"]
async fn a_child_that_waits_to_be_killed() {
    let Some(path) = std::env::var_os(CHILD_VARIABLE) else {
        return;
    };
    let control_plane = ControlPlane::shared().await;
    let unfinished = Path::new(&path).with_extension("unfinished");
    std::fs::write(&unfinished, control_plane.folder().to_str().unwrap()).unwrap();
    std::fs::rename(unfinished, path).unwrap();
    // Without this it would live on where whoever runs the tests has them ignore SIGINT, as a shell does with what it
    // runs in the background. Nothing is cleaned up on the way out.
    tokio::signal::ctrl_c().await.unwrap();
    std::process::exit(130);
}

const CHILD_VARIABLE: &str = "REGCRED_TEST_CHILD_WRITES_TO";

#[test]
fn nothing_is_left_of_a_control_plane_whose_test_was_killed() {
    for signal in [Signal::KILL, Signal::INT] {
        let scratch = tempfile::tempdir().unwrap();
        let written = scratch.path().join("folder");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_child_that_waits_to_be_killed", "--ignored"])
            .env(CHILD_VARIABLE, &written)
            .stdout(Stdio::null())
            // Its own group, so that the signal goes to all of it, as a terminal's Ctrl-C does.
            .process_group(0)
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while !written.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            assert!(begin.elapsed() < LIMIT, "the child's control plane does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let folder = std::fs::read_to_string(&written).unwrap();
        assert!(processes_of(&folder) >= 3, "etcd, kube-apiserver and kube-controller-manager run");

        let group = Pid::from_child(&child);
        kill_process_group(group, signal).unwrap();
        let killed = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(killed.elapsed() < LIMIT, "the child does not end by {signal:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        while processes_of(&folder) > 0 || !folder_is_forgotten(Path::new(&folder)) {
            assert!(killed.elapsed() < LIMIT, "{} processes of {folder} are left", processes_of(&folder));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Removed, or kept because somebody asked for it.
fn folder_is_forgotten(folder: &Path) -> bool {
    std::env::var_os(harness::watchdog::KEEP_VARIABLE).is_some() || !folder.exists()
}

/// How many processes have this folder in their command line.
fn processes_of(folder: &str) -> usize {
    let lines: Vec<String> = if let Ok(entries) = std::fs::read_dir("/proc") {
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path().join("cmdline")));
        paths.filter_map(|path| String::from_utf8(std::fs::read(path).ok()?).ok()).collect()
    } else {
        // Not Linux.
        let output = Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    };
    lines.iter().filter(|line| line.contains(folder)).count()
}
