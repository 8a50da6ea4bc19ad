//! What the API server says when it does not do what it is asked to, in words for people.

use kube::runtime::watcher;

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

/// The same of a watch.
pub fn told_of_watch(error: &watcher::Error) -> &str {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => told(error),
        watcher::Error::WatchError(status) => &status.message,
        watcher::Error::NoResourceVersion => "the API server sent no resource version",
    }
}

/// [`told`] in a few words, for warnings.
///
/// Whoever is told knows which object it is about; what `secrets "name" is forbidden: ` takes is needed for the
/// reason.
pub fn brief(error: &kube::Error) -> String {
    let told = told(error);
    let reason = told.split_once(" is forbidden: ").map_or(told, |(_, reason)| reason);
    reason.chars().take(BRIEF_LENGTH).collect()
}

/// Whether the API server says that what a write names is not there, or is another version. Of a test in a patch that fails it
/// does not name the kind, as it does of an object that it finds invalid.
pub(crate) fn is_of_another_version(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let names_kind = status.details.as_ref().is_some_and(|details| !details.kind.is_empty());
    matches!(status.code, 404 | 409) || status.code == 422 && !names_kind
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::de::Error as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_not_be_decoded_is_never_told() {
        let error = || kube::Error::SerdeError(serde_json::Error::custom("invalid type: string \"hunter2\""));
        assert!(format!("{:?}", error()).contains("hunter2"));
        assert_eq!(told(&error()), "the API server's answer could not be read");
        for error in [
            watcher::Error::InitialListFailed(error()),
            watcher::Error::WatchStartFailed(error()),
            watcher::Error::WatchFailed(error()),
        ] {
            assert_eq!(told_of_watch(&error), "the API server's answer could not be read");
        }
    }

    /// As the API server says it, of an object that it finds invalid, and of a test in a patch that fails.
    #[rstest]
    #[case::gone(404, "secrets", true)]
    #[case::changed(409, "secrets", true)]
    #[case::a_test_failed(422, "", true)]
    #[case::immutable(422, "Secret", false)]
    #[case::forbidden(403, "secrets", false)]
    #[case::down(500, "", false)]
    fn only_what_has_changed_meanwhile_is_looked_at_again_at_once(
        #[case] code: u16,
        #[case] kind: &str,
        #[case] expected: bool,
    ) {
        let status = json!({
            "status": "Failure", "message": "as it is", "reason": "any", "code": code, "details": {"kind": kind},
        });
        let error = kube::Error::Api(serde_json::from_value(status).unwrap());
        assert_eq!(is_of_another_version(&error), expected);
    }
}
