//! Which event of a subscription comes next: one lane for each thing that events happen to.
//!
//! Within a lane events are handled one after the other, lanes at the same time. An event that fails is kept as a
//! [`Delivery`], and with it those behind it in its lane, which lose their place in memory and wait as well: so a lane that
//! is stuck costs little, and the log can be read past it. One that is slow is kept in the same way, so that it neither fills
//! the memory nor holds up the position. A lane is in memory or kept, as a whole. What is in memory is bounded by [`WINDOW`]
//! events and [`KEPT`] notes.

use crate::{
    model::Event,
    store::{Delivery, DeliveryState, events::Stretch},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many events are in memory at most, and about how many bytes of them.
const WINDOW: usize = 256;
const BYTES: usize = 16 << 20;
/// How many are read at once at most.
const AT_ONCE: usize = 64;
/// How many events may wait for an earlier one that failed; then no more are read.
const KEPT: usize = 10_000;
/// How long an event, or one behind it, may be in memory: about so much of what others did is done again after a crash.
const LATE: TimeDelta = TimeDelta::seconds(1);

/// What an event happens to: its type and its key.
pub(super) type Thing = (String, String);

#[derive(Debug)]
pub(super) struct Lanes {
    read_up_to: i64,
    /// What was read, is neither done with nor kept, and would be read again after a crash.
    open: BTreeMap<i64, usize>,
    /// How many bytes of events are in memory.
    bytes: usize,
    lanes: BTreeMap<Thing, VecDeque<Item>>,
    ready: VecDeque<Thing>,
    later: BTreeSet<(DateTime<Utc>, Thing)>,
    /// What is written down and waits.
    kept: BTreeSet<i64>,
    /// That is all that is written down and waits.
    is_whole: bool,
    /// Dead letters that may be read again, since they came after what was read for certain.
    dead: BTreeSet<i64>,
    changes: BTreeMap<i64, Option<Delivery>>,
}

/// An event in its lane.
#[derive(Debug)]
struct Item {
    sequence: i64,
    /// When it was read or, if it is in hand, taken.
    since: DateTime<Utc>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// It was never tried.
    Fresh(Box<Event>),
    /// It is being tried for the first time.
    InHand,
    /// It is written down, and read again when it is its turn.
    Kept { attempts: u32, due: DateTime<Utc> },
}

/// What is to be tried now.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) thing: Thing,
    pub(super) sequence: i64,
    /// The event, where it is in memory.
    pub(super) event: Option<Box<Event>>,
    /// The how-manieth attempt it is.
    pub(super) number: u32,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    Done,
    /// It is tried again then.
    Again(DateTime<Utc>, String),
    /// It is put aside.
    Dead(String),
}

impl Lanes {
    /// Goes on from a position in the log.
    pub(super) fn new(position: i64) -> Self {
        Self {
            read_up_to: position,
            open: BTreeMap::new(),
            bytes: 0,
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            later: BTreeSet::new(),
            kept: BTreeSet::new(),
            is_whole: true,
            dead: BTreeSet::new(),
            changes: BTreeMap::new(),
        }
    }

    /// Takes in what is kept and not known yet: all of it at first, and dead letters that people replay.
    pub(super) fn take_back(&mut self, kept: Vec<(Delivery, Thing)>, now: DateTime<Utc>) {
        for (Delivery { sequence, state, attempts, due, .. }, thing) in kept {
            if state == DeliveryState::Dead {
                if sequence > self.read_up_to {
                    self.dead.insert(sequence);
                }
                continue;
            }
            if self.changes.contains_key(&sequence) || !self.kept.insert(sequence) {
                continue;
            }
            self.dead.remove(&sequence);
            let lane = self.lanes.entry(thing.clone()).or_default();
            let item = Item { sequence, since: now, what: What::Kept { attempts, due } };
            match lane.is_empty() {
                true => {
                    lane.push_back(item);
                    self.later.insert((due, thing));
                }
                // Behind the first, which may be in somebody's hand. All of the lane is kept from now on: what is read again
                // after a crash must find nothing later there.
                false => {
                    self.keep(&thing, now);
                    let lane = self.lanes.entry(thing).or_default();
                    let place = lane.iter().skip(1).position(|other| other.sequence > sequence);
                    lane.insert(place.map_or(lane.len(), |place| place + 1), item);
                }
            }
        }
    }

