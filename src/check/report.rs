//! What was decided, for people and for programs.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use super::judge::{Judgement, Subject};
use super::problem::Place;
use crate::policy::{Decision, Effect, Outcome, Patch};

/// How decisions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Writes decisions, and counts them.
pub(super) struct Report<W> {
    format: Format,
    output: W,
    judged: usize,
    denied: usize,
    warned: usize,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    source: String,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    operation: &'a str,
    allowed: bool,
    message: Option<&'a str>,
    warnings: &'a [String],
    patch: Option<&'a Patch>,
    effects: Vec<Written<'a>>,
}

/// What would be written; never its content.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    action: &'static str,
    api_version: &'static str,
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    credential: &'a str,
}

impl<'a> From<&'a Effect> for Written<'a> {
    fn from(effect: &'a Effect) -> Self {
        Self {
            action: "create",
            api_version: "v1",
            kind: "Secret",
            namespace: &effect.creates.namespace,
            name: &effect.creates.name,
            credential: &effect.credential,
        }
    }
}

impl<W: Write> Report<W> {
    pub(super) fn new(format: Format, output: W) -> Self {
        Self { format, output, judged: 0, denied: 0, warned: 0 }
    }

    /// Writes one decision.
    pub(super) fn add(&mut self, place: &Place, judgement: &Judgement) -> io::Result<()> {
        let Judgement { subject, decision, .. } = judgement;
        self.judged += 1;
        self.denied += usize::from(message(decision).is_some());
        self.warned += usize::from(!decision.warnings.texts().is_empty());
        match self.format {
            Format::Text => self.add_text(place, subject, decision),
            Format::Json => self.add_json(place, subject, decision),
        }
    }

    fn add_text(&mut self, place: &Place, subject: &Subject, decision: &Decision) -> io::Result<()> {
        let output = &mut self.output;
        let message = message(decision);
        let verdict = if message.is_some() { "denied " } else { "allowed" };
        let slash = if subject.namespace.is_empty() { "" } else { "/" };
        let name = if subject.name.is_empty() { "(no name)" } else { &subject.name };
        let named = visible(&format!("{} {}{slash}{name}", subject.kind, subject.namespace));
        writeln!(output, "{verdict} {named} ({place})")?;
        if let Some(message) = message {
            writeln!(output, "    {}", visible(message))?;
        }
        for warning in decision.warnings.texts() {
            writeln!(output, "    warning: {warning}")?;
        }
        match &decision.patch {
            Some(Patch::PullSecrets(added)) => {
                for name in added.names() {
                    writeln!(output, "    would add pull Secret {name}")?;
                }
            }
            Some(Patch::ModuleLabels(added)) => {
                writeln!(output, "    would add {added}")?;
            }
            Some(Patch::SecretMarks(added)) => {
                writeln!(output, "    would add {}", added.summary())?;
            }
            None => {}
        }
        for effect in &decision.effects {
            writeln!(output, "    would create Secret {}", effect.creates)?;
        }
        Ok(())
    }

    fn add_json(&mut self, place: &Place, subject: &Subject, decision: &Decision) -> io::Result<()> {
        let line = Line {
            source: place.to_string(),
            kind: &subject.kind,
            namespace: &subject.namespace,
            name: &subject.name,
            operation: &subject.operation,
            allowed: decision.outcome == Outcome::Allowed,
            message: message(decision),
            warnings: decision.warnings.texts(),
            patch: decision.patch.as_ref(),
            effects: decision.effects.iter().map(Written::from).collect(),
        };
        serde_json::to_writer(&mut self.output, &line)?;
        writeln!(self.output)
    }

    /// Says something about the object before.
    pub(super) fn remark(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.output, "    {text}")
    }

    /// Ends the report; whether anything was denied.
    pub(super) fn end(mut self) -> io::Result<bool> {
        if self.format == Format::Text {
            let Self { judged, denied, warned, .. } = self;
            let plural = if judged == 1 { "" } else { "s" };
            let allowed = judged - denied;
            writeln!(
                self.output,
                "{judged} object{plural}: {allowed} allowed, {denied} denied, {warned} with warnings"
            )?;
        }
        self.output.flush()?;
        Ok(self.denied > 0)
    }
}

fn message(decision: &Decision) -> Option<&str> {
    match &decision.outcome {
        Outcome::Allowed => None,
        Outcome::Denied(message) | Outcome::Postponed(message) => Some(message),
    }
}

/// A text without control characters, which could make a terminal show something else.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
