//! What a plan tells its user of the decisions taken on the way.

use super::option::{Options, shown};
use std::collections::BTreeMap;

/// Decisions and notes, as they come up.
#[derive(Debug)]
pub(super) struct Decisions {
    pub(super) taken: BTreeMap<String, String>,
    pub(super) notes: Vec<String>,
}

impl Decisions {
    pub(super) fn new(options: &Options, workflow: &str, why: &str) -> Self {
        let mut decisions = Self {
            taken: BTreeMap::new(),
            notes: Vec::new(),
        };
        decisions.take("workflow", workflow, why);
        if let Some(mode) = &options.overruled_mode {
            decisions.note(format!(
                "option `mode` (`{mode}`) has no use beside `estimate=1`, which goes before it: nothing is run"
            ));
        }
        decisions
    }

    /// Writes down a decision as `value (why)`.
    pub(super) fn take(&mut self, name: &str, value: &str, why: &str) {
        self.taken
            .insert(name.to_owned(), format!("{} ({why})", value.escape_debug()));
    }

    pub(super) fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    /// What was handed in and has no use in the built-in workflow.
    pub(super) fn unused(&mut self, options: &Options, unread: &[&str]) {
        for (name, value) in [
            ("platform", &options.platform),
            ("directives", &options.directives),
        ] {
            if let Some(value) = value {
                self.note(format!(
                    "option `{name}` (`{}`) has no use here: {WITHOUT_USE}",
                    shown(value)
                ));
            }
        }
        for path in unread {
            self.note(format!(
                "{} could not be read as text of at most 1 MiB; it is taken for a module of its own name",
                shown(path)
            ));
        }
    }
}

const WITHOUT_USE: &str = "only vendor flows and the design's own Makefile know it";
