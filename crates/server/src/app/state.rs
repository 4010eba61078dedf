//! The original's form by which a user sets the state of a job: what each of its words asks for.
//! States are never set here: a word becomes a cancel or an entry again, which the core allows or not.

use super::{App, AppError};
use crate::store::Change;
use polyphemus_api::job::Job;
use polyphemus_core::stage::StageName;
use polyphemus_core::{JobId, JobState};
use std::time::Duration;

/// What the word of a state asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// To enter the job again from its first stage.
    Begin,
    Enter(StageName),
    /// To end the job, which then is shown by this word.
    End(JobState),
}

/// How long the end of a job that was to be ended is waited for, before it is entered again.
const LONGEST_END: Duration = Duration::from_secs(30);

/// The words of the form.
const WORDS: [(&str, Wish); 7] = [
    ("uploaded", Wish::Begin),
    ("unpacking", Wish::Begin),
    ("make", Wish::Begin),
    ("starting_AFI", Wish::Enter(StageName::Afi)),
    ("hlsed", Wish::Enter(StageName::Run)),
    ("done", Wish::End(JobState::Done)),
    ("failed", Wish::End(JobState::Failed)),
];

impl App {
    /// Does what the original's form asks for by the word of a state.
    pub async fn set_state(&self, id: &JobId, word: &str) -> Result<Job, AppError> {
        let found = WORDS.iter().find(|(known, _)| *known == word);
        let (word, wish) = *found.ok_or_else(|| unknown(word))?;
        let change = match wish {
            Wish::End(state) => {
                let job = self.job(id).await?;
                if job.state == state {
                    return Ok(job);
                }
                Change::Cancel {
                    ended_as: Some(state),
                }
            }
            Wish::Begin => self.entry(id, word, None).await?,
            Wish::Enter(stage) => self.entry(id, word, Some(stage)).await?,
        };
        if let Change::Retry { .. } = change {
            self.after_its_end(id).await?;
        }
        let remark = format!("a user set the state to {word} on the page of the job");
        self.change_by_user(id, change, Some(remark)).await
    }

    /// Waits for the worker of a job that was ended just before: the next word would be refused until then,
    /// and scripts of the original set one after the other.
    async fn after_its_end(&self, id: &JobId) -> Result<(), AppError> {
        let mut watching = self.watch(id).await?;
        let ended = async {
            while self.job(id).await?.stages.iter().any(|stage| stage.cancelling) {
                // The watch lives as long as somebody watches.
                if watching.changed().await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        // Whoever waits longer is told by the refusal.
        tokio::time::timeout(LONGEST_END, ended).await.unwrap_or(Ok(()))
    }

    /// The entry at a stage, or at the first, if the job has it.
    async fn entry(&self, id: &JobId, word: &str, stage: Option<StageName>) -> Result<Change, AppError> {
        let job = self.job(id).await?;
        let names: Vec<StageName> = job.stages.iter().map(|stage| stage.name).collect();
        let from = match stage {
            None => names.first().copied(),
            Some(stage) => names.contains(&stage).then_some(stage),
        };
        if from.is_none() {
            let has: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            return Err(AppError::Conflict(format!(
                "the state of job {id} cannot be set to `{word}`: it has no such stage, only {}",
                has.join(", ")
            )));
        }
        Ok(Change::Retry { from })
    }
}

fn unknown(word: &str) -> AppError {
    let shown: String = word.chars().take(40).collect();
    let words = WORDS.map(|(word, _)| word).join(", ");
    AppError::BadRequest(format!(
        "the state of a job cannot be set to {shown:?}, only to {words}"
    ))
}
