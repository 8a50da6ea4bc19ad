//! What is said about `ModuleTemplates`.

mod labelling;
mod labels;
mod last_secret;
mod properties;
mod raw;
mod scene;
mod secrets;
mod table;
mod updates;
mod written_secrets;
