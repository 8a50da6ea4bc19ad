//! What is said about ModuleTemplates.

mod labels;
mod scene;
mod secrets;
mod updates;
