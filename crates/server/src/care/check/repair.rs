//! What a check can mend: it moves damage out of the way and says so where users look.

use super::Finding;
use crate::app::now_ms;
use crate::care::{CareError, Instance};
use crate::store::RepairState;
use polyphemus_artifacts::BlobHash;
use polyphemus_core::{JobId, JobState};

/// Where damaged contents are moved to, in the instance.
const QUARANTINE: &str = "quarantine";

impl Instance {
    /// Moves a damaged content away and says where it is now.
    pub(super) async fn quarantine(&self, hash: &BlobHash) -> Result<String, CareError> {
        let folder = self.folder.join(QUARANTINE);
        std::fs::create_dir_all(&folder).map_err(CareError::io("create the folder", &folder))?;
        self.blobs.move_away(hash, &folder).await?;
        let place = folder.join(hash.as_str());
        Ok(format!("it was moved to {}", place.display()))
    }

    pub(super) async fn repair_state(&self, job_seq: i64, state: JobState) -> Result<String, CareError> {
        let repair = RepairState {
            job_seq,
            state,
            now_ms: now_ms(),
        };
        self.store.write(repair).await?;
        Ok(format!("it is listed as `{state}` now"))
    }

    pub(super) async fn begin_log_anew(&self, job: &JobId) -> Result<String, CareError> {
        let line = "the log of this job was lost; a check of the instance began it anew".to_owned();
        self.write_log(job, line).await?;
        Ok("it was begun anew".to_owned())
    }

    /// Tells the job's readers what was found, in its log.
    pub(super) async fn tell_job(&self, job: &JobId, finding: &Finding) -> Result<(), CareError> {
        let Finding {
            concerns,
            what,
            remedy,
            ..
        } = finding;
        let line = format!("a check of the instance found damage: {concerns}: {what}; {remedy}");
        self.write_log(job, line).await
    }

    pub(crate) async fn write_log(&self, job: &JobId, line: String) -> Result<(), CareError> {
        let mut log = self.logs.lock(job).await;
        log.append_lines(now_ms(), &[line]).await?;
        log.sync().await?;
        Ok(())
    }
}
