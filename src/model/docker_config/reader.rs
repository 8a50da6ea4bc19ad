//! Who reads a configuration, as far as they differ in what they refuse a whole Secret for.

/// What must have its type for a configuration to be read, beside what everybody looks at.
pub trait Reader {
    /// Fields of an entry that must be strings, though nothing is done with them; in lower case.
    const STRINGS: &'static [&'static str];
    /// Fields of an entry that are credentials in place of a password; in lower case.
    const TOKENS: &'static [&'static str];
    /// Whether `HttpHeaders` must be an object of strings.
    const READS_HEADERS: bool;
}

/// The kubelet (`k8s.io/kubernetes/pkg/credentialprovider/config.go`).
pub enum Kubelet {}

impl Reader for Kubelet {
    const STRINGS: &'static [&'static str] = &["email"];
    const TOKENS: &'static [&'static str] = &[];
    const READS_HEADERS: bool = true;
}

/// The keychain of go-containerregistry (`pkg/authn/kubernetes/keychain.go`, `pkg/authn/authn.go`), with which Kyma's
/// Lifecycle Manager pulls. It does not know of a mail address, but of tokens.
pub enum Keychain {}

impl Reader for Keychain {
    const STRINGS: &'static [&'static str] = &[];
    const TOKENS: &'static [&'static str] = &["identitytoken", "registrytoken"];
    const READS_HEADERS: bool = false;
}
