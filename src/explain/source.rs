//! What is explained, and the cluster that it is explained in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::error::ExplainError;
use crate::check::objects::{ApiObject, Content, each};
use crate::check::problem::{Place, Problem, Reason};
use crate::check::state::{AsServed, State};
use crate::configuration::Configuration;
use crate::model::ObjectKey;
use crate::model::copy::CopyAnswer;
use crate::policy::{Answers, NamespaceAnswer, Need};

/// What is to be explained.
pub(super) enum Subjects<'a> {
    /// A pod that is there.
    Named {
        /// `None` for the default one.
        namespace: Option<&'a str>,
        name: &'a str,
    },
    /// The pods in files.
    Files(&'a [PathBuf]),
}

/// Pods, and the cluster they are explained in.
pub(super) struct Cluster {
    pub(super) pods: Vec<(Place, ApiObject)>,
    /// Whether the pods are there already, so that nothing can be added to them any more.
    pub(super) exists: bool,
    /// The namespace of pods that name none.
    pub(super) namespace: String,
    pub(super) state: State,
    /// Namespaces that have been asked for in vain.
    pub(super) namespaces: BTreeMap<Arc<str>, NamespaceAnswer>,
    /// Secrets that could not be read, and why.
    pub(super) hidden: BTreeMap<ObjectKey, String>,
    /// What else could not be read.
    pub(super) notes: Vec<String>,
}

impl Cluster {
    /// Answers what explaining needs; nothing is ever written.
    pub(super) fn answer(&mut self, needs: Vec<Need>, answers: &mut Answers) {
        let mut others = Vec::new();
        for need in needs {
            match need {
                Need::Namespace(name) if self.namespaces.contains_key(&name) => {
                    answers.namespace = self.namespaces.get(&name).cloned();
                }
                Need::Copy { wanted, .. } if self.hidden.contains_key(&wanted.place) => {
                    let answer = CopyAnswer::failed("it may not be read");
                    answers.copies.insert(wanted.credential.name.clone(), answer);
                }
                other => others.push(other),
            }
        }
        self.state.answer(others, answers);
    }
}

/// Reads pods and a cluster from files.
pub(super) fn read(
    subjects: &Subjects<'_>,
    state: &[PathBuf],
    namespace: &str,
    served: &AsServed,
    complain: &mut dyn FnMut(Problem),
) -> Result<Cluster, ExplainError> {
    let pods = match subjects {
        Subjects::Files(files) => pods(files, complain),
        Subjects::Named { namespace: own, name } => {
            let own = own.unwrap_or(namespace);
            let wanted = (String::new(), "Pod".to_owned(), own.to_owned(), (*name).to_owned());
            // What cannot be read is told when the state is.
            let mut found = pods(state, &mut |_| {});
            found.retain(|(_, pod)| pod.identity(namespace) == wanted);
            if found.is_empty() {
                return Err(ExplainError::NoPodInFiles {
                    namespace: own.to_owned(),
                    name: (*name).to_owned(),
                });
            }
            found
        }
    };
    Ok(Cluster {
        pods,
        exists: matches!(subjects, Subjects::Named { .. }),
        namespace: namespace.to_owned(),
        state: State::read(state, namespace, served, Configuration::default(), complain),
        namespaces: BTreeMap::new(),
        hidden: BTreeMap::new(),
        notes: Vec::new(),
    })
}

/// The pods in files. Whatever else is there is complained of, for it would look as if it had been explained.
pub(super) fn pods(files: &[PathBuf], complain: &mut dyn FnMut(Problem)) -> Vec<(Place, ApiObject)> {
    let mut pods = Vec::new();
    each(files, |object| match object {
        Ok(object) => match object.content {
            Content::Object(pod) if pod.is("", "Pod") => pods.push((object.place, pod)),
            Content::Object(_) | Content::Review(_) => {
                complain(Problem { place: object.place, reason: Reason::NotAPod });
            }
        },
        Err(problem) => complain(problem),
    });
    pods
}
