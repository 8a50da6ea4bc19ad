//! `regcred refs`: what uses a Secret, and through which field.

mod files;
mod live;
mod report;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use thiserror::Error;

use crate::check::{Format, say};
use crate::cluster::kubeconfig::{self, ReadError, WhichCluster};
use crate::configuration::{self, FileError};
use crate::knowledge::References;
use crate::knowledge::references::Use;
use crate::model::ObjectKey;
use crate::model::module::Selection;
use crate::model::reference::Reference;
use report::Report;

const EXPLANATION: &str = "\
Says which objects point to a Secret, and by which of their fields, in the cluster that kubectl speaks to, or in one that the \
files of --state stand for (as in regcred check). Known are Gardener's Shoots (every field of theirs that names a Secret), \
SecretBindings and CredentialsBindings, which may be of any namespace and hold their Secret whether a Shoot uses it or not, \
and Kyma's RegistryCacheConfigs, and its ModuleTemplates and Manifests, which select Secrets by their labels, so that another one \
may do as well; and with --config the kinds that the server's configuration describes. Whoever writes an object of \
the latter, or one that selects Secrets, leaves no reservation on the Secret: one that is written at the very moment in which its Secret is \
deleted can end without it. A Shoot counts until Gardener has done with its deletion.

What is read is read with your own rights: bindings of all namespaces, likewise what the configuration lets point to Secrets of other namespaces, and the others of the Secret's own namespace and of those \
that a binding to it is in. A kind that the cluster does not know points to nothing. Of the Secret itself its metadata is read, \
where the cluster knows kinds that select Secrets; if it has labels, these are read in all namespaces.

With -o json there is one object: secret, isUsed, and referrers, each with kind, namespace, name, fields (path and \
purposes of each that names the Secret), reserves (whether its kind leaves reservations) and users (what names a binding, and by which field).

Exit codes: 0 nothing points to it; 1 something does; 2 it could not be told (the reason is on standard error), or the command \
line is wrong.

Examples:
  regcred refs secret garden-dev/docker-creds-v1
  regcred refs secret docker-creds-v1 -n garden-dev --state cluster/ -o json";

/// The arguments of `regcred refs`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLANATION, after_help = "--help says what is looked at, and the exit codes.")]
pub struct Arguments {
    /// What the references are to
    #[arg(value_enum)]
    kind: Kind,

    /// Its namespace and name, or its name in the namespace of -n
    #[arg(value_name = "NAMESPACE/NAME", value_parser = parse_name)]
    name: Name,

    /// The namespace of a Secret that is named without one, and of objects in files; by default that of the kubeconfig, and
    /// with --state `default`
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    #[command(flatten)]
    cluster: WhichCluster,

    /// The configuration that the server has, as given to regcred serve
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// The labels of a Secret.
type Labels = BTreeMap<String, String>;

/// What references can be to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A Secret
    Secret,
}

/// A name that may have its namespace before it.
#[derive(Debug, Clone)]
struct Name {
    namespace: Option<String>,
    name: String,
}

fn parse_name(text: &str) -> Result<Name, String> {
    let (namespace, name) =
        text.split_once('/').map_or((None, text), |(namespace, name)| (Some(namespace), name));
    let is_name = |part: &str| !part.is_empty() && !part.contains('/');
    if !is_name(name) || !namespace.is_none_or(is_name) {
        return Err(
            "write a namespace and a name, as in garden-dev/docker-creds-v1, or a name alone".to_owned()
        );
    }
    Ok(Name { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

impl Name {
    fn within(&self, namespace: &str) -> ObjectKey {
        ObjectKey::new(self.namespace.as_deref().unwrap_or(namespace), &self.name)
    }
}

/// Why it could not be told what uses a Secret.
#[derive(Debug, Error)]
enum RefsError {
    #[error(transparent)]
    Unread(#[from] ReadError),
    #[error(transparent)]
    Configuration(#[from] FileError),
    #[error("the answer could not be written: {0}")]
    Output(io::Error),
}

/// Says what uses a Secret: 0 nothing, 1 something, 2 it could not be told.
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut has_problem = false;
    let answered = answer(arguments, &mut |problem| {
        has_problem = true;
        say(&problem);
    });
    let written = answered.and_then(|report| {
        // Nothing is known of what could not be read.
        if report.is_used || !has_problem {
            write(&mut io::stdout().lock(), &report, arguments.output).map_err(RefsError::Output)?;
        }
        Ok(report.is_used)
    });
    match written {
        Ok(true) => ExitCode::from(1),
        Ok(false) if !has_problem => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

fn answer(arguments: &Arguments, complain: &mut dyn FnMut(String)) -> Result<Report, RefsError> {
    let configuration = arguments.config.as_deref().map(configuration::read).transpose()?;
    let configuration = configuration.unwrap_or_default();
    let (secret, references, labels) = if arguments.cluster.state.is_empty() {
        kubeconfig::wait_for(live::read(arguments, &configuration, complain))??
    } else {
        let namespace = arguments.namespace.as_deref().unwrap_or("default");
        let secret = arguments.name.within(namespace);
        let state = &arguments.cluster.state;
        let (references, labels) = files::read(state, (namespace, &secret), &configuration, complain);
        (secret, references, labels)
    };
    let mut uses = references.of(&secret);
    if configuration.modules.looks_in(&secret.namespace) {
        uses.extend(selecting(&references, &secret, &labels));
    }
    Ok(Report::new(&secret, &uses))
}

/// The objects that select a Secret by its labels, in order.
fn selecting(references: &References, secret: &ObjectKey, labels: &Labels) -> Vec<Use> {
    let selecting = references.selecting(labels).into_iter();
    let uses = selecting.flat_map(|(selection, referrers)| {
        let Selection { selector, repository, path } = selection;
        let purposes = vec![format!("selects {selector}"), format!("for {repository}")];
        let place = Reference { purposes, ..Reference::new(secret.clone(), path) };
        referrers.iter().map(move |referrer| Use {
            referrer: Arc::clone(referrer),
            places: vec![place.clone()],
            users: Vec::new(),
        })
    });
    let mut uses: Vec<Use> = uses.collect();
    uses.sort_by(|one, other| one.referrer.cmp(&other.referrer));
    uses
}

fn write(output: &mut impl Write, report: &Report, format: Format) -> io::Result<()> {
    match format {
        Format::Text => output.write_all(report.to_string().as_bytes())?,
        Format::Json => {
            serde_json::to_writer(&mut *output, report)?;
            writeln!(output)?;
        }
    }
    output.flush()
}
