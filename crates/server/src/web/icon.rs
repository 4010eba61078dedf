//! States as shape and colour beside their words, so that no state is told by colour alone.

use polyphemus_core::job::JobState;

/// The look of a state: the name of a symbol in the sprite of the pages, and of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Icon(pub(super) &'static str);

impl Icon {
    pub(super) fn of_job(state: JobState) -> Self {
        Self(match state {
            JobState::Done => "good",
            JobState::Failed => "bad",
            JobState::Cancelled => "off",
            JobState::Makeing | JobState::GeneratingAfi | JobState::FpgaExecuting | JobState::Unpacking => {
                "busy"
            }
            JobState::Uploaded | JobState::Make | JobState::StartingAfi | JobState::Hlsed => "wait",
        })
    }

    /// Of the one word of a stage's state.
    pub(super) fn of_stage(word: &str) -> Self {
        Self(match word {
            "succeeded" => "good",
            "failed" => "bad",
            "cancelled" => "off",
            "running" => "busy",
            _ => "wait",
        })
    }
}

impl std::fmt::Display for Icon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
