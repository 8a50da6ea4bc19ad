//! `regcred check`: judges files by the rules of the server, without a cluster.

mod documents;
mod fix;
mod judge;
pub(crate) mod objects;
pub(crate) mod problem;
mod read;
mod report;
pub(crate) mod request;
pub(crate) mod state;
mod value;

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use thiserror::Error;

use crate::configuration;
use crate::model::module::Selector;
use judge::Judgement;
use objects::{Content, Object, each};
use problem::{Problem, Reason};
use report::Report;
pub(crate) use report::{Format, visible};
use request::{OldObjects, Requests};
use state::{AsServed, State};

/// How many namespaces a note names.
const NAMESPACES_IN_A_NOTE: usize = 10;

const EXPLANATION: &str = "\
Each object is judged by itself, as if it were sent to a cluster that holds the objects of --state: of these, \
RegistryCredentials, Secrets, Namespaces, ServiceAccounts, Shoots, SecretBindings, CredentialsBindings, \
RegistryCacheConfigs, ModuleTemplates and Manifests count. Objects given by -f are not part of the cluster; give a file to both to have it so. A namespace \
that --state does not hold is taken to be there without labels of its own, and a note on standard error says so. Any other \
object that it does not hold is not there: a Shoot that names such a Secret is refused, and what points to a Secret and is \
not in it keeps no Secret from being deleted. Nothing is written anywhere, and no value of a Secret is ever printed.

A Secret is in use as long as something in --state points to it; --operation delete tells if it may go, and if it is the last one \
that a module is pulled with. Files show nothing \
that is under way, so the reservations that regcred leaves on Secrets are taken to be over, with a note. Who asks about an \
object of a file is not known: nobody counts as one of Gardener's controllers, nor as one who may let a Secret in use go.

A recorded AdmissionReview is judged as the request that it is, whatever --operation says, also one that the conditions of the \
webhook configurations (matchConditions) would have kept from regcred. Objects of kinds that no rule \
looks at are allowed; so is a Deployment, for the rules look at its pods.

With --fix each ModuleTemplate is written to standard output with the label on each local blob that has none, as YAML, or \
one JSON object per line with -o json; labels that are there stay as they are. Comments and the order of fields cannot be \
kept. The verdicts about what is written are told on standard error. Objects of other kinds are left out.

With -o json each line has source (file:line), kind, namespace, name (with * for a name that the API server is to \
generate), operation, allowed, message, warnings, patch (RFC 6902, or null) and effects (what would be written).

Exit codes: 0 everything is allowed; 1 something is denied; 2 an input could not be read (the reason is on standard error, \
and the rest is judged), or the command line is wrong.

Examples:
  regcred check -f manifests/ --state cluster/
  kustomize build overlays/production | regcred check -f - --state cluster/ -o json
  regcred check -f new/ --operation update --old current/ --state cluster/
  regcred check --operation delete -f secret.yaml --state cluster/
  regcred check -f shoot.yaml --state secrets/
  regcred check -f shoot.yaml --operation update --old shoot-now.yaml --state secrets/
  regcred check --fix --registry-cred-selector=operator.kyma-project.io/oci-registry-cred=ghcr -f template.yaml";

/// The arguments of `regcred check`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLANATION, after_help = "--help says how objects are judged, and the exit codes.")]
pub struct Arguments {
    /// What to judge: a file, a folder (its .yaml, .yml and .json files, and those below) or - for standard input;
    /// can be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    filenames: Vec<PathBuf>,

    /// Files or folders that stand for the cluster; can be repeated
    #[arg(long, value_name = "PATH")]
    state: Vec<PathBuf>,

    /// What is done with the objects
    #[arg(long, value_enum, value_name = "OPERATION", default_value = "create")]
    operation: Operation,

    /// Files or folders with the objects as they are before an update; can be repeated
    #[arg(long, value_name = "PATH")]
    old: Vec<PathBuf>,

    /// The namespace of pods, Secrets, ServiceAccounts and what points to Secrets, where they name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    #[command(flatten)]
    served: AsServed,

    /// The configuration that the server has, as given to regcred serve
    #[arg(long, env = "REGCRED_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Write each module with a label oci-registry-cred on every local blob that has none; comments are not kept
    #[arg(long)]
    fix: bool,

    /// What that label says: the labels of the Secret that the module is pulled with
    #[arg(long, value_name = "KEY=VALUE[,KEY=VALUE]")]
    registry_cred_selector: Option<Selector>,

    /// How the decisions are written
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    /// They are created
    Create,
    /// They replace those of --old
    Update,
    /// They are deleted
    Delete,
}

impl Operation {
    /// The word in a review.
    fn in_review(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A command line that means nothing.
#[derive(Debug, Error)]
enum UsageError {
    #[error(
        "nothing to judge: name files, folders or - by -f, as in: regcred check -f manifests/ --state cluster/ (--help \
         says more)"
    )]
    NothingGiven,
    #[error(
        "an update needs the objects as they are now: name them by --old, or leave out --operation update"
    )]
    NoOld,
    #[error("--old is for an update: add --operation update, or leave out --old")]
    OldWithoutUpdate,
    #[error(
        "--fix must know which label to add: name the labels of the Secret that the module is pulled with, as in \
         --registry-cred-selector=operator.kyma-project.io/oci-registry-cred=NAME"
    )]
    NoSelector,
    #[error("--registry-cred-selector says what --fix is to add: add --fix, or leave it out")]
    SelectorWithoutFix,
    #[error("--fix writes objects as they are to be created: leave out --operation")]
    FixOfOperation,
    #[error("standard input can be read once: give - to only one of -f, --state and --old")]
    StandardInputTwice,
}

