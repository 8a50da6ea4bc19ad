//! The `regcred` command; see the library's [`regcred::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    regcred::cli::run()
}
