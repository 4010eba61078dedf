//! The files of a job: of the latest stage that left any behind, else of the upload.

use super::{App, AppError};
use polyphemus_api::job::{JobFile, JobFiles};
use polyphemus_artifacts::{Tree, tree::Mode};
use polyphemus_core::{JobId, TreeHash};

impl App {
    pub async fn job_files(&self, id: &JobId) -> Result<JobFiles, AppError> {
        let (hash, of) = self.latest_tree(id).await?;
        let tree = self.0.blobs.get_tree(&hash).await?;
        let files = tree.entries().iter().map(|entry| JobFile {
            path: entry.path.clone(),
            size_bytes: entry.size_bytes,
            executable: entry.mode == Mode::Executable,
            hash: entry.hash.clone(),
        });
        Ok(JobFiles {
            files: files.collect(),
            tree: hash,
            of,
        })
    }

    pub async fn job_tree(&self, id: &JobId) -> Result<Tree, AppError> {
        let (hash, _) = self.latest_tree(id).await?;
        Ok(self.0.blobs.get_tree(&hash).await?)
    }

    /// The tree and what left it: `upload` or a stage.
    async fn latest_tree(&self, id: &JobId) -> Result<(TreeHash, String), AppError> {
        let job = self.0.store.job(id).await?.ok_or_else(|| AppError::no_job(id))?;
        let rows = self.0.store.stage_list(job.seq).await?;
        let latest = rows.iter().rev().find_map(|row| {
            let tree = row.stage.tree()?;
            Some((tree.clone(), row.stage.name.to_string()))
        });
        Ok(latest.unwrap_or((job.tree, "upload".into())))
    }
}
