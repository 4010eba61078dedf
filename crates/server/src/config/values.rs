//! The settings as the program uses them, typed; and what each kind of setting takes.

use super::python::Value;
use super::{Config, SiteSettings, site};
use polyphemus_artifacts::Limits;
use polyphemus_core::flow::{Flow, FlowSettings};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// What all settings say together. Empty until the compiled-in file was read into it, which sets
/// every field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// `LISTEN`, as `ADDRESS:PORT`; who listens checks it.
    pub listen: String,
    pub host_names: Vec<String>,
    /// `WORKER_THREADS`: whether the server starts a worker inside.
    pub worker_inside: bool,
    /// `PARALLELISM_MAKE`; half of the processors if `None`.
    pub make_slots: Option<usize>,
    /// `RUN_SLOTS`; half of the processors if `None`.
    pub run_slots: Option<usize>,
    /// Virtual boards as `NAME[:COUNT]`; who offers them checks it.
    pub simulate: Vec<String>,
    /// `auto`, `off` or `required`.
    pub sandbox: String,
    pub network: bool,
    /// `DRAIN_SECONDS`.
    pub drain: Duration,
    pub workspace_limit_bytes: u64,
    pub workspace_limit_files: u64,
    pub memory_limit_bytes: Option<u64>,
    pub min_free_bytes: u64,
    pub lease: Duration,
    /// `COMPILE_TIMEOUT`.
    pub compile_time_limit_s: u64,
    /// `SYNTHESIS_TIMEOUT`.
    pub make_time_limit_s: u64,
    /// `RUN_TIMEOUT`.
    pub run_time_limit_s: u64,
    pub executable_name: String,
    /// `TOOLCHAIN`.
    pub toolchain: Flow,
    /// `HLS_COMMAND_PREFIX`.
    pub command_prefix: Vec<String>,
    pub tool_folders: Vec<PathBuf>,
    pub make_conf_vars: Vec<String>,
    pub default_platform: String,
    pub default_f1_mode: String,
    pub default_vitis_platform: String,
    pub s3_bucket: Option<String>,
    pub s3_dcp: String,
    pub s3_log: String,
    /// `AFI_CHECK_INTERVAL`.
    pub afi_check_interval_s: u64,
    /// `AFI_TIMEOUT`.
    pub afi_time_limit_s: u64,
    pub f1_setup: String,
    pub f2_setup: String,
    pub f2_sdk_setup: String,
    pub vitis_setup: Vec<String>,
    pub xrt_setup: String,
    pub upload_limit_bytes: u64,
    pub unpack_limit_bytes: u64,
    pub unpack_file_limit_bytes: u64,
    /// Files and directories of one archive.
    pub unpack_limit_files: u64,
    pub log_limit_bytes: u64,
    pub blob_grace: Duration,
    /// `KEEP_JOBS_DAYS`; for ever if `None`.
    pub keep_jobs: Option<Duration>,
    pub site: SiteSettings,
}

impl Values {
    /// What a server is told of them.
    pub fn config(&self, instance: PathBuf) -> Config {
        Config {
            instance,
            lease: self.lease,
            flow: FlowSettings {
                toolchain: self.toolchain,
                command_prefix: self.command_prefix.clone(),
                make_conf_vars: self.make_conf_vars.clone(),
                default_platform: self.default_platform.clone(),
                default_f1_mode: self.default_f1_mode.clone(),
                default_vitis_platform: self.default_vitis_platform.clone(),
                s3_bucket: self.s3_bucket.clone(),
                s3_dcp: self.s3_dcp.clone(),
                s3_log: self.s3_log.clone(),
                afi_check_interval_s: self.afi_check_interval_s,
                afi_time_limit_s: self.afi_time_limit_s,
                f1_setup: self.f1_setup.clone(),
                f2_setup: self.f2_setup.clone(),
                f2_sdk_setup: self.f2_sdk_setup.clone(),
                vitis_setup: self.vitis_setup.clone(),
                xrt_setup: self.xrt_setup.clone(),
                compile_time_limit_s: self.compile_time_limit_s,
                make_time_limit_s: self.make_time_limit_s,
                run_time_limit_s: self.run_time_limit_s,
                executable_name: self.executable_name.clone(),
            },
            limits: Limits {
                total_bytes: self.unpack_limit_bytes,
                file_bytes: self.unpack_file_limit_bytes,
                entries: self.unpack_limit_files,
                ..Limits::default()
            },
            log_limit_bytes: self.log_limit_bytes,
            upload_limit_bytes: self.upload_limit_bytes,
            blob_grace: self.blob_grace,
            keep_jobs: self.keep_jobs,
            host_names: self.host_names.clone(),
            connections_limit: None,
            site: self.site.clone(),
        }
    }
}

/// Sets a field. `None` where the value does not fit.
pub(super) fn put<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn filled(value: &Value) -> Option<String> {
    text(value).filter(|text| !text.trim().is_empty())
}

