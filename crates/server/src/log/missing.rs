//! What a log lacks because its server ended between the commit of a change and the lines about it: the
//! events of that change say the same, so the lines are made of them.

use super::text;
use polyphemus_api::event::StateEvent;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The latest events that are looked at: more than one change of a job makes.
pub(super) const EVENTS: u32 = 16;
/// Of the end of a log that is searched. Behind the end of an attempt come only lines of the server.
const TAIL_BYTES: u64 = 64 << 10;

/// The lines about the last change of a job whose latest events, the newest first, are `events`. None while
/// an attempt is at work: it writes then, and what happens meanwhile is said at its end.
pub(super) fn lines_due(events: &[StateEvent]) -> Vec<String> {
    let Some(last) = events.first().filter(|last| last.stage_state != "running") else {
        return Vec::new();
    };
    let of_last = events.iter().take_while(|event| event.at_ms == last.at_ms);
    let count = of_last.clone().count();
    // What was there before everything else is the acceptance, which the log begins with.
    let Some(before) = events.get(count) else {
        return Vec::new();
    };
    let mut messages: Vec<String> = of_last.map(|event| event.message.clone()).collect();
    messages.reverse();
    if last.job_state != before.job_state {
        messages.push(format!("state changed to {}", last.job_state));
    }
    let line = |message: String| text(last.at_ms, &[message]);
    messages.into_iter().map(line).collect()
}

/// The events before those of the claim that has just been made.
pub(super) fn before_the_claim(events: &[StateEvent]) -> &[StateEvent] {
    let claim = events.first().map_or(0, |last| last.at_ms);
    let of_claim = events
        .iter()
        .take_while(|event| event.at_ms == claim && event.stage_state == "running");
    &events[of_claim.count()..]
}

/// Those of `lines` that the end of the log at `path` does not have; all where there is no file.
pub(super) fn missing_in(path: &Path, lines: Vec<String>) -> io::Result<String> {
    let tail = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        file => tail_of(&file?)?,
    };
    let tail = String::from_utf8_lossy(&tail);
    Ok(lines
        .into_iter()
        .filter(|line| !tail.contains(line.as_str()))
        .collect())
}

fn tail_of(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(length - begin).unwrap_or_default()];
    file.read_exact_at(&mut tail, begin)?;
    Ok(tail)
}
