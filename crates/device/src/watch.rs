//! The boards of a machine over time: what is new, gone, sick and well again. Time is an argument of each look.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::crew::{Crew, Key, Task};
use crate::device::{Device, Discovery, Health, Roots, Trouble};
use crate::health::{Keeper, Reading, SymptomKind};
use crate::sysfs;
use crate::vendor::{PLACES, Probed, Seen, slot};

/// How much a look reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What has come or gone, and the attributes that show at once that something happened. Costs microseconds a board.
    Quick,
    /// Every attribute of every board.
    Whole,
}

/// Looks at the boards below some roots again and again. A board keeps its id, its shell and its serial number as long
/// as its place is taken, also while they cannot be read.
#[derive(Debug)]
pub struct Watcher {
    crew: Crew,
    roots: Roots,
    entries: BTreeMap<Key, Entry>,
    names: Vec<Vec<String>>,
    listing_trouble: Vec<Trouble>,
}

#[derive(Debug, Default)]
struct Entry {
    boards: Vec<Board>,
    trouble: Vec<Trouble>,
}

#[derive(Debug)]
struct Board {
    device: Device,
    reading: Reading,
    keeper: Keeper,
    is_complete: bool,
}

impl Watcher {
    pub fn new(roots: Roots) -> Self {
        Self {
            crew: Crew::new(roots.clone()),
            roots,
            entries: BTreeMap::new(),
            names: vec![Vec::new(); PLACES.len()],
            listing_trouble: Vec::new(),
        }
    }

    /// Looks once more; tells whether there is anything new. It returns in a time that no single board decides.
    pub fn look(&mut self, now: Instant, look: Look) -> bool {
        let moved = self.list();
        let mut changed = !moved.is_empty();
        let tasks = self.tasks(look, &moved);
        for (key, probed) in self.crew.run(tasks) {
            changed |= self.merge(key, probed);
        }
        changed | self.judge(now)
    }

    /// What the last look left, sorted by id.
    pub fn discovery(&self) -> Discovery {
        let mut discovery = Discovery {
            devices: Vec::new(),
            trouble: self.listing_trouble.clone(),
        };
        let mut ids = BTreeSet::new();
        for entry in self.entries.values() {
            discovery.trouble.extend(entry.trouble.iter().cloned());
            for board in &entry.boards {
                if ids.insert(&board.device.id) {
                    discovery.devices.push(board.device.clone());
                } else {
                    discovery.trouble.push(Trouble {
                        path: board.device.address.clone().unwrap_or_default().into(),
                        reason: format!(
                            "a second board says that it is {}; it is left out",
                            board.device.id
                        ),
                    });
                }
            }
        }
        discovery.devices.sort_by(|a, b| a.id.cmp(&b.id));
        discovery
    }

    /// Which entries came or went.
    fn list(&mut self) -> BTreeSet<Key> {
        let mut moved = BTreeSet::new();
        self.listing_trouble.clear();
        for (index, place) in PLACES.iter().enumerate() {
            let folder = self.roots.sys.join(place.folder);
            let names = match sysfs::names(&folder) {
                Ok(names) => names,
                // What was there is still there: that it cannot be listed is no reason to take boards away.
                Err(reason) => {
                    self.listing_trouble.push(Trouble { path: folder, reason });
                    continue;
                }
            };
            let names: Vec<String> = names.into_iter().filter(|name| (place.may_be)(name)).collect();
            if names == self.names[index] {
                continue;
            }
            if place.whole {
                moved.insert((index, String::new()));
            } else {
                let before: BTreeSet<&String> = self.names[index].iter().collect();
                let after: BTreeSet<&String> = names.iter().collect();
                moved.extend(
                    before
                        .symmetric_difference(&after)
                        .map(|name| (index, (*name).clone())),
                );
            }
            self.names[index] = names;
        }
        self.entries.retain(|(place, name), _| {
            PLACES[*place].whole || self.names[*place].binary_search(name).is_ok()
        });
        moved
    }

