//! A step that asks again and again until what the job waits for is there.

use super::failure::{Answer, Judge, unreadable};
use super::stage::{Attempt, Fault};
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::plan::Poll;
use std::time::{Duration, Instant};

impl Attempt<'_> {
    pub(super) async fn poll(&mut self, poll: &Poll) -> Result<(), Fault> {
        let deadline = Instant::now() + Duration::from_secs(poll.deadline_s).min(self.time_left());
        let every = Duration::from_secs(poll.every_s);
        loop {
            let mut judge = Judge::of_poll(poll).map_err(|error| unreadable(&poll.ask, &error))?;
            let ran = self.run_once(&poll.ask, &mut judge).await?;
            judge.read_file(&poll.ask, &self.folder);
            let judged = judge.judge(&poll.ask, &ran, |file| self.folder.find(file).is_some());
            let told = judged.told.clone();
            let said = match judge.answer(poll, &ran, judged) {
                Answer::Done => {
                    self.keep_told(told);
                    return Ok(());
                }
                Answer::Failed(cause) => return Err(Fault::Failed(cause)),
                Answer::Pending(said) => said,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::Failed(Cause {
                    step: Some(poll.ask.title.clone()),
                    line: Some(said),
                    ..Cause::new(CauseKind::TimeLimit, poll.too_late.clone())
                }));
            }
            let wait = every.min(left);
            self.say(&format!(
                "# {}: asked again in {} s",
                poll.ask.title,
                wait.as_secs_f64().ceil()
            ));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                reason = self.stop.after(None) => return Err(Fault::Stopped(reason)),
            }
        }
    }
}
