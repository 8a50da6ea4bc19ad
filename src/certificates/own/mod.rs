//! regcred's own certificates: an authority in a Secret that the replicas share, leaves that each makes for itself and
//! keeps in memory, and the `caBundle` of our webhook entries.
//!
//! [`step`] decides, from what [`cluster`] has read; [`keeper`] does it and looks again. Nothing else in regcred needs
//! to know any of this: the server is handed a certificate.

mod address;
mod bundles;
mod cluster;
mod keeper;
mod publication;
mod record;
mod schedule;
mod settings;
mod step;

pub use keeper::Keeper;
pub use schedule::ScheduleError;
pub use settings::Settings;
