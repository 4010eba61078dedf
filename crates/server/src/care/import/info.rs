//! `info.json` of the original, read with every distrust: it was truncated and written in place, by
//! several processes at once.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

const INFO_BYTES: u64 = 1 << 20;
/// Values of `config` that were no options of the submission.
const MAKE_CONF: &str = "make_conf";

/// What it says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    /// The name of the upload.
    pub(super) name: String,
    pub(super) started_ms: i64,
    /// The original's word.
    pub(super) state: String,
    pub(super) options: BTreeMap<String, String>,
    pub(super) make_conf: BTreeMap<String, String>,
}

impl Info {
    /// Of the job in this folder. The error is a sentence.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("info.json");
        let raw =
            read_file(&path, INFO_BYTES).map_err(|error| format!("its info.json cannot be read: {error}"))?;
        if raw.is_empty() {
            return Err("its info.json is empty".to_owned());
        }
        let json = String::from_utf8(raw).map_err(|_| "its info.json is not UTF-8".to_owned())?;
        let value: Value =
            serde_json::from_str(&json).map_err(|error| format!("its info.json is no JSON: {error}"))?;
        let Value::Object(info) = value else {
            return Err("its info.json holds no object".to_owned());
        };
        let state = info.get("state").and_then(Value::as_str);
        let state = state.ok_or("its info.json has no text `state`")?.to_owned();
        let config = match info.get("config") {
            Some(Value::Object(config)) => config.clone(),
            _ => Map::new(),
        };
        let mut options = texts(&config);
        for name in ["estimate", "platform", "mode"] {
            if let Some(value) = info.get(name).and_then(text) {
                options.entry(name.to_owned()).or_insert(value);
            }
        }
        options.retain(|_, value| !value.is_empty());
        let make_conf = match config.get(MAKE_CONF) {
            Some(Value::Object(conf)) => texts(conf),
            _ => BTreeMap::new(),
        };
        Ok(Self {
            name: info.get("name").and_then(text).unwrap_or_default(),
            started_ms: started_ms(info.get("started"), folder),
            state,
            options,
            make_conf,
        })
    }

    /// Whether the original was done with it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "failed")
    }
}

/// The seconds of `started`; where there are none that can be, the time of the folder.
fn started_ms(started: Option<&Value>, folder: &Path) -> i64 {
    let seconds = started
        .and_then(Value::as_f64)
        .filter(|s| (0.0..1e11).contains(s));
    let of_folder = || {
        let modified = fs::symlink_metadata(folder)
            .and_then(|meta| meta.modified())
            .ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    };
    match seconds {
        Some(seconds) => (seconds * 1000.0) as i64,
        None => of_folder().unwrap_or(0),
    }
}

fn texts(object: &Map<String, Value>) -> BTreeMap<String, String> {
    let pairs = object.iter().filter(|(name, _)| *name != MAKE_CONF);
    pairs
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect()
}

/// As it was handed in: only the empty text and `0` are off.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(true) => Some("1".to_owned()),
        Value::Bool(false) => Some(String::new()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A regular file's content; a symlink in its place is not followed.
pub(super) fn read_file(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut content = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {most_bytes} bytes"),
        ));
    }
    Ok(content)
}

/// Opens a regular file for reading. A pipe or device in its place is not waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        )),
    }
}
