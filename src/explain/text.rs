//! An explanation as text.

use std::fmt::Write;

use super::sheet::{Sheet, Told};
use crate::check::visible;

/// The explanation of one pod, in columns.
pub(super) fn of(sheet: &Sheet) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_to(&mut text, sheet);
    text
}

fn write_to(text: &mut String, sheet: &Sheet) -> std::fmt::Result {
    let name = if sheet.pod.name.is_empty() { "(to be named)" } else { &sheet.pod.name };
    writeln!(text, "pod {}", visible(&format!("{}/{name}", sheet.pod.namespace)))?;
    if let Some(why) = &sheet.left_alone {
        writeln!(text, "  left as it is: {why}")?;
    }
    let names = sheet.images.iter().flat_map(|image| &image.credentials).map(|said| said.name.len());
    let width = names.max().unwrap_or_default();
    for image in &sheet.images {
        writeln!(text, "  image {}: {}", visible(&image.image), image.why)?;
        for said in &image.credentials {
            writeln!(text, "    {:width$}  {:7}  {}", said.name, said.answers, visible(&said.why))?;
        }
    }
    for credential in &sheet.credentials {
        let place = format!("{}/{}", credential.pull_secret.namespace, credential.pull_secret.name);
        writeln!(
            text,
            "  RegistryCredential {} (mode {}), pull Secret {place}",
            credential.name, credential.mode
        )?;
        let rows =
            [("offered", &credential.offered), ("copy", &credential.copy), ("verdict", &credential.verdict)];
        for (title, Told { is, why }) in rows {
            // As long as the longest title and the longest word.
            writeln!(text, "    {title:7}  {is:14}  {}", visible(why))?;
        }
    }
    writeln!(text, "  {}", visible(&sheet.summary))
}
