//! Runs on real PCIe cards: AWS' management programs around the host program, and who may have the card.

use super::vendor::{self, SetUp};
use super::{FlowSettings, open};
use crate::cause::CauseKind;
use crate::label::Need;
use crate::plan::{FailureRule, Poll, Run};

/// The original's limit.
const CLEAR_LIMIT_S: u64 = 600;
/// How long a card may take until it says that it has its image.
const LOAD_LIMIT_S: u64 = 120;
/// The management programs need root; a worker that is not asks `sudo`, which must not ask back.
const AS_ROOT: &str = "[ \"$(id -u)\" = 0 ] || set -- sudo -n \"$@\"; exec \"$@\"";

/// A machine's first card at AWS; see `card.rs` of the worker.
pub(super) fn slot() -> Need {
    Need::fpga("aws-slot-0")
}

pub(super) fn clear() -> Run {
    management("clear the card", &["fpga-clear-local-image", "-S", "0"])
}

/// Loads the image that the stage before has told, and waits until the card has it.
pub(super) fn load() -> (Run, Poll) {
    let load = management(
        "load the card",
        &["fpga-load-local-image", "-S", "0", "-I", "{agfi}"],
    );
    let ask = management("card", &["fpga-describe-local-image", "-S", "0", "-R", "-H"]);
    let wait = Poll {
        ask,
        done: r"\bagfi-[0-9a-f]+\s+loaded\s+\d+\s+ok\b".to_owned(),
        pending: r"\s(busy|cleared)\s+\d+\s+ok\b".to_owned(),
        every_s: 1,
        deadline_s: LOAD_LIMIT_S,
        too_late: "the card did not take the image in time; it is tried again on a card by itself if it is cured by that, \
                   else the worker's operator has to look at it"
            .to_owned(),
    };
    (load, wait)
}

/// The job's own program, with the card in its reach.
pub(super) fn host(set_up: &str, arguments: &[&str], settings: &FlowSettings) -> Run {
    let scripts = [set_up.to_owned()];
    let set_up = SetUp {
        scripts: if set_up.is_empty() { &[] } else { &scripts },
        sets: None,
    };
    let program = format!("./{}", settings.executable_name);
    let arguments = arguments.iter().map(|&word| word.to_owned());
    let mut run = set_up.tool(
        "run on the card",
        "exec \"$@\"",
        std::iter::once(program).chain(arguments),
    );
    run.card = true;
    run.failures = vec![vendor::host()];
    run.verdict = Some(open::host_verdict());
    run
}

fn management(title: &str, words: &[&str]) -> Run {
    let shell = ["bash", "-c", AS_ROOT, "bash"].iter().chain(words);
    let mut run = Run::new(title, shell.copied());
    run.outside = true;
    run.time_limit_s = Some(CLEAR_LIMIT_S);
    run.failures = vec![FailureRule {
        exit_code: None,
        line: None,
        kind: CauseKind::Device,
        message: "the card cannot be managed; it is tried again, and if that does not help, the worker's operator has to \
                  look at the end of the log"
            .to_owned(),
    }];
    run
}
