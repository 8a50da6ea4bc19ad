//! Random operations, done to the API server and to the model.

use std::io::Write;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;

use crate::expectation::{Credential, Expected, Foreign, Model, Namespace, SourceState, copy_name};
use crate::harness::{Installation, User};
use crate::world::{NAMESPACES, World, document, namespace_name};

const SOURCES: usize = 4;
const CREDENTIALS: usize = 5;
/// So that some operations come together, and some after all has settled.
const LONGEST_PAUSE_MS: u64 = 150;
/// Every so many operations a server is killed or restarted, and the API server restarted.
const SERVER_EVERY: usize = 60;
const API_SERVER_EVERY: usize = 240;
/// The pause between two looks at the state.
const POLL: Duration = Duration::from_millis(250);

pub(crate) struct Operations<'a> {
    installation: &'a Installation,
    world: World,
    model: Model,
    /// Secrets that have nothing to do with any of this.
    bystanders: Foreign,
    random: Rng,
    passwords: u64,
}

impl<'a> Operations<'a> {
    pub(crate) async fn begin(installation: &'a Installation) -> Self {
        let seed = std::env::var("REGCRED_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let seed: u64 = seed.unwrap_or_else(now);
        let client = installation.control_plane().client(User::Admin).await;
        let sources = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "sources"}});
        installation.control_plane().apply(&sources.to_string()).await;
        let mut operations = Self {
            installation,
            world: World { client },
            model: Model::default(),
            bystanders: Foreign::default(),
            random: Rng::with_seed(seed),
            passwords: 0,
        };
        Self::figure(&format!("REGCRED_SEED={seed}"));
        for source in 0..SOURCES {
            operations.model.sources.entry(source).or_default();
            operations.set_source(source).await;
        }
        let name = ("sources".to_owned(), "bystander".to_owned());
        let bystander = operations.world.create_foreign("sources", "bystander", 0).await.unwrap();
        operations.bystanders.insert(name, bystander);
        operations
    }

    /// Tells a figure, also when the test passes.
    pub(crate) fn figure(text: &str) {
        let _ = writeln!(std::io::stderr(), "model: {text}");
    }

    pub(crate) async fn one(&mut self, number: usize) {
        if number % SERVER_EVERY == SERVER_EVERY - 1 {
            self.disturb_server().await;
        }
        if number % API_SERVER_EVERY == API_SERVER_EVERY - 1 {
            self.installation.control_plane().stop_api_server().await;
            self.installation.control_plane().start_api_server().await;
        }
        match self.random.usize(0..20) {
            0 | 1 => self.create_namespace().await,
            2 if self.random.bool() => self.delete_namespace().await,
            2 | 3 => self.label_namespace().await,
            4..=6 => self.set_credential().await,
            7 => self.delete_credential().await,
            8..=10 => {
                let source = self.random.usize(0..SOURCES);
                self.set_source(source).await;
            }
            11 => self.spoil_source().await,
            12..=14 => self.create_pod(number).await,
            15 | 16 => self.delete_pod().await,
            17 => self.spoil_copy().await,
            18 => self.create_foreign().await,
            _ => self.delete_foreign().await,
        }
        tokio::time::sleep(Duration::from_millis(self.random.u64(0..LONGEST_PAUSE_MS))).await;
    }

    async fn disturb_server(&mut self) {
        let replicas = self.installation.replicas();
        let replica = &replicas[self.random.usize(0..replicas.len())];
        self.installation.lose_replica(replica).await;
        self.installation.add_replica().await;
    }

    fn any_namespace(&mut self) -> Option<String> {
        let names: Vec<&String> = self.model.namespaces.keys().collect();
        (!names.is_empty()).then(|| names[self.random.usize(0..names.len())].clone())
    }

    async fn create_namespace(&mut self) {
        let name = namespace_name(self.random.usize(0..NAMESPACES));
        let is_labelled = self.random.bool();
        if self.model.namespaces.contains_key(&name) || !self.world.create_namespace(&name, is_labelled).await
        {
            return;
        }
        let bystander = self.world.create_foreign(&name, "bystander", 0).await.unwrap();
        self.bystanders.insert((name.clone(), "bystander".to_owned()), bystander);
        self.model.namespaces.insert(name, Namespace { is_labelled, ..Namespace::default() });
    }

    async fn delete_namespace(&mut self) {
        let Some(name) = self.any_namespace() else {
            return;
        };
        self.world.delete_namespace(&name).await;
        self.model.namespaces.remove(&name);
        self.model.foreign.retain(|(namespace, _), _| *namespace != name);
        self.bystanders.retain(|(namespace, _), _| *namespace != name);
    }

    async fn label_namespace(&mut self) {
        let Some(name) = self.any_namespace() else {
            return;
        };
        let is_labelled = self.random.bool();
        self.world.label_namespace(&name, is_labelled).await;
        self.model.namespaces.get_mut(&name).unwrap().is_labelled = is_labelled;
    }

    async fn set_credential(&mut self) {
        let number = self.random.usize(0..CREDENTIALS);
        let credential = Credential {
            source: self.random.usize(0..SOURCES),
            is_eager: self.random.bool(),
            is_for_all: self.random.bool(),
        };
        self.world.set_credential(number, &credential).await;
        self.model.credentials.insert(number, credential);
    }

    async fn delete_credential(&mut self) {
        let number = self.random.usize(0..CREDENTIALS);
        if self.model.credentials.remove(&number).is_some() {
            self.world.delete_credential(number).await;
        }
    }

    async fn set_source(&mut self, source: usize) {
        self.passwords += 1;
        let document = document(source, self.passwords);
        self.world.set_source(source, &document).await;
        let known = self.model.sources.get_mut(&source).unwrap();
        known.history.insert(document.clone());
        known.state = SourceState::Good(document);
    }

    async fn spoil_source(&mut self) {
        let source = self.random.usize(0..SOURCES);
        let is_there = !matches!(self.model.sources[&source].state, SourceState::Absent);
        if self.random.bool() {
            self.world.set_source(source, r#"{"auths":{"x":{"auth":"%"}}}"#).await;
            self.model.sources.get_mut(&source).unwrap().state = SourceState::Broken;
        } else if is_there {
            self.world.delete_source(source).await;
            self.model.sources.get_mut(&source).unwrap().state = SourceState::Absent;
        }
    }

    async fn create_pod(&mut self, number: usize) {
        let Some(namespace) = self.any_namespace() else {
            return;
        };
        let (name, source) = (format!("pod-{number}"), self.random.usize(0..SOURCES));
        let names = self.world.create_pod(&namespace, &name, source).await;
        self.model.namespaces.get_mut(&namespace).unwrap().pods.insert(name, (source, names));
    }

    async fn delete_pod(&mut self) {
        let Some(namespace) = self.any_namespace() else {
            return;
        };
        if let Some((name, _)) = self.model.namespaces.get_mut(&namespace).unwrap().pods.pop_first() {
            self.world.delete_pod(&namespace, &name).await;
        }
    }

    async fn spoil_copy(&mut self) {
        let Some(namespace) = self.any_namespace() else {
            return;
        };
        let credential = self.random.usize(0..CREDENTIALS);
        if self.model.foreign.contains_key(&(namespace.clone(), copy_name(credential))) {
            return;
        }
        if self.random.bool() {
            self.world.delete_secret(&namespace, &copy_name(credential)).await;
        } else {
            self.world.edit_copy(&namespace, credential).await;
        }
    }

    async fn create_foreign(&mut self) {
        let Some(namespace) = self.any_namespace() else {
            return;
        };
        let name = copy_name(self.random.usize(0..CREDENTIALS));
        let content = self.random.u64(..);
        if let Some(secret) = self.world.create_foreign(&namespace, &name, content).await {
            self.model.foreign.insert((namespace, name), secret);
        }
    }

    async fn delete_foreign(&mut self) {
        if let Some(((namespace, name), _)) = self.model.foreign.pop_first() {
            self.world.delete_secret(&namespace, &name).await;
        }
    }

    /// Takes away what stands in the place of copies.
    pub(crate) async fn remove_conflicts(&mut self) {
        while !self.model.foreign.is_empty() {
            self.delete_foreign().await;
        }
    }

    /// Waits until everything is as the model says.
    pub(crate) async fn quiet(&self, limit: Duration) {
        let begun = Instant::now();
        loop {
            let differences = self.differences().await;
            if differences.is_empty() {
                Self::figure(&format!("as the model says after {:.1?}", begun.elapsed()));
                return;
            }
            assert!(begun.elapsed() < limit, "after {limit:?}: {differences:#?}");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for namespace in self.model.namespaces.keys() {
            for credential in 0..CREDENTIALS {
                let found = self.world.found(namespace, credential).await;
                let ours = found.as_ref().filter(|secret| World::is_ours(secret));
                let content = ours.map(|secret| {
                    let data = secret.data.clone().unwrap_or_default();
                    (data.len() == 1).then(|| String::from_utf8(data[".dockerconfigjson"].0.clone()).unwrap())
                });
                let expected = self.model.expected(namespace, credential);
                let is_as_expected = match (&expected, &content) {
                    (Expected::Nothing, _) | (Expected::AnyOf(_), None) => found.is_none(),
                    (Expected::Copy(document), Some(Some(content))) => content == document,
                    (Expected::AnyOf(documents), Some(Some(content))) => documents.contains(content),
                    (Expected::Foreign, None) => true,
                    _ => false,
                };
                if !is_as_expected {
                    let (name, metadata) = (copy_name(credential), found.map(|secret| secret.metadata));
                    let offered = self.model.credentials.get(&credential);
                    let (place, source) = (&self.model.namespaces[namespace], offered.map(|one| one.source));
                    let state = source.map(|source| &self.model.sources[&source].state);
                    differences.push(format!(
                        "{namespace}/{name}: expected {expected:?} of {offered:?} with the source {state:?} in \
                         {place:?}, found {content:?} with {metadata:?}",
                    ));
                }
            }
        }
        for ((namespace, name), secret) in self.model.foreign.iter().chain(&self.bystanders) {
            if self.world.secret(namespace, name).await.as_ref() != Some(secret) {
                differences.push(format!("{namespace}/{name} is another's and has been changed"));
            }
        }
        differences
    }
}
