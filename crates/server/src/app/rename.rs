//! A job's name: what users call it, which they may change whenever they like.

use super::{App, AppError, now_ms};
use crate::store::RenameJob;
use polyphemus_api::job::{Job, TITLE_CHARS};
use polyphemus_core::JobId;

impl App {
    /// Gives the job another name; the empty one takes its name away. A stage at work goes on.
    pub async fn rename(&self, id: &JobId, title: &str) -> Result<Job, AppError> {
        check(title)?;
        self.must_exist(id).await?;
        let (app, job, title) = (self.clone(), id.clone(), title.to_owned());
        self.to_its_end(async move { app.write_title(&job, title).await })
            .await?;
        self.job(id).await
    }

    async fn write_title(&self, job: &JobId, title: String) -> Result<(), AppError> {
        // Under the log's lock, so that the line stands in it once, at its place.
        let mut log = self.0.logs.lock(job).await;
        let (now_ms, message) = (now_ms(), format!("hwname changed to {title}"));
        let rename = RenameJob {
            job: job.clone(),
            title,
            now_ms,
            message: message.clone(),
        };
        let renamed = self.0.store.write(rename).await?;
        polyphemus_fault::point("rename.committed");
        if renamed.is_running {
            self.0.remarks.keep(job, now_ms, &message);
        } else if let Err(error) = log.append_lines(now_ms, &[message]).await {
            tracing::error!(%job, %error, "the new name of a job is missing from its log");
        }
        drop(log);
        self.0.watches.announce(job, renamed.event);
        Ok(())
    }
}

fn check(title: &str) -> Result<(), AppError> {
    let chars = title.chars().count();
    if chars > TITLE_CHARS {
        return Err(AppError::BadRequest(format!(
            "a name of a job has at most {TITLE_CHARS} characters, not {chars}; choose a shorter one"
        )));
    }
    if title.chars().any(char::is_control) {
        return Err(AppError::BadRequest(
            "a name of a job has no line ends, tabs or other control characters; choose one without".into(),
        ));
    }
    Ok(())
}