pub(super) fn one_of(value: &Value, allowed: &[&str]) -> Option<String> {
    text(value).filter(|text| allowed.contains(&text.as_str()))
}

/// A path that stays in the folder it is seen from, and that no program takes for an option.
pub(super) fn path_inside(value: &Value) -> Option<String> {
    filled(value).filter(|text| {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        !text.starts_with('-') && !text.contains(char::is_control) && Path::new(text).components().all(inside)
    })
}

/// `None` of Python, or a text.
pub(super) fn toolchain(value: &Value) -> Option<Flow> {
    match value {
        Value::None => Some(Flow::of_setting(None)),
        value => Some(Flow::of_setting(Some(&text(value)?))),
    }
}

/// A list or a tuple of texts of which the first names a program; or none.
pub(super) fn command(value: &Value) -> Option<Vec<String>> {
    // Steps run in the job's files: what a relative path leads to would be the user's.
    let good =
        |program: &String| !program.trim().is_empty() && (program.starts_with('/') || !program.contains('/'));
    texts(value).filter(|words| words.first().is_none_or(good))
}

/// A list of absolute paths.
pub(super) fn folders(value: &Value) -> Option<Vec<PathBuf>> {
    let all: Vec<PathBuf> = texts_or_text(value)?.into_iter().map(PathBuf::from).collect();
    all.iter().all(|folder| folder.is_absolute()).then_some(all)
}

/// A list or a tuple of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::List(items) | Value::Tuple(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

/// Ends of names of files, with or without their dot.
pub(super) fn extensions(value: &Value) -> Option<Vec<String>> {
    let one = |text: String| {
        let bare = text.trim_start_matches('.').to_ascii_lowercase();
        let good =
            !bare.is_empty() && !bare.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
        good.then_some(bare)
    };
    texts(value)?.into_iter().map(one).collect()
}

/// Regular expressions.
pub(super) fn words(value: &Value) -> Option<Vec<String>> {
    texts(value).filter(|words| site::important(words).is_ok())
}

/// `None` of Python, or a name as S3 has it.
pub(super) fn bucket(value: &Value) -> Option<Option<String>> {
    if *value == Value::None {
        return Some(None);
    }
    let name = text(value)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (name.chars().all(fits) && !name.starts_with('-')).then(|| Some(name).filter(|name| !name.is_empty()))
}

/// A folder of a bucket.
pub(super) fn folder(value: &Value) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    filled(value).filter(|name| name.chars().all(fits) && !name.starts_with('-'))
}

/// An address that a page may link to; `None` and the empty text are none.
pub(super) fn link(value: &Value) -> Option<Option<String>> {
    if *value == Value::None {
        return Some(None);
    }
    let address = text(value)?;
    let web = address.starts_with("https://") || address.starts_with("http://");
    let plain = !address.contains(|c: char| c.is_whitespace() || c.is_control());
    (address.is_empty() || web && plain).then(|| Some(address).filter(|address| !address.is_empty()))
}

/// A list or a tuple of texts, or one text that stands for a list of itself; empty ones are none, since an empty
/// variable of the environment means as much.
pub(super) fn texts_or_text(value: &Value) -> Option<Vec<String>> {
    let all = text(value).map(|one| vec![one]).or_else(|| texts(value))?;
    Some(all.into_iter().filter(|text| !text.is_empty()).collect())
}

/// An integer of this range; also one that is written as `2e4`.
pub(super) fn integer(value: &Value, least: u64, most: u64) -> Option<u64> {
    let number = match value {
        Value::Int(number) => u64::try_from(*number).ok()?,
        // Beyond 2^53 not every integer has a float.
        Value::Float(number) if number.fract() == 0.0 && (0.0..9e15).contains(number) => *number as u64,
        _ => return None,
    };
    (least..=most).contains(&number).then_some(number)
}

pub(super) fn seconds(value: &Value, most: u64) -> Option<Duration> {
    integer(value, 1, most).map(Duration::from_secs)
}

/// `None` of Python, or a number of days.
pub(super) fn days(value: &Value, most: u64) -> Option<Option<Duration>> {
    match value {
        Value::None => Some(None),
        other => integer(other, 1, most).map(|days| Some(Duration::from_secs(days * 86_400))),
    }
}

/// `None` of Python, or a number of bytes.
pub(super) fn bytes_or_none(value: &Value, least: u64) -> Option<Option<u64>> {
    match value {
        Value::None => Some(None),
        other => integer(other, least, i64::MAX as u64).map(Some),
    }
}

/// `None` of Python, or a number of slots.
pub(super) fn slots(value: &Value) -> Option<Option<usize>> {
    match value {
        Value::None => Some(None),
        other => integer(other, 0, 1024).map(|slots| usize::try_from(slots).ok()),
    }
}
