//! How many connections there may be, and which of them makes room when there are too many: one that
//! waits or sends slowly, of the network that has the most. Whoever has few is never pushed out by
//! whoever has many.

use super::auth::network;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    /// It is between two requests, or in the middle of the headers of one.
    Waiting,
    /// The body of its request is not all here.
    Sending,
    /// Its request is being answered.
    Answered,
}

#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    inside: Mutex<Inside>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    open: HashMap<u64, Open>,
    networks: HashMap<IpAddr, Network>,
}

#[derive(Debug)]
struct Open {
    network: IpAddr,
    doing: Doing,
    /// Since when, by the order of changes.
    since: u64,
    pushed_out: CancellationToken,
}

#[derive(Debug, Default)]
struct Network {
    open: usize,
    /// Those that may be pushed out: what waits before what sends, what does so for longest first.
    idle: BTreeSet<(Doing, u64, u64)>,
}

impl Room {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            inside: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// Lets a connection in: into free room, or in place of another one. Where all are at work it waits.
    pub(super) async fn enter(self: &Arc<Self>, from: IpAddr) -> Place {
        loop {
            // Registered before the look, so that nobody leaves unseen.
            let left = self.left.notified();
            if let Some(place) = self.try_enter(network(from)) {
                return place;
            }
            left.await;
        }
    }

    fn try_enter(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let mut inside = self.lock();
        if inside.open.len() >= self.limit {
            let number = inside.dispensable(from)?;
            if let Some(open) = inside.remove(number) {
                open.pushed_out.cancel();
            }
        }
        let (number, pushed_out) = inside.insert(from);
        Some(Place {
            room: self.clone(),
            number,
            pushed_out,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn insert(&mut self, network: IpAddr) -> (u64, CancellationToken) {
        self.last += 1;
        let number = self.last;
        let pushed_out = CancellationToken::new();
        let open = Open {
            network,
            doing: Doing::Waiting,
            since: number,
            pushed_out: pushed_out.clone(),
        };
        let of_network = self.networks.entry(network).or_default();
        of_network.open += 1;
        of_network.idle.insert((Doing::Waiting, number, number));
        self.open.insert(number, open);
        (number, pushed_out)
    }

    fn remove(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        if let Some(of_network) = self.networks.get_mut(&open.network) {
            of_network.open -= 1;
            of_network.idle.remove(&(open.doing, open.since, number));
            if of_network.open == 0 {
                self.networks.remove(&open.network);
            }
        }
        Some(open)
    }

    fn set(&mut self, number: u64, doing: Doing) {
        let Some(open) = self.open.get_mut(&number).filter(|open| open.doing != doing) else {
            return;
        };
        let Some(of_network) = self.networks.get_mut(&open.network) else {
            return;
        };
        of_network.idle.remove(&(open.doing, open.since, number));
        self.last += 1;
        (open.doing, open.since) = (doing, self.last);
        if doing != Doing::Answered {
            of_network.idle.insert((doing, open.since, number));
        }
    }

    /// Of the network with the most connections that has one to spare. Others give way only to whoever
    /// has fewer; among its own a newcomer replaces what waits, not what sends, which is no worse than it.
    fn dispensable(&self, from: IpAddr) -> Option<u64> {
        let own = self.networks.get(&from).map_or(0, |network| network.open);
        let candidates = self.networks.iter().filter_map(|(address, network)| {
            let (doing, _, number) = *network.idle.first()?;
            let may_go = match *address == from {
                true => doing == Doing::Waiting,
                false => network.open > own,
            };
            may_go.then_some((network.open, Reverse(number)))
        });
        candidates.max().map(|(_, Reverse(number))| number)
    }
}

/// The place of one connection, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    number: u64,
    pushed_out: CancellationToken,
}

impl Place {
    pub(super) fn does(&self, doing: Doing) {
        self.room.lock().set(self.number, doing);
        if doing != Doing::Answered {
            self.room.left.notify_waiters();
        }
    }

    /// Until the place is somebody else's.
    pub(super) async fn pushed_out(&self) {
        self.pushed_out.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.room.lock().remove(self.number));
        self.room.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn enter(room: &Arc<Room>, last: u8) -> Option<Place> {
        room.try_enter(address(last))
    }

    fn is_out(place: &Place) -> bool {
        place.pushed_out.is_cancelled()
    }

    #[test]
    fn whoever_has_most_makes_room_and_what_waits_longest_goes_first() {
        let room = Room::new(4);
        let few = enter(&room, 1).unwrap_or_else(|| panic!("there is room"));
        let many: Vec<Place> = (0..3).filter_map(|_| enter(&room, 2)).collect();
        many[0].does(Doing::Answered);
        let newcomer = enter(&room, 3);
        assert!(newcomer.is_some());
        assert_eq!(
            [&many[0], &many[1], &many[2], &few].map(is_out),
            [false, true, false, false]
        );
    }

    #[test]
    fn who_is_being_answered_stays_and_slow_senders_go_for_those_who_have_fewer() {
        let room = Room::new(3);
        let many: Vec<Place> = (0..3).filter_map(|_| enter(&room, 2)).collect();
        many[0].does(Doing::Answered);
        many[1].does(Doing::Sending);
        many[2].does(Doing::Sending);
        assert!(enter(&room, 2).is_none(), "their own do not push each other out");
        let newcomer = enter(&room, 1);
        assert!(newcomer.is_some());
        assert_eq!([&many[0], &many[1], &many[2]].map(is_out), [false, true, false]);
        many[2].does(Doing::Answered);
        newcomer.iter().for_each(|place| place.does(Doing::Answered));
        assert!(enter(&room, 4).is_none(), "all are being answered");
    }

    #[test]
    fn whoever_has_many_pushes_out_nobody_who_has_few() {
        let room = Room::new(4);
        let few = enter(&room, 1).unwrap_or_else(|| panic!("there is room"));
        let many: Vec<Place> = (0..3).filter_map(|_| enter(&room, 2)).collect();
        many.iter().for_each(|place| place.does(Doing::Sending));
        assert!(enter(&room, 2).is_none());
        assert!(!is_out(&few));
    }

    #[tokio::test]
    async fn whoever_leaves_lets_the_next_one_in() {
        let room = Room::new(1);
        let first = enter(&room, 1).unwrap_or_else(|| panic!("there is room"));
        first.does(Doing::Answered);
        let second = room.enter(address(2));
        let mut second = std::pin::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }
}
