//! Files, folders and standard input, as text.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Problem, Reason};
use super::report::visible;

/// The largest input, in MiB: room for a dump of some 10,000 objects, and little enough that reading one that is
/// meant to hurt takes seconds and some hundred MiB of memory.
pub(super) const MAXIMUM_MEBIBYTES: u64 = 32;
const MAXIMUM_BYTES: u64 = MAXIMUM_MEBIBYTES << 20;
/// What is read in a folder; a file that is named itself may be called anything.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// The argument that means standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// One input, not read yet.
#[derive(Debug)]
pub(super) struct Input {
    /// What it is called in messages.
    pub(super) name: Arc<str>,
    /// `None` for standard input.
    path: Option<PathBuf>,
}

impl Input {
    fn file(path: PathBuf) -> Self {
        Self { name: name_of(&path), path: Some(path) }
    }

    /// Whether its name says that it is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.path.as_ref().and_then(|path| path.extension()).is_some_and(|extension| extension == "json")
    }

    /// Its text, without a byte-order mark.
    pub(super) fn text(&self) -> Result<String, Problem> {
        let read = match &self.path {
            None => read(io::stdin().lock()),
            Some(path) => fs::File::open(path).and_then(read),
        };
        let bytes = read.map_err(|error| Reason::Unreadable(error).with(&self.name))?;
        if bytes.len() as u64 > MAXIMUM_BYTES {
            return Err(Reason::TooLarge.with(&self.name));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = valid.split(|&byte| byte == b'\n').count();
            Reason::NotText.at(&self.name, line)
        })?;
        Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        })
    }
}

/// Reads one byte more than is allowed, so that too much can be told from just enough.
fn read(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn name_of(path: &Path) -> Arc<str> {
    visible(&path.to_string_lossy()).into()
}

/// The inputs that an argument stands for. A folder stands for the YAML and JSON files in it and below, by name;
/// folders that are symbolic links are not followed, for they may lead in a circle.
pub(super) fn inputs(argument: &Path) -> Vec<Result<Input, Problem>> {
    if argument == Path::new(STANDARD_INPUT) {
        return vec![Ok(Input { name: STANDARD_INPUT.into(), path: None })];
    }
    let metadata = match fs::metadata(argument) {
        Ok(metadata) => metadata,
        Err(error) => return vec![Err(Reason::Unreadable(error).with(&name_of(argument)))],
    };
    if !metadata.is_dir() {
        return vec![Ok(Input::file(argument.to_owned()))];
    }
    let mut found = Vec::new();
    walk(argument, &mut found);
    if found.is_empty() {
        found.push(Err(Reason::EmptyFolder.with(&name_of(argument))));
    }
    found
}

/// Folders inside folders are held on a list, not on the stack: nobody bounds how deep they go.
fn walk(folder: &Path, found: &mut Vec<Result<Input, Problem>>) {
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let is_wanted =
            path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                if path == folder || !path.is_symlink() {
                    match entries(&path) {
                        // The last one is taken up first.
                        Ok(entries) => waiting.extend(entries.into_iter().rev()),
                        Err(error) => found.push(Err(Reason::Unreadable(error).with(&name_of(&path)))),
                    }
                }
            }
            // A pipe or a device could keep us waiting for ever; one that is meant is named itself.
            Ok(metadata) if metadata.is_file() && is_wanted => found.push(Ok(Input::file(path))),
            Err(error) if is_wanted => found.push(Err(Reason::Unreadable(error).with(&name_of(&path)))),
            Ok(_) | Err(_) => {}
        }
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}
