//! Reads boards in a thread of its own, so that a driver that does not come back from a read holds up its own card and
//! no other. A thread that hangs is left behind and replaced; there is at most one for each card that hangs.
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use crate::device::Roots;
use crate::vendor::{PLACES, Probed};

/// The entry of a place, by the place's index.
pub(crate) type Key = (usize, String);

/// What is to be done with an entry.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) key: Key,
    /// Otherwise only when an attribute that is watched has changed.
    pub(crate) whole: bool,
}

/// How long one board may take to be read before the others go on without it.
const PATIENCE: Duration = Duration::from_millis(750);

#[derive(Debug)]
pub(crate) struct Crew {
    roots: Roots,
    hand: Option<Hand>,
    /// Threads that hang, with the entries they hang in.
    lost: Vec<(Key, Hand)>,
}

/// The thread, from the outside.
#[derive(Debug)]
struct Hand {
    rounds: Sender<Vec<Task>>,
    answers: Receiver<Answer>,
    /// Which task of the round it is at.
    at: Arc<AtomicUsize>,
    is_lost: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Answer {
    Probed(Key, Probed),
    Done,
}

impl Crew {
    pub(crate) fn new(roots: Roots) -> Self {
        Self {
            roots,
            hand: None,
            lost: Vec::new(),
        }
    }

    /// Whether an earlier read of this entry has not come back.
    pub(crate) fn is_stuck(&mut self, key: &Key) -> bool {
        let hangs = |(_, hand): &(Key, Hand)| matches!(hand.answers.try_recv(), Err(TryRecvError::Empty));
        self.lost.retain(hangs);
        self.lost.iter().any(|(stuck, _)| stuck == key)
    }

    /// Whether any read has not come back.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Does all tasks; an entry that does not answer in time is left out and counts as stuck.
    pub(crate) fn run(&mut self, mut tasks: Vec<Task>) -> Vec<(Key, Probed)> {
        let mut answers = Vec::new();
        while !tasks.is_empty() {
            let hand = self
                .hand
                .take()
                .map_or_else(|| Hand::start(self.roots.clone()), Ok);
            // Without a thread it is done here: better to wait than to see nothing.
            let Ok(hand) = hand else {
                answers.extend(tasks.drain(..).map(|task| probe(&self.roots, task.key)));
                break;
            };
            match hand.round(&tasks, &mut answers) {
                None => {
                    self.hand = Some(hand);
                    tasks.clear();
                }
                Some(at) => {
                    hand.is_lost.store(true, Ordering::Release);
                    let rest = tasks.split_off((at + 1).min(tasks.len()));
                    if let Some(task) = tasks.pop() {
                        self.lost.push((task.key, hand));
                    }
                    tasks = rest;
                }
            }
        }
        answers
    }
}

fn probe(roots: &Roots, key: Key) -> (Key, Probed) {
    let probed = PLACES[key.0].probe(roots, &key.1);
    (key, probed)
}

impl Hand {
    fn start(roots: Roots) -> io::Result<Self> {
        let (rounds, inbox) = channel();
        let (outbox, answers) = channel();
        let (at, is_lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut reader = Reader {
            roots,
            watched: HashMap::new(),
            at: at.clone(),
            is_lost: is_lost.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("boards".to_owned())
            .stack_size(256 * 1024);
        thread.spawn(move || reader.work(&inbox, &outbox))?;
        Ok(Self {
            rounds,
            answers,
            at,
            is_lost,
        })
    }

    /// The index of the task in which it hangs, or None when all are done.
    fn round(&self, tasks: &[Task], answers: &mut Vec<(Key, Probed)>) -> Option<usize> {
        self.at.store(0, Ordering::Release);
        // Two waits without a step, since a busy machine may hold up one.
        let mut seen_at = usize::MAX;
        if self.rounds.send(tasks.to_vec()).is_err() {
            return Some(0);
        }
        loop {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(Answer::Probed(key, probed)) => answers.push((key, probed)),
                Ok(Answer::Done) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let at = self.at.load(Ordering::Acquire);
                    if at == seen_at {
                        return Some(at);
                    }
                    seen_at = at;
                }
                Err(RecvTimeoutError::Disconnected) => return Some(self.at.load(Ordering::Acquire)),
            }
        }
    }
}

/// The thread, from the inside.
#[derive(Debug)]
struct Reader {
    roots: Roots,
    watched: HashMap<Key, Vec<Watched>>,
    at: Arc<AtomicUsize>,
    is_lost: Arc<AtomicBool>,
}

impl Reader {
    fn work(&mut self, inbox: &Receiver<Vec<Task>>, outbox: &Sender<Answer>) {
        while let Ok(tasks) = inbox.recv() {
            for (index, task) in tasks.into_iter().enumerate() {
                self.at.store(index, Ordering::Release);
                let answer = self.look(task);
                if self.is_lost.load(Ordering::Acquire) {
                    return;
                }
                if let Some((key, probed)) = answer
                    && outbox.send(Answer::Probed(key, probed)).is_err()
                {
                    return;
                }
            }
            if outbox.send(Answer::Done).is_err() {
                return;
            }
        }
    }

    fn look(&mut self, task: Task) -> Option<(Key, Probed)> {
        let watched = self.watched.entry(task.key.clone()).or_default();
        // All of them, so that each one's last value is from before the probe.
        let changes = watched
            .iter_mut()
            .filter_map(|watched| watched.has_changed().then_some(()))
            .count();
        if !task.whole && changes == 0 && !watched.is_empty() {
            return None;
        }
        let (key, probed) = probe(&self.roots, task.key);
        let paths: Vec<&PathBuf> = probed.seen.iter().flat_map(|seen| &seen.watch).collect();
        if watched.len() != paths.len()
            || watched
                .iter()
                .zip(&paths)
                .any(|(watched, path)| !watched.is(path))
        {
            *watched = paths.into_iter().map(|path| Watched::new(path)).collect();
        }
        Some((key, probed))
    }
}

/// An attribute held open: to read it again is one system call, and the kernel shows the value of that moment.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    file: Option<File>,
    last: [u8; 48],
    length: usize,
    /// Not yet read, or not readable as a file is: looked at anew each time.
    is_unknown: bool,
}

impl Watched {
    /// Its value is taken by the first look, which so counts as a change: it may have changed since the probe.
    fn new(path: &Path) -> Self {
        let opened = File::open(path);
        let is_absent = matches!(&opened, Err(error) if error.kind() == io::ErrorKind::NotFound);
        Self {
            path: path.to_owned(),
            file: opened.ok(),
            last: [0; 48],
            length: 0,
            is_unknown: !is_absent,
        }
    }

    /// Whether this watches the file that has this path now.
    fn is(&self, path: &Path) -> bool {
        self.path == path && !self.is_unknown && self.file.is_some()
    }

    fn has_changed(&mut self) -> bool {
        // What was not there at the last probe is looked for again by the next whole one.
        let Some(file) = &self.file else {
            return self.is_unknown;
        };
        let mut now = [0; 48];
        let read = file.read_at(&mut now, 0);
        // A file that was removed and made anew has another value than the one that is open.
        let is_removed = file.metadata().map_or(true, |metadata| metadata.nlink() == 0);
        let Ok(length) = read else {
            self.is_unknown = true;
            return true;
        };
        let changed = self.is_unknown || is_removed || now != self.last || length != self.length;
        (self.last, self.length, self.is_unknown) = (now, length, is_removed);
        changed
    }
}
