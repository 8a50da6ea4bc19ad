//! Errors of calls to the API server, in words for the log.

/// The API server's own words, or what kind of failure it was. Never the text of an error of decoding, which may quote
/// the object, and that may be a Secret.
pub(crate) fn told(error: &kube::Error) -> &str {
    match error {
        kube::Error::Api(status) => &status.message,
        kube::Error::SerdeError(_) => "the API server's answer could not be read",
        _ => "the API server could not be reached",
    }
}