    /// How many deliveries are to be read from the first on, where so many wait in all and not all of them are known. Until
    /// they are, no more events are read, which might be behind them.
    pub(super) fn lacks(&mut self, waiting: u64) -> Option<u64> {
        const MOST: u64 = 2 * KEPT as u64;
        let is_lacking = waiting > self.kept.len() as u64;
        let are_read = is_lacking && self.kept.len() < KEPT;
        self.is_whole = !is_lacking || (are_read && waiting <= MOST);
        are_read.then_some(MOST)
    }

    /// How many more events may be taken in. A window that is nearly full is left alone until it is worth while.
    pub(super) fn room(&self) -> usize {
        let is_full = !self.is_whole || self.kept.len() >= KEPT || self.bytes >= BYTES || self.open.len() > WINDOW / 2;
        if is_full { 0 } else { (WINDOW - self.open.len()).min(AT_ONCE) }
    }

    /// Where to read on.
    pub(super) fn read_up_to(&self) -> i64 {
        self.read_up_to
    }

    /// Takes in what was read, or as much of it as may be in memory; whether that was all.
    pub(super) fn take_in(&mut self, read: Stretch, now: DateTime<Utc>) -> bool {
        for event in read.events {
            if self.bytes >= BYTES {
                return false;
            }
            let sequence = event.sequence;
            self.read_up_to = sequence;
            if self.dead.remove(&sequence) {
                continue;
            }
            let thing = (event.kind.clone(), event.key.clone());
            let lane = self.lanes.entry(thing.clone()).or_default();
            // It is read again after a crash: it is in the lane, or was done before what is there was tried.
            if lane.back().is_some_and(|last| last.sequence >= sequence) {
                continue;
            }
            let is_kept = lane.front().is_some_and(|first| self.kept.contains(&first.sequence));
            if lane.is_empty() {
                self.ready.push_back(thing);
            }
            if is_kept {
                lane.push_back(Item { sequence, since: now, what: What::Kept { attempts: 0, due: now } });
                self.changes.insert(sequence, Some(behind_another(sequence, now)));
                self.kept.insert(sequence);
            } else {
                let size = event.size();
                lane.push_back(Item { sequence, since: now, what: What::Fresh(Box::new(event)) });
                self.open.insert(sequence, size);
                self.bytes += size;
            }
        }
        self.read_up_to = read.read_up_to;
        true
    }

    /// What can be tried now, until there is nothing.
    pub(super) fn next(&mut self, now: DateTime<Utc>) -> Option<Attempt> {
        while self.next_due().is_some_and(|due| due <= now) {
            self.ready.extend(self.later.pop_first().map(|(_, thing)| thing));
        }
        let thing = self.ready.pop_front()?;
        let item = self.lanes.get_mut(&thing)?.front_mut()?;
        let sequence = item.sequence;
        item.since = now;
        let (event, number) = match std::mem::replace(&mut item.what, What::InHand) {
            What::Fresh(event) => (Some(event), 1),
            What::InHand => (None, 1),
            What::Kept { attempts, due } => {
                item.what = What::Kept { attempts, due };
                (None, attempts + 1)
            }
        };
        Some(Attempt { thing, sequence, event, number })
    }

