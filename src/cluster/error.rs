//! What the API server says when it does not do what it is asked to, in words for people.

/// The longest account of an API error in a warning, in characters; the warning has room for 120 in all.
const BRIEF_LENGTH: usize = 80;

/// The API server's own words, or what kind of failure it was. Never the text of an error of decoding, which may quote
/// the object, and that may be a Secret.
pub fn told(error: &kube::Error) -> &str {
    match error {
        kube::Error::Api(status) => &status.message,
        kube::Error::SerdeError(_) => "the API server's answer could not be read",
        _ => "the API server could not be reached",
    }
}

/// The same in a few words, for warnings.
///
/// Whoever is told knows which object it is about; what `secrets "name" is forbidden: ` takes is needed for the
/// reason.
pub fn brief(error: &kube::Error) -> String {
    let told = told(error);
    let reason = told.split_once(" is forbidden: ").map_or(told, |(_, reason)| reason);
    reason.chars().take(BRIEF_LENGTH).collect()
}
