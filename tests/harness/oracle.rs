//! Kubernetes' own code as the judge; see `tests/control-plane/oracle.go`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::assets;

/// One question.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// Which credentials the kubelet finds for an image in these Secrets.
    Keyring {
        secrets: Vec<RegistrySecret>,
        /// An image name without tag or digest, as the answer to [`Question::Image`] has it.
        repository: String,
    },
    /// With which credentials Kyma's Lifecycle Manager pulls from a repository.
    Keychain { secrets: Vec<RegistrySecret>, repository: String },
    /// What the kubelet makes of an image reference.
    Image(String),
    /// What a JSON patch makes of an object, as the API server applies it.
    Patch { object: serde_json::Value, patch: serde_json::Value },
}

/// A Secret as the kubelet sees it: its type and its data in base64.
#[derive(Clone, Debug, Serialize)]
pub struct RegistrySecret {
    pub r#type: String,
    pub data: BTreeMap<String, String>,
}

/// The answer. What the question did not ask for is empty.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Why there is no other answer.
    pub error: String,
    /// Usernames of the credentials found, in the order the kubelet tries them; of a keychain at most one.
    pub usernames: Vec<String>,
    pub repository: String,
    pub tag: String,
    pub digest: String,
    pub object: Option<serde_json::Value>,
}

/// A running oracle. It ends when its input closes, so also when the test is killed.
pub struct Oracle {
    child: Child,
    questions: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it.
    pub fn start() -> Self {
        let mut command = Command::new(assets::binary("oracle"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the oracle starts");
        let questions = BufWriter::new(child.stdin.take().expect("piped"));
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, questions, answers }
    }

    /// One question, one answer.
    pub fn ask(&mut self, question: Question) -> Answer {
        self.ask_all([question]).remove(0)
    }

    /// The answers in the order of the questions. Questions are written by a thread of their own while answers
    /// are read: with many of them neither pipe can hold what the other side has not read yet.
    pub fn ask_all<I>(&mut self, questions: I) -> Vec<Answer>
    where
        I: IntoIterator<Item = Question>,
        I::IntoIter: ExactSizeIterator + Send,
    {
        let questions = questions.into_iter();
        let count = questions.len();
        let Self { questions: input, answers: output, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for question in questions {
                    serde_json::to_writer(&mut *input, &question).expect("the oracle reads on");
                    input.write_all(b"\n").expect("the oracle reads on");
                }
                input.flush().expect("the oracle reads on");
            });
            let mut line = String::new();
            let mut answer = |_| {
                line.clear();
                let length = output.read_line(&mut line).expect("an answer");
                assert!(length > 0, "the oracle ended before its last answer");
                serde_json::from_str(&line).expect("an answer as the oracle writes it")
            };
            (0..count).map(&mut answer).collect()
        })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
