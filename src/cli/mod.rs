//! The command line.

mod configured_kinds;
mod garden;
mod manifests;
mod namespaced;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Parser, Subcommand};

use crate::{app, certificates, check, explain, refs};

/// Makes private registry credentials simply be there.
///
/// `serve` is the admission webhook; `check` judges files by the same rules without a cluster, and
/// `explain` says of one pod why it is given what.
#[derive(Parser)]
#[command(name = "regcred", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the admission webhook
    // Boxed, for it has far more of them than the others.
    Serve(Box<app::Arguments>),
    /// Judge files by the same rules, without a cluster
    Check(check::Arguments),
    /// Say why a pod is given which pull Secrets, and why not
    Explain(explain::Arguments),
    /// Say what uses a Secret, and through which field
    Refs(refs::Arguments),
    /// Print manifests that are generated from the code
    #[command(subcommand)]
    Manifests(manifests::Command),
    /// Make a development certificate, as a kustomize overlay of manifests/
    Certificates(certificates::overlay::Arguments),
}

/// Runs the command line; the exit code is 0 for success, 2 for what could not be done, else the command's own.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(arguments) => done(app::serve(&arguments).map(|()| String::new())),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Refs(arguments) => refs::run(&arguments),
        Command::Manifests(command) => done(manifests::print(&command)),
        Command::Certificates(arguments) => done(
            certificates::overlay::write(&arguments, SystemTime::now()).map(|written| format!("{written}\n")),
        ),
    }
}

/// Prints a result, or says what is wrong.
fn done<E: Display>(result: Result<String, E>) -> ExitCode {
    match result {
        // A reader that has gone, as in `| head`, wants no more.
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "regcred: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }
}