    /// When there may be something to try again.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.later.first().map(|(due, _)| *due)
    }

    /// An attempt has ended.
    pub(super) fn ended(&mut self, thing: Thing, number: u32, how: Ended, now: DateTime<Utc>) {
        let Some(lane) = self.lanes.get_mut(&thing) else { return };
        let Some(first) = lane.front_mut() else { return };
        let sequence = first.sequence;
        let was_open = close(&mut self.open, &mut self.bytes, sequence);
        let note = |state, due, error| Some(Delivery { sequence, state, attempts: number, due, error });
        if let Ended::Again(due, error) = how {
            first.what = What::Kept { attempts: number, due };
            self.kept.insert(sequence);
            self.changes.insert(sequence, note(DeliveryState::Waiting, due, error));
            self.keep(&thing, now);
            self.later.insert((due, thing));
            return;
        }
        match how {
            Ended::Dead(error) => drop(self.changes.insert(sequence, note(DeliveryState::Dead, now, error))),
            _ if !was_open => drop(self.changes.insert(sequence, None)),
            _ => {}
        }
        self.kept.remove(&sequence);
        lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&thing);
        } else {
            self.ready.push_back(thing);
        }
    }

    /// Keeps the lanes that are slow: their first event is in hand, and it or the next one has been for too long.
    pub(super) fn keep_slow(&mut self, now: DateTime<Utc>) {
        let is_late = |item: &Item| item.since + LATE <= now && self.open.contains_key(&item.sequence);
        let is_slow = |lane: &VecDeque<Item>| {
            matches!(lane.front(), Some(Item { what: What::InHand, .. })) && lane.iter().take(2).any(is_late)
        };
        let slow = self.lanes.iter().filter(|(_, lane)| is_slow(lane)).map(|(thing, _)| thing.clone());
        for thing in slow.collect::<Vec<_>>() {
            self.keep(&thing, now);
        }
    }

    /// Writes down all of a lane, and leaves nothing of it in memory but what is in somebody's hand.
    fn keep(&mut self, thing: &Thing, now: DateTime<Utc>) {
        for item in self.lanes.get_mut(thing).into_iter().flatten() {
            if matches!(item.what, What::Kept { .. }) || !self.kept.insert(item.sequence) {
                continue;
            }
            if let What::Fresh(_) = item.what {
                item.what = What::Kept { attempts: 0, due: now };
            }
            close(&mut self.open, &mut self.bytes, item.sequence);
            self.changes.insert(item.sequence, Some(behind_another(item.sequence, now)));
        }
    }

    /// Every event up to here is done with, or kept.
    pub(super) fn position(&self) -> i64 {
        self.open.first_key_value().map_or(self.read_up_to, |(first, _)| first - 1)
    }

    /// Keeps whatever is in memory, so that somebody else can go on from [`Lanes::read_up_to`] without doing again what is done
    /// behind it.
    pub(super) fn keep_all(&mut self, now: DateTime<Utc>) {
        for sequence in std::mem::take(&mut self.open).into_keys() {
            let error = "it was to be handled when the subscription changed hands".to_owned();
            let kept = Delivery { sequence, state: DeliveryState::Waiting, attempts: 0, due: now, error };
            self.changes.insert(sequence, Some(kept));
        }
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What became of deliveries since this was asked last.
    pub(super) fn take_changes(&mut self) -> BTreeMap<i64, Option<Delivery>> {
        std::mem::take(&mut self.changes)
    }

    /// What was taken could not be written down.
    pub(super) fn put_back(&mut self, changes: BTreeMap<i64, Option<Delivery>>) {
        for (sequence, change) in changes {
            self.changes.entry(sequence).or_insert(change);
        }
    }
}

/// An event is not in memory any more; whether it was.
fn close(open: &mut BTreeMap<i64, usize>, bytes: &mut usize, sequence: i64) -> bool {
    let size = open.remove(&sequence);
    *bytes -= size.unwrap_or_default();
    size.is_some()
}

