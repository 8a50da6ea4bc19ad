//! `regcred check --fix`: `ModuleTemplates` whose layers have the label.

use std::io::{self, BufWriter, Write};

use serde_json::Value;
use serde_json::value::to_raw_value;

use super::judge::patched;
use super::objects::{ApiObject, Content, Object, each};
use super::problem::{Problem, Reason};
use super::report::{Format, Report, visible};
use super::{Arguments, Session, say};
use crate::model::module::{Descriptor, GROUP, ModuleTemplate, Selector};
use crate::policy::{ModuleLabels, Patch};

/// Writes each `ModuleTemplate` with the label on every layer that has none, and judges it as it is then; whether anything is
/// denied.
pub(super) fn fix_all(
    arguments: &Arguments,
    selector: &Selector,
    session: &mut Session,
    mut complain: impl FnMut(Problem),
) -> io::Result<bool> {
    let mut output =
        Output { format: arguments.output, to: BufWriter::new(io::stdout().lock()), has_written: false };
    let mut report = Report::new(Format::Text, io::stderr().lock());
    let mut others: usize = 0;
    let mut written = Ok(());
    each(&arguments.filenames, |object| {
        if written.is_err() {
            return;
        }
        let fixed = object.and_then(|Object { place, content }| {
            let object = match content {
                Content::Object(object) if object.is(GROUP, "ModuleTemplate") => object,
                Content::Object(_) | Content::Review(_) => {
                    others += 1;
                    return Ok(None);
                }
            };
            let fixed = fixed(object, selector).and_then(|(object, added)| {
                let value = object.value.clone();
                let judgement = session.judge(Content::Object(object))?;
                Ok((value, added, judgement))
            });
            match fixed {
                Ok(fixed) => Ok(Some((place, fixed))),
                Err(reason) => Err(Problem { place, reason }),
            }
        });
        match fixed {
            Ok(Some((place, (value, added, judgement)))) => {
                written = output.write(&value).and_then(|()| {
                    report.add(&place, &judgement)?;
                    added.map_or(Ok(()), |added| report.remark(format_args!("added {added}")))
                });
            }
            Ok(None) => {}
            Err(problem) => complain(problem),
        }
    });
    written?;
    output.to.flush()?;
    let is_denied = report.end()?;
    if !output.has_written && others > 0 {
        let names: Vec<String> =
            arguments.filenames.iter().map(|name| visible(&name.to_string_lossy())).collect();
        complain(Reason::NoModuleTemplate.with(&names.join(", ").into()));
    } else if others > 0 {
        let (are, plural) = if others == 1 { ("is", "") } else { ("are", "s") };
        say(&format!(
            "note: --fix writes ModuleTemplates alone; {others} other object{plural} {are} left out"
        ));
    }
    Ok(is_denied)
}

/// An object with the label, and what has been added to it.
fn fixed(mut object: ApiObject, selector: &Selector) -> Result<(ApiObject, Option<ModuleLabels>), Reason> {
    let raw = to_raw_value(&object.value).map_err(|_| Reason::TooDeep)?;
    let added = match ModuleTemplate::read(&raw).descriptor() {
        Descriptor::Component(component) => ModuleLabels::add(&component, selector),
        Descriptor::Empty | Descriptor::Unrecognised(_) => None,
    };
    if let Some(added) = &added {
        let patch = Patch::ModuleLabels(Box::new(added.clone()));
        let labelled = patched(&raw, &patch).ok_or(Reason::TooDeep)?;
        object.value = serde_json::from_str(labelled.get()).map_err(|_| Reason::TooDeep)?;
    }
    Ok((object, added))
}

/// Where objects are written to.
struct Output<W> {
    format: Format,
    to: W,
    has_written: bool,
}

impl<W: Write> Output<W> {
    fn write(&mut self, object: &Value) -> io::Result<()> {
        let text = match self.format {
            Format::Json => format!("{object}\n"),
            Format::Text => serde_saphyr::to_string(object).map_err(io::Error::other)?,
        };
        if self.format == Format::Text && self.has_written {
            self.to.write_all(b"---\n")?;
        }
        self.has_written = true;
        self.to.write_all(text.as_bytes())
    }
}
