//! `fsck`: every content against its hash, every reference, every log, and the database against itself.
//!
//! Beside a running server nothing is reported that was only on its way: each finding about a job is
//! looked at once more, against the rows as they are then.
//! Memory grows with the number of different contents (some 60 bytes each), not with their size.

mod content;
mod database;
mod jobs;
mod repair;

use super::{CareError, Finding, Instance, News, Phase, Tell};
use content::Contents;
use serde::Serialize;

/// How often progress is told: every so many.
const TELL_EVERY: u64 = 1000;

/// What was looked at, and how it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    pub jobs: u64,
    pub contents: u64,
    pub content_bytes: u64,
    pub log_bytes: u64,
    pub findings: u64,
    pub repaired: u64,
}

/// One run over an instance.
struct Check<'a> {
    instance: &'a Instance,
    /// Whether to mend what can be mended.
    repair: bool,
    tell: Tell<'a>,
    sums: Checked,
    contents: Contents,
}

/// Looks the whole instance through. With `repair`, which needs the instance alone, damaged contents are
/// moved to its folder `quarantine`, the jobs concerned are told in their logs, and derived values are
/// derived anew; what is lost stays a finding.
pub async fn check(instance: &Instance, repair: bool, tell: Tell<'_>) -> Result<Checked, CareError> {
    if let (true, Some(holder)) = (repair, instance.served_by()) {
        return Err(CareError::InUse {
            folder: instance.folder.clone(),
            holder: holder.to_owned(),
        });
    }
    let mut check = Check {
        instance,
        repair,
        tell,
        sums: Checked::default(),
        contents: Contents::default(),
    };
    check.database().await?;
    check.all_contents().await?;
    check.all_jobs().await?;
    check.counts().await?;
    Ok(check.sums)
}

impl Check<'_> {
    fn found(&mut self, finding: Finding) {
        self.sums.findings += 1;
        self.sums.repaired += u64::from(finding.repaired.is_some());
        (self.tell)(News::Found(finding));
    }

    fn progress(&mut self, phase: Phase, done: u64) {
        if done.is_multiple_of(TELL_EVERY) {
            (self.tell)(News::Progress { phase, done });
        }
    }
}
