//! The files of the overlay, as text.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::authority::Leaf;
use crate::policy::Rule;

/// What makes the server take its certificate from the Secret: the patch that any overlay with one needs.
const DEPLOYMENT: &str = include_str!("../../certs/files/deployment.yaml");
/// The namespace in it.
const NAMESPACE: &str = "namespace: regcred-system";

/// A file of the overlay.
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) contents: String,
    /// Whether only the owner may read it.
    pub(super) private: bool,
}

/// What the overlay's files are made from.
pub(super) struct Overlay<'a> {
    /// The base, relative to the overlay's folder.
    pub(super) base: PathBuf,
    pub(super) namespace: &'a str,
    pub(super) authority_pem: &'a str,
    pub(super) leaf: &'a Leaf,
    pub(super) image: Option<Image<'a>>,
}

/// An image reference, cut the way that kustomize takes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// A colon before the last slash is a registry's port, not a tag.
    pub(super) fn parse(reference: &'a str) -> Self {
        if let Some((name, digest)) = reference.split_once('@') {
            return Self { name, tag: None, digest: Some(digest) };
        }
        match reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Self { name, tag: Some(tag), digest: None },
            _ => Self { name: reference, tag: None, digest: None },
        }
    }

    /// The entry that replaces the base's image, which goes by the name `regcred`.
    fn entry(&self) -> String {
        let line = |key: &str, value: &str| format!("  {key}: {}\n", quoted(value));
        let tag = self.tag.map(|tag| line("newTag", tag)).unwrap_or_default();
        let digest = self.digest.map(|digest| line("digest", digest)).unwrap_or_default();
        format!("images:\n- name: regcred\n{}{tag}{digest}", line("newName", self.name))
    }
}

impl Overlay<'_> {
    /// All of the overlay's files.
    pub(super) fn files(&self) -> Vec<File> {
        let file = |name, contents| File { name, contents, private: false };
        vec![
            file("kustomization.yaml", self.kustomization()),
            file("ca.crt", self.authority_pem.to_owned()),
            file("ca-bundle-patch.yaml", self.patch()),
            file("deployment-patch.yaml", self.deployment()),
            // Before the key, so that version control never takes it up.
            file(".gitignore", "# A private key lies here.\n*\n".to_owned()),
            File { name: "tls-secret.yaml", contents: self.secret(), private: true },
        ]
    }

    fn kustomization(&self) -> String {
        let base = quoted(&self.base.to_string_lossy());
        let image = self.image.as_ref().map(Image::entry).unwrap_or_default();
        format!(
            "# Written by `regcred certificates`: manifests/ with a development certificate.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- {base}
- tls-secret.yaml
patches:
- path: ca-bundle-patch.yaml
- path: deployment-patch.yaml
{image}"
        )
    }

    fn deployment(&self) -> String {
        DEPLOYMENT.replace(NAMESPACE, &format!("namespace: {}", quoted(self.namespace)))
    }

    fn secret(&self) -> String {
        let certificate = STANDARD.encode(&self.leaf.certificate_pem);
        let key = STANDARD.encode(self.leaf.key_pem.expose());
        let namespace = quoted(self.namespace);
        format!(
            "# The server's certificate and its private key. The Deployment mounts this Secret.
apiVersion: v1
kind: Secret
metadata:
  name: regcred-tls
  namespace: {namespace}
  labels:
    app.kubernetes.io/name: regcred
    app.kubernetes.io/component: webhook
type: kubernetes.io/tls
data:
  tls.crt: {certificate}
  tls.key: {key}
"
        )
    }

    /// Strategic merge joins the entries of `webhooks` by their name, so this only adds the `caBundle`.
    fn patch(&self) -> String {
        let bundle = STANDARD.encode(self.authority_pem);
        let configurations =
            Rule::ALL.chunk_by(|one, next| one.configuration_kind() == next.configuration_kind());
        let patches = configurations.filter_map(|rules| {
            let kind = rules.first()?.configuration_kind();
            let entry = |rule: &Rule| {
                format!("- name: {}\n  clientConfig:\n    caBundle: {bundle}\n", rule.webhook())
            };
            let entries: Vec<String> = rules.iter().map(entry).collect();
            Some(format!(
                "apiVersion: admissionregistration.k8s.io/v1
kind: {kind}
metadata:
  name: regcred
webhooks:
{}",
                entries.concat()
            ))
        });
        format!(
            "# The authority that the API server trusts when it calls the webhooks: ca.crt, in base64.\n{}",
            patches.collect::<Vec<_>>().join("---\n")
        )
    }
}

/// A YAML scalar that stays a string whatever is in it: a JSON string is one.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_cut_where_kustomize_expects_it() {
        for (reference, name, tag, digest) in [
            ("regcred", "regcred", None, None),
            ("regcred:1", "regcred", Some("1"), None),
            ("localhost:5000/regcred", "localhost:5000/regcred", None, None),
            ("localhost:5000/regcred:1", "localhost:5000/regcred", Some("1"), None),
            ("ghcr.io/a/b@sha256:00", "ghcr.io/a/b", None, Some("sha256:00")),
        ] {
            assert_eq!(Image::parse(reference), Image { name, tag, digest }, "{reference}");
        }
    }
}
