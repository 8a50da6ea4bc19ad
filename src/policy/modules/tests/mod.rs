//! What is said about `ModuleTemplates`.

mod labels;
mod properties;
mod scene;
mod secrets;
mod updates;
