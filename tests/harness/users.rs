//! Who talks to the API server.

/// A user with a static token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum User {
    /// May do everything; exempt from API priority and fairness, so not the one for load.
    Admin,
    /// May work with namespaces and what is in them, as API priority and fairness lets them.
    Developer,
    /// May do everything with `RegistryCredentials` and nothing else.
    Author,
    /// May do nothing that not everybody may.
    Stranger,
    /// The kube-controller-manager.
    ControllerManager,
}

impl User {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::Admin, Self::Developer, Self::Author, Self::Stranger, Self::ControllerManager];

    /// The name that the API server, its audit log and admission reviews know them by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Author => "author",
            Self::Stranger => "stranger",
            Self::ControllerManager => "system:kube-controller-manager",
        }
    }

    /// The bearer token. It opens nothing but a control plane on loopback that lives as long as the test.
    pub fn token(self) -> String {
        format!("token-of-{}", self.name().rsplit(':').next().expect("a name"))
    }

    /// The file of `--token-auth-file`. The API server itself adds the group system:authenticated.
    pub fn token_file() -> String {
        let line = |user: Self| {
            let group = match user {
                Self::Admin | Self::ControllerManager => "system:masters",
                _ => "people",
            };
            format!("{},{},{},\"{group}\"\n", user.token(), user.name(), user.name())
        };
        Self::ALL.into_iter().map(line).collect()
    }

    /// What [`User::Developer`] and [`User::Author`] may do.
    pub const ROLES: &'static str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bench-developer}
rules:
- apiGroups: [""]
  resources: [namespaces, serviceaccounts, serviceaccounts/token, secrets, configmaps, pods, pods/ephemeralcontainers, pods/status]
  verbs: ["*"]
- apiGroups: [apps, batch, core.gardener.cloud, security.gardener.cloud, core.kyma-project.io]
  resources: ["*"]
  verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bench-developer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bench-developer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: developer}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bench-author}
rules:
- apiGroups: [regcred.dev]
  resources: [registrycredentials]
  verbs: ["*"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bench-author}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bench-author}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: author}]
"#;
}
