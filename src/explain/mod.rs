//! `regcred explain`: why a pod is given which pull Secrets, by the functions of the server.

mod error;
mod live;
mod sheet;
mod source;
mod text;
mod words;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::check::objects::ApiObject;
use crate::check::problem::{Place, Problem, Reason};
use crate::check::request::Requests;
use crate::check::state::AsServed;
use crate::check::{Format, Operation, note_absent, say};
use crate::cluster::kubeconfig::{self, WhichCluster};
use crate::policy::Answers;
use crate::policy::explain::{Explained, Explanation, explain};
use crate::review;
use error::ExplainError;
use sheet::{Sheet, Standing};
use source::{Cluster, Subjects};

const EXPLANATION: &str = "\
Explains a pod of the cluster that kubectl speaks to, as if it were created now, or a pod of a file; in that cluster, or in \
one that the files of --state stand for (as in regcred check). For each image it says what each RegistryCredential says of \
it: the key of its Secret that answers, or why none does. For each RegistryCredential that an image needs it says whether \
the namespace is offered it, where the copy of its Secret stands, and what that means for the pod. The server's own \
functions decide; nothing is written.

What is read is read with your own rights: the pod, its namespace and ServiceAccount, all RegistryCredentials, and the \
Secrets that these name. What you may not read is told as unknown. A copy that you may read tells the keys of a source that \
you may not. No value of a Secret is ever printed. How the server is set it does not say: give --consent, \
--namespaces and --regcred-namespace as to it.

With -o json each line has pod, exists (whether it is there already), leftAlone (why no pull Secret is added whatever is \
offered, or null), images (image, state, why, and credentials: name, answers, why), credentials (name, mode, pullSecret, \
and of offered, copy and verdict each what it is and why; what keeps a copy away has the reason that the conditions of \
its RegistryCredential have for it, such as ForeignSecret), state (served, lacks or unknown, of the worst image) and summary.

Exit codes: 0 no image lacks a pull Secret that regcred could give; 1 one does; 2 it could not be told (the reason is on \
standard error, or what is unknown in the text), or the command line is wrong.

Examples:
  regcred explain pod team-a/hello
  kubectl run hello --image=ghcr.io/org/app --dry-run=client -o yaml | regcred explain -n team-a -f -
  regcred explain -f pod.yaml --state cluster/ -o json";

/// The arguments of `regcred explain`.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLANATION, after_help = "--help says what is read and explained, and the exit codes.")]
pub struct Arguments {
    /// What is explained by its name
    #[arg(value_enum, requires = "name", conflicts_with = "filenames")]
    kind: Option<Kind>,

    /// Its namespace and name, or its name in the namespace of -n
    #[arg(value_name = "NAMESPACE/NAME")]
    name: Option<String>,

    /// Pods in a file, a folder or - for standard input; can be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    filenames: Vec<PathBuf>,

    /// The namespace of pods that name none; by default that of the kubeconfig, and with --state `default`
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    #[command(flatten)]
    cluster: WhichCluster,

    #[command(flatten)]
    served: AsServed,

    /// How the explanation is written
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A pod
    Pod,
}

impl Arguments {
    fn subjects(&self) -> Result<Subjects<'_>, ExplainError> {
        let standard_input = Path::new("-");
        let inputs = self.filenames.iter().chain(&self.cluster.state);
        if inputs.filter(|path| *path == standard_input).count() > 1 {
            return Err(ExplainError::StandardInputTwice);
        }
        match (&self.name, self.filenames.is_empty()) {
            (Some(name), _) => {
                let (namespace, name) = name.split_once('/').map_or((None, &**name), |(a, b)| (Some(a), b));
                Ok(Subjects::Named { namespace: namespace.or(self.namespace.as_deref()), name })
            }
            (None, false) => Ok(Subjects::Files(&self.filenames)),
            (None, true) => Err(ExplainError::NothingGiven),
        }
    }
}

/// Explains what the arguments name: 0 nothing lacks, 1 something does, 2 it could not be told.
pub fn run(arguments: &Arguments) -> ExitCode {
    let mut has_problem = false;
    let explained = explain_all(arguments, &mut |problem| {
        has_problem = true;
        say(&problem.to_string());
    });
    match explained {
        Ok(_) if has_problem => ExitCode::from(2),
        Ok(standing) => ExitCode::from(match standing {
            Standing::Served => 0,
            Standing::Lacks => 1,
            Standing::Unknown => 2,
        }),
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

fn explain_all(arguments: &Arguments, complain: &mut dyn FnMut(Problem)) -> Result<Standing, ExplainError> {
    let subjects = arguments.subjects()?;
    let mut cluster = if arguments.cluster.state.is_empty() {
        kubeconfig::wait_for(live::read(
            &subjects,
            arguments.cluster.context.as_deref(),
            arguments.namespace.as_deref(),
            &arguments.served,
            complain,
        ))??
    } else {
        let namespace = arguments.namespace.as_deref().unwrap_or("default");
        source::read(&subjects, &arguments.cluster.state, namespace, &arguments.served, complain)?
    };
    for note in &cluster.notes {
        say(note);
    }
    let requests = Requests {
        operation: Operation::Create,
        namespace: cluster.namespace.clone(),
        old: HashMap::default(),
    };
    let mut output = io::stdout().lock();
    let mut worst = Standing::Served;
    for (place, pod) in std::mem::take(&mut cluster.pods) {
        match explain_pod(pod, &requests, &mut cluster) {
            Ok(sheet) => {
                worst = worst.max(sheet.state);
                // A reader that has gone, as in `| head`, wants no more.
                write(&mut output, &sheet, arguments.output).map_err(ExplainError::Output)?;
            }
            Err(reason) => complain(Problem { place, reason }),
        }
    }
    note_absent(&cluster.state.absent_namespaces);
    Ok(worst)
}

fn explain_pod(mut pod: ApiObject, requests: &Requests, cluster: &mut Cluster) -> Result<Sheet, Reason> {
    let identity = pod.identity(&requests.namespace);
    let (namespace, name) = (identity.2, pod.metadata("name").to_owned());
    if !cluster.exists {
        cluster.state.complete(&mut pod, &requests.namespace);
    }
    let review = requests.review(pod)?;
    let Ok(request) = review::decode(review.as_bytes()) else {
        return Err(Reason::NotAReview);
    };
    let mut answers = Answers::default();
    let now = Instant::now();
    let explanation: Explanation = loop {
        match explain(&request, &cluster.state.known, &answers, now) {
            Ok(Explained::Explanation(explanation)) => break explanation,
            Ok(Explained::Needs(needs)) => cluster.answer(needs, &mut answers),
            Err(error) => return Err(Reason::Metadata { kind: "a Pod", error }),
        }
    };
    Ok(Sheet::new(&namespace, &name, &explanation, cluster))
}

fn write(output: &mut impl Write, sheet: &Sheet, format: Format) -> io::Result<()> {
    match format {
        Format::Text => output.write_all(text::of(sheet).as_bytes())?,
        Format::Json => {
            serde_json::to_writer(&mut *output, sheet)?;
            writeln!(output)?;
        }
    }
    output.flush()
}

/// Where a thing of the cluster was read.
fn in_cluster() -> Place {
    Place { file: "the cluster".into(), line: None }
}