impl Arguments {
    fn validate(&self) -> Result<(), UsageError> {
        let inputs = || self.filenames.iter().chain(&self.state).chain(&self.old);
        if self.filenames.is_empty() {
            Err(UsageError::NothingGiven)
        } else if inputs().filter(|path| *path == Path::new(read::STANDARD_INPUT)).count() > 1 {
            Err(UsageError::StandardInputTwice)
        } else if self.operation == Operation::Update && self.old.is_empty() {
            Err(UsageError::NoOld)
        } else if self.operation != Operation::Update && !self.old.is_empty() {
            Err(UsageError::OldWithoutUpdate)
        } else if self.fix && self.registry_cred_selector.is_none() {
            Err(UsageError::NoSelector)
        } else if !self.fix && self.registry_cred_selector.is_some() {
            Err(UsageError::SelectorWithoutFix)
        } else if self.fix && self.operation != Operation::Create {
            Err(UsageError::FixOfOperation)
        } else {
            Ok(())
        }
    }
}

/// Judges what the arguments name: 0 all allowed, 1 something denied, 2 something could not be read.
pub fn run(arguments: &Arguments) -> ExitCode {
    if let Err(error) = arguments.validate() {
        say(&error.to_string());
        return ExitCode::from(2);
    }
    let mut has_problem = false;
    let mut complain = |problem: Problem| {
        has_problem = true;
        say(&problem.to_string());
    };
    let Some(mut session) = Session::new(arguments, &mut complain) else {
        return ExitCode::from(2);
    };
    let judged = match arguments.registry_cred_selector.as_ref() {
        Some(selector) => fix::fix_all(arguments, selector, &mut session, &mut complain),
        None => judge_all(arguments, &mut session, &mut complain),
    };
    match judged {
        Ok(_) if has_problem => ExitCode::from(2),
        Ok(is_denied) => ExitCode::from(u8::from(is_denied)),
        // A reader that has gone, as in `| head`, wants no more.
        Err(_) => ExitCode::from(2),
    }
}

/// What objects are judged by.
struct Session {
    state: State,
    requests: Requests,
    now: Instant,
}

impl Session {
    /// `None` when there is no configuration to judge by; that is told already.
    fn new(arguments: &Arguments, complain: &mut impl FnMut(Problem)) -> Option<Self> {
        let configuration = match arguments.config.as_deref().map(configuration::read).transpose() {
            Ok(configuration) => configuration.unwrap_or_default(),
            Err(error) => {
                say(&error.to_string());
                return None;
            }
        };
        let served = &arguments.served;
        let state =
            State::read(&arguments.state, &arguments.namespace, served, configuration, &mut *complain);
        let requests = Requests {
            operation: arguments.operation,
            namespace: arguments.namespace.clone(),
            old: old_objects(arguments, complain),
        };
        Some(Self { state, requests, now: Instant::now() })
    }

    fn judge(&mut self, content: Content) -> Result<Judgement, Reason> {
        let review = match content {
            Content::Review(review) => review,
            Content::Object(mut object) => {
                if self.requests.operation == Operation::Create {
                    self.state.complete(&mut object, &self.requests.namespace);
                }
                if object.is("", "Secret") {
                    state::complete_secret(&mut object);
                }
                self.requests.review(object)?
            }
        };
        judge::judge(&review, &mut self.state, self.now)
    }
}

/// Writes what is decided about each object; whether anything is denied.
fn judge_all(
    arguments: &Arguments,
    session: &mut Session,
    mut complain: impl FnMut(Problem),
) -> io::Result<bool> {
    let mut report = Report::new(arguments.output, BufWriter::new(io::stdout().lock()));
    let mut is_about_pods = false;
    let mut written = Ok(());
    each(&arguments.filenames, |object| {
        if written.is_err() {
            return;
        }
        let judged = object.and_then(|Object { place, content }| match session.judge(content) {
            Ok(judgement) => Ok((place, judgement)),
            Err(reason) => Err(Problem { place, reason }),
        });
        match judged {
            Ok((place, judgement)) => {
                is_about_pods |= judgement.is_about_pods;
                written = report.add(&place, &judgement);
            }
            Err(problem) => complain(problem),
        }
    });
    written?;
    let is_denied = report.end()?;
    if is_about_pods && session.state.known.credentials.is_empty() {
        say("note: --state holds no RegistryCredential, so no pod gets a pull Secret");
    }
    note_absent(&session.state.absent_namespaces);
    session.state.notes.iter().for_each(|note| say(&format!("note: {note}")));
    Ok(is_denied)
}

fn old_objects(arguments: &Arguments, mut complain: impl FnMut(Problem)) -> OldObjects {
    let mut old = OldObjects::new();
    each(&arguments.old, |object| match object {
        Ok(Object { content: Content::Object(mut object), .. }) => {
            if object.is("", "Secret") {
                state::complete_secret(&mut object);
            }
            old.insert(object.identity(&arguments.namespace), object);
        }
        // A recorded review has its old object within.
        Ok(Object { content: Content::Review(_), .. }) => {}
        Err(problem) => complain(problem),
    });
    old
}

/// Labels can decide who is offered a credential, and who has opted out.
pub(crate) fn note_absent(namespaces: &BTreeSet<Arc<str>>) {
    let mut names: Vec<&str> = namespaces.iter().map(|name| &**name).take(NAMESPACES_IN_A_NOTE).collect();
    if names.is_empty() {
        return;
    }
    if namespaces.len() > NAMESPACES_IN_A_NOTE {
        names.push("and others");
    }
    say(&format!(
        "note: not in --state, so taken to be there without labels: namespace {}",
        names.join(", ")
    ));
}

/// Says something on standard error; nothing can be done if nobody listens.
pub(crate) fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "regcred: {}", report::visible(sentence));
}
