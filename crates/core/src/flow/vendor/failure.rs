//! How failures of the vendors' tools are told, by what their documents and users' logs have them print.

use crate::cause::CauseKind::{
    self, DoesNotFit, Licence, OutOfMemory, SourceError, TimingNotMet, WorkerTrouble,
};
use crate::plan::FailureRule;

fn rule(line: &str, kind: CauseKind, message: &str) -> FailureRule {
    FailureRule {
        exit_code: None,
        line: Some(line.to_owned()),
        kind,
        message: message.to_owned(),
    }
}

/// `sds++`, `xocc`, `v++`, Vivado below them, and a Makefile that calls any of them. The surroundings
/// come first: without a licence a tool goes on to complain of much else.
pub(in crate::flow) fn tools() -> Vec<FailureRule> {
    vec![
        rule(
            r"\[Common 17-34[58]\]|A valid license was not found|Failed to get the license|(?i)license checkout failed",
            Licence,
            "no licence was free for a tool; the build is tried again later by itself, and the operator sees which \
             feature is short in the line below",
        ),
        rule(
            r"std::bad_alloc|(?i)\bout of memory\b|cannot allocate memory|\bKilled\b.*\b(vivado|xocc|sds\+\+|v\+\+)|terminated by signal 9",
            OutOfMemory,
            "a tool had too little memory: make the design smaller, or ask the operator for a larger machine",
        ),
        rule(
            r"\[DRC UTLZ-1\]|Place Check : This design requires more|\[Place 30-\d+\].*(requires more|over.?utili[sz])",
            DoesNotFit,
            "the design needs more than the part has: make it smaller; the line below tells of what there is too little",
        ),
        rule(
            r"(?i)design (failed to|did not) meet (the )?timing|\[Timing 38-282\].*ERROR",
            TimingNotMet,
            "the design is slower than the clock it is built for: shorten the critical path, or choose a slower clock",
        ),
        rule(
            r"(?i)^ERROR:.*\bplatform\b.*(not found|not exist|invalid|unknown|not supported|cannot be found)",
            SourceError,
            "the tool does not know this platform: correct the option `platform`, or have the operator install it",
        ),
        rule(
            r"^make(\[\d+\])?: \*\*\* No rule to make target ",
            SourceError,
            "the Makefile wants a file or a target that is not there: hand the file in too, or correct its name",
        ),
        rule(
            r"(: (fatal )?error: |undefined reference to |ld returned )",
            SourceError,
            "the sources do not compile: the line below names the file and the line to correct",
        ),
        rule(
            r"^ERROR: \[",
            SourceError,
            "the tool stopped at the line below: correct what it names",
        ),
    ]
}

/// What is said before make or a program by the set-up of its environment.
pub(in crate::flow) fn host() -> FailureRule {
    FailureRule {
        exit_code: Some(super::NOT_SET_UP),
        ..rule(
            r"^polyphemus: ",
            WorkerTrouble,
            "this worker's environment for the tools cannot be set up; the worker's operator has to look at the line below",
        )
    }
}
