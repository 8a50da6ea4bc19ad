//! The cluster, as far as every replica talks to it: the watches that feed the index, the reads and the writes that an
//! admission call may cause.

pub mod carrier;
pub mod changes;
mod lists;
pub mod pending;
pub mod pods;
mod reach;
pub mod reads;
mod sources;
pub mod watch;

/// The longest account of an API error in a warning, in characters; the warning has room for 120 in all.
const BRIEF_LENGTH: usize = 80;

/// An API error in a few words, for warnings: the API server's own message, or that it was not reached.
///
/// Whoever is told knows which object it is about; what `secrets "name" is forbidden: ` takes is needed for the
/// reason.
pub fn brief(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            let message = &status.message;
            let reason = message.split_once(" is forbidden: ").map_or(message.as_str(), |(_, reason)| reason);
            reason.chars().take(BRIEF_LENGTH).collect()
        }
        _ => "the API server could not be reached".to_owned(),
    }
}