fn behind_another(sequence: i64, now: DateTime<Utc>) -> Delivery {
    let error = "an earlier event of the same thing waits".to_owned();
    Delivery { sequence, state: DeliveryState::Waiting, attempts: 0, due: now, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn thing() -> Thing {
        ("nodes".to_owned(), "1".to_owned())
    }

    /// What the log says after a position, of one node.
    fn log(after: i64, to: i64) -> Stretch {
        let event = |sequence| Event {
            sequence,
            time: NOW,
            kind: thing().0,
            action: "update".to_owned(),
            key: thing().1,
            principal: "anonymous".to_owned(),
            object: serde_json::value::RawValue::NULL.to_owned(),
            original: None,
        };
        Stretch { events: (after + 1..=to).map(event).collect(), read_up_to: to, is_end: true }
    }

    /// What is written down, by sequence.
    type Table = BTreeMap<i64, Delivery>;

    fn save(lanes: &mut Lanes, table: &mut Table) -> i64 {
        for (sequence, change) in lanes.take_changes() {
            match change {
                Some(kept) => drop(table.insert(sequence, kept)),
                None => drop(table.remove(&sequence)),
            }
        }
        lanes.position()
    }

    fn rows(table: &Table) -> Vec<(Delivery, Thing)> {
        table.values().map(|kept| (kept.clone(), thing())).collect()
    }

    #[test]
    fn of_many_that_wait_some_are_known_at_a_time_and_nothing_is_read_before_all_are() {
        let mut lanes = Lanes::new(100_000);
        let waiting = |range: std::ops::Range<i64>| -> Vec<(Delivery, Thing)> {
            range.map(|number| (behind_another(number, NOW), ("nodes".to_owned(), number.to_string()))).collect()
        };
        assert_eq!((lanes.lacks(0), lanes.room()), (None, AT_ONCE));
        assert_eq!(lanes.lacks(25_000), Some(20_000));
        lanes.take_back(waiting(0..20_000), NOW);
        assert_eq!((lanes.lacks(25_000), lanes.kept.len(), lanes.room()), (None, 20_000, 0));
        for _ in 0..15_000 {
            let thing = lanes.next(NOW).expect("it is due").thing;
            lanes.ended(thing, 1, Ended::Done, NOW);
        }
        assert_eq!(lanes.room(), 0, "5,000 are not known");
        assert_eq!(lanes.lacks(10_000), Some(20_000));
        lanes.take_back(waiting(15_000..25_000), NOW);
        assert_eq!((lanes.kept.len(), lanes.room()), (10_000, 0));
        let thing = lanes.next(NOW).expect("it is due").thing;
        lanes.ended(thing, 1, Ended::Done, NOW);
        assert_eq!(lanes.room(), AT_ONCE);
    }

    #[test]
    fn a_lane_that_is_slow_is_kept_and_holds_up_neither_the_position_nor_others() {
        let (mut lanes, mut table) = (Lanes::new(0), Table::new());
        lanes.take_in(log(0, 200), NOW);
        assert_eq!((lanes.next(NOW).map(|attempt| attempt.sequence), lanes.room()), (Some(1), 0));
        lanes.keep_slow(NOW + LATE - TimeDelta::milliseconds(1));
        assert_eq!((save(&mut lanes, &mut table), table.len()), (0, 0), "it is not slow yet");
        lanes.keep_slow(NOW + LATE);
        assert_eq!((lanes.room(), save(&mut lanes, &mut table), table.len()), (AT_ONCE, 200, 200));
        // What comes later waits behind it; and what is done is forgotten.
        lanes.take_in(log(200, 201), NOW);
        lanes.ended(thing(), 1, Ended::Done, NOW);
        assert_eq!((save(&mut lanes, &mut table), table.keys().next(), table.len()), (201, Some(&2), 200));

        let mut lanes = Lanes::new(201);
        lanes.take_back(rows(&table), NOW);
        assert_eq!(lanes.next(NOW + LATE).map(|attempt| attempt.sequence), Some(2));
    }

    #[test]
    fn what_is_read_again_after_a_crash_is_not_lost_behind_a_dead_letter_that_is_replayed() {
        let (mut lanes, mut table) = (Lanes::new(4), Table::new());
        lanes.take_in(log(4, 6), NOW);
        assert_eq!(lanes.next(NOW).map(|attempt| attempt.sequence), Some(5));
        table.insert(3, behind_another(3, NOW));
        lanes.take_back(rows(&table), NOW);
        lanes.ended(thing(), 1, Ended::Done, NOW);
        lanes.take_in(log(6, 8), NOW);
        let position = save(&mut lanes, &mut table);

        let mut lanes = Lanes::new(position);
        lanes.take_back(rows(&table), NOW);
        lanes.take_in(log(position, 8), NOW);
        let mut tried = Vec::new();
        while let Some(Attempt { thing, sequence, number, .. }) = lanes.next(NOW) {
            tried.push(sequence);
            lanes.ended(thing, number, Ended::Done, NOW);
        }
        assert_eq!(tried, [3, 6, 7, 8]);
        save(&mut lanes, &mut table);
        assert_eq!((lanes.position(), table.len()), (8, 0));
    }
}
