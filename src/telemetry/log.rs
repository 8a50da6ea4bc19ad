//! Logs: one line per event on standard error, as JSON for collectors or as text for people.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, ParseError};
use tracing_subscriber::fmt::SubscriberBuilder;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line
    Json,
    /// Lines for people
    #[default]
    Text,
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "\"{filter}\" is no log level ({reason}); write error, warn, info, debug or trace, \
         or filters such as info,regcred::server=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else in this process logs already.
    #[error("logging was already started in this process")]
    AlreadyStarted,
}

/// The modules of the client that quote answers of the API server: the one whole ones, such as a list of Secrets that it could
/// not decode, and already at `warn`; the other its errors in full, of which one of decoding may hold the value that it could
/// not decode. What failed is logged by whoever asked, without the answer.
const QUIET: [&str; 2] = ["kube_client::client=error", "kube_runtime::watcher=error"];

/// Starts logging for the whole process and makes panics log lines.
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let filter = read_filter(filter)?;
    let lines = SubscriberBuilder::default().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        // The fields of an event stand beside its message, where queries look for them.
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    }
    .map_err(|_| LogError::AlreadyStarted)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What is asked for, except where Secrets could be told.
fn read_filter(filter: &str) -> Result<EnvFilter, LogError> {
    let unreadable = |reason: String| LogError::Filter { filter: filter.to_owned(), reason };
    let mut asked = EnvFilter::try_new(filter).map_err(|error| unreadable(error.to_string()))?;
    for quiet in QUIET {
        let quiet: Directive = quiet.parse().map_err(|error: ParseError| unreadable(error.to_string()))?;
        asked = asked.add_directive(quiet);
    }
    Ok(asked)
}

/// Says where a panic happened, not with which words: a slice error quotes the text it was cutting,
/// and that text can be a Secret's.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(location, "a part of the program panicked");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use rstest::rstest;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[rstest]
    #[case("info")]
    #[case("trace")]
    #[case("kube_client=trace")]
    #[case("kube_client::client=trace,info")]
    #[case("kube_runtime=trace")]
    #[case("kube_runtime::watcher=trace,debug")]
    fn what_the_client_quotes_is_never_logged(#[case] filter: &str) {
        let lines = Lines::default();
        let writer = {
            let lines = lines.clone();
            move || lines.clone()
        };
        let subscriber =
            SubscriberBuilder::default().with_env_filter(read_filter(filter).unwrap()).with_writer(writer);
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::warn!(target: "kube_client::client", "hunter2, missing field");
            tracing::error!(target: "kube_client::client", "heard");
            tracing::debug!(target: "kube_runtime::watcher", "watcher error: hunter2");
            tracing::warn!(target: "kube_runtime::watcher", "watcher error 403: hunter2");
            tracing::error!(target: "kube_runtime::watcher", "seen");
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(lines.contains("heard") && lines.contains("seen") && !lines.contains("hunter2"), "{lines}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_an_example() {
        let error = init(LogFormat::Json, "regcred=loud").unwrap_err().to_string();
        assert!(error.contains("\"regcred=loud\" is no log level"), "{error}");
        assert!(error.contains("write error, warn, info, debug or trace"), "{error}");
    }
}
