//! Calls whose answers are read by whoever asked.

use std::time::Duration;

use http::Request;
use kube::Client;

/// The longest that reading or writing one object takes, of the 10 s that a review has.
pub(super) const ONE_OBJECT: Duration = Duration::from_secs(3);
/// What is said when that was not enough.
pub(super) const LATE: &str = "the API server did not answer in time";

/// There is no such object, or no such path.
pub(super) const NOT_FOUND: u16 = 404;

/// The answer to a request, as it came.
pub(super) async fn text(
    client: &Client,
    request: Result<Request<Vec<u8>>, kube::Error>,
) -> Result<String, kube::Error> {
    client.request_text(request?).await
}

/// The code that the API server has refused with, if it is it that has.
pub(super) fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Whether it says that an object is not there, rather than that it knows of no such objects.
pub(super) fn is_absent_object(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => {
            let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
            status.code == NOT_FOUND && names_object
        }
        _ => false,
    }
}
