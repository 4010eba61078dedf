//! `import`: an instance of the original is taken over, job by job, and is not touched: its files are
//! opened for reading, and no symlink in it is followed out of a job's folder.
//!
//! A job is there once its rows are, and they come last, in one transaction: what a broken-off import
//! left is found again by the next one, which passes over the jobs that are there.

mod info;
mod job;
mod outcome;

use super::{CareError, Finding, News, Phase, Tell};
use crate::Config;
use crate::app::App;
use crate::config::load::FILE_NAME;
use crate::config::python::{self, Value};
use info::Info;
use polyphemus_core::JobId;
use polyphemus_core::flow::Flow;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Of a settings file.
const SETTINGS_BYTES: u64 = 1 << 20;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    pub imported: u64,
    /// Jobs that were there already.
    pub known: u64,
    /// Jobs that could not be taken over, each of them told.
    pub faulty: u64,
    /// Of the imported ones: those that had not come to their end in the original.
    pub unfinished: u64,
}

/// A job of the original that can be read.
#[derive(Debug)]
struct Found {
    id: JobId,
    folder: PathBuf,
    info: Info,
}

/// Takes the jobs of the original's instance `source` over into the instance of `config`, which no
/// server may have. One faulty job is told and does not keep the others back.
pub async fn import(source: &Path, config: &Config, tell: Tell<'_>) -> Result<Imported, CareError> {
    let jobs = source.join("jobs");
    if !jobs.is_dir() {
        let folder = source.to_owned();
        return Err(CareError::NoOriginal { folder });
    }
    let app = App::open(config).await?;
    let flow = toolchain(source);
    let mut sums = Imported::default();
    let mut found = find(&jobs, &mut sums, tell)?;
    // Lists show the jobs in the order in which they came into the instance.
    found.sort_by(|a, b| a.info.started_ms.cmp(&b.info.started_ms).then(a.id.cmp(&b.id)));
    for (done, one) in found.into_iter().enumerate() {
        let done = done as u64;
        tell(News::Progress {
            phase: Phase::Jobs,
            done,
        });
        if app.0.store.job_seq(&one.id).await?.is_some() {
            sums.known += 1;
            continue;
        }
        for note in job::take(&app, &one, flow).await? {
            tell(News::Found(fault(
                &one.id.to_string(),
                note,
                "it is imported without that",
            )));
        }
        sums.imported += 1;
        sums.unfinished += u64::from(!one.info.is_over());
    }
    app.close().await;
    Ok(sums)
}

/// The jobs that can be read; the others are told.
fn find(jobs: &Path, sums: &mut Imported, tell: Tell<'_>) -> Result<Vec<Found>, CareError> {
    let mut found = Vec::new();
    for item in fs::read_dir(jobs).map_err(CareError::io("list", jobs))? {
        let item = item.map_err(CareError::io("list", jobs))?;
        let name = item.file_name();
        let shown = name.as_encoded_bytes().escape_ascii().to_string();
        let is_folder = item.file_type().is_ok_and(|kind| kind.is_dir());
        let id = name.to_str().and_then(|name| name.parse::<JobId>().ok());
        let info = match (is_folder, &id) {
            (false, _) => Err("it is no folder".to_owned()),
            (true, None) => Err("its name is no job's id (11 letters, digits or underscores)".to_owned()),
            (true, Some(_)) => Info::read(&item.path()),
        };
        match (id, info) {
            (Some(id), Ok(info)) => found.push(Found {
                id,
                folder: item.path(),
                info,
            }),
            (_, Err(why)) => {
                sums.faulty += 1;
                let remedy = "it is not imported; mend or remove it, and run the import again";
                tell(News::Found(fault(&shown, why, remedy)));
            }
            (None, Ok(_)) => {}
        }
    }
    Ok(found)
}

fn fault(job: &str, what: String, remedy: &str) -> Finding {
    Finding {
        concerns: format!("job {job} of the original"),
        what,
        remedy: remedy.to_owned(),
        repaired: None,
    }
}

/// The toolchain of all its jobs: it was a setting. Read leniently, since a wrong line elsewhere does
/// not change it; the original's own default was F1.
fn toolchain(source: &Path) -> Flow {
    let text = info::read_file(&source.join(FILE_NAME), SETTINGS_BYTES).ok();
    let text = text
        .and_then(|raw| String::from_utf8(raw).ok())
        .unwrap_or_default();
    let set = python::assignments(&text).unwrap_or_default();
    let last = set.into_iter().rfind(|set| set.name == "TOOLCHAIN");
    match last.map(|set| set.value) {
        Some(Value::Text(toolchain)) => Flow::of_setting(Some(&toolchain)),
        _ => Flow::F1,
    }
}