    fn tasks(&mut self, look: Look, moved: &BTreeSet<Key>) -> Vec<Task> {
        for key in moved {
            if key.1.is_empty() || self.names[key.0].binary_search(&key.1).is_ok() {
                self.entries.entry(key.clone()).or_default();
            }
        }
        // The functions of a card tell of each other.
        let slots: BTreeSet<(usize, &str)> = moved.iter().map(|(place, name)| (*place, slot(name))).collect();
        let mut tasks = Vec::new();
        for (key, entry) in &self.entries {
            let whole = look == Look::Whole || slots.contains(&(key.0, slot(&key.1))) || entry.needs_care();
            let is_board = !entry.boards.is_empty();
            if (whole || is_board) && !self.crew.is_stuck(key) {
                tasks.push(Task {
                    key: key.clone(),
                    whole,
                });
            }
        }
        tasks
    }

    fn merge(&mut self, key: Key, probed: Probed) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        let trouble = std::mem::replace(&mut entry.trouble, probed.trouble);
        let mut before = std::mem::take(&mut entry.boards);
        let mut changed = trouble != entry.trouble;
        for seen in probed.seen {
            let same = |board: &Board| board.device.address == seen.device.address;
            let known = before.iter().position(same).map(|index| before.remove(index));
            let (board, is_other) = Board::after(known, seen);
            changed |= is_other;
            entry.boards.push(board);
        }
        match entry.trouble.first() {
            // It cannot be told any more what it is, but it was a board a moment ago.
            Some(trouble) => entry.boards.extend(before.into_iter().map(|mut board| {
                board.reading = Reading::default();
                board.reading.add(SymptomKind::Unreadable, trouble.reason.clone());
                board
            })),
            None => changed |= !before.is_empty(),
        }
        changed
    }

    fn judge(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for (key, entry) in &mut self.entries {
            if entry.boards.is_empty() && entry.trouble.is_empty() && !self.crew.has_lost() {
                continue;
            }
            let silent = self.crew.is_stuck(key);
            if silent && entry.boards.is_empty() && entry.trouble.is_empty() {
                entry.trouble.push(Trouble {
                    path: self.roots.sys.join(PLACES[key.0].folder).join(&key.1),
                    reason: "its driver does not answer; whether there is a board cannot be told".to_owned(),
                });
                changed = true;
            }
            for board in &mut entry.boards {
                changed |= board.judge(silent, now);
            }
        }
        changed
    }
}

impl Entry {
    /// To be read in full at each look: something of it may change by itself.
    fn needs_care(&self) -> bool {
        !self.trouble.is_empty()
            || self
                .boards
                .iter()
                .any(|board| board.keeper.is_pending() || !board.is_complete)
    }
}

impl Board {
    /// What is known of a board after one more look at it, and whether it is another than before.
    fn after(known: Option<Self>, seen: Seen) -> (Self, bool) {
        let Some(known) = known else {
            let board = Self {
                device: seen.device,
                reading: seen.reading,
                keeper: Keeper::default(),
                is_complete: seen.is_complete,
            };
            return (board, true);
        };
        let mut device = seen.device;
        if known.is_complete && !seen.is_complete {
            device = known.device.clone();
        }
        if device.serial.is_none() && device.shell == known.device.shell {
            (device.serial, device.card) = (known.device.serial.clone(), known.device.card.clone());
        }
        if device.serial == known.device.serial {
            device.id = known.device.id.clone();
        }
        device.health = known.device.health.clone();
        device.warnings = seen.reading.warnings.clone();
        let is_other = device != known.device;
        let board = Self {
            device,
            reading: seen.reading,
            keeper: known.keeper,
            is_complete: seen.is_complete || known.is_complete,
        };
        (board, is_other)
    }

    fn judge(&mut self, silent: bool, now: Instant) -> bool {
        let health = if silent {
            let mut reading = self.reading.clone();
            reading.add(
                SymptomKind::Silent,
                "its driver does not answer when it is asked for its state",
            );
            self.keeper.see(&reading, now)
        } else {
            self.keeper.see(&self.reading, now)
        };
        let changed = !same_verdict(&health, &self.device.health);
        self.device.health = health;
        self.device.warnings.clone_from(&self.reading.warnings);
        changed
    }
}

/// How many good readings there were so far changes each time and is no news.
fn same_verdict(a: &Health, b: &Health) -> bool {
    match (a, b) {
        (Health::Healthy, Health::Healthy) => true,
        (Health::Sick { reason: a }, Health::Sick { reason: b }) => {
            a.split("; it has been").next() == b.split("; it has been").next()
        }
        _ => false,
    }
}
