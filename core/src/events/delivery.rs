//! Delivers the events of one subscription, as long as it is in the hand of this server.

use super::{
    LEASE, TICK,
    lanes::{Attempt, Ended, Lanes, Thing},
};
use crate::{
    contain::{self, Fault, OwnThread, panic_text},
    extension::{EventContext, Leash},
    model::{Filter, Topic},
    registry::Loaded,
    server::Server,
    store::{self, Claim, DeliveryState, Kept, NewNotification, SubscriptionId},
};
use sea_orm::DbErr;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// How long what was done with may go unwritten: so much is delivered again after a crash.
const SAVE_AFTER: Duration = Duration::from_millis(200);

/// How long what is in hand may take to end when the server stops. What does not is delivered again.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How often an event may block the thread of its handler: each time costs a thread, for as long as it is blocked.
const BLOCKING: u32 = 3;

/// How often an event is tried that ends like this.
fn most_attempts(fault: &Fault, attempts: u32) -> u32 {
    match fault {
        Fault::Refused(_) => 1,
        Fault::Blocked(_) => Ord::min(attempts, BLOCKING),
        _ => attempts,
    }
}

/// The delivery of one subscription.
pub(super) struct Run {
    server: Arc<Server>,
    loaded: Arc<Loaded>,
    /// Where the extension is called: what blocks it holds up this subscription alone.
    thread: Arc<OwnThread>,
    leash: Arc<Leash>,
    filter: Filter,
    claim: Claim,
    lanes: Lanes,
    calls: JoinSet<Called>,
    /// The position that is written down, and when it was.
    saved: i64,
    saved_at: Instant,
    save_again_at: Instant,
    /// There may be more in the log.
    may_be_more: bool,
    bell: watch::Receiver<u64>,
}

/// How a call ended: of what, of which event, the how-manieth.
type Called = (Thing, i64, u32, Result<(), Fault>);

/// Why a run ends that was not told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("another server has it in hand")]
    Taken,
    #[error("for too long it could not be said who has it in hand")]
    Late,
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl Run {
    /// A run of what was claimed at this moment.
    pub(super) fn new(
        server: Arc<Server>,
        loaded: Arc<Loaded>,
        filter: Filter,
        claim: Claim,
        claimed_at: Instant,
    ) -> Self {
        let bell = server.store.bell.any();
        let thread = OwnThread::new(format!("{} {}", claim.id.extension, claim.id.name).trim_end().to_owned());
        Self {
            thread: thread.into(),
            leash: server.leash(),
            lanes: Lanes::new(claim.position),
            calls: JoinSet::new(),
            saved: claim.position,
            saved_at: claimed_at,
            save_again_at: Instant::now(),
            may_be_more: true,
            bell,
            server,
            loaded,
            filter,
            claim,
        }
    }

    /// Delivers until it is told to stop, or the subscription is lost. What was in hand then is delivered again by whoever
    /// takes it next.
    pub(super) async fn deliver(mut self, stop: CancellationToken) -> Result<(), Lost> {
        let dead = Kept::DeadAfter(self.claim.position);
        let dead = store::subscriptions::deliveries(self.server.store.reader(), &self.claim.id, dead).await?;
        self.lanes.take_back(dead, self.server.clock.now());
        self.take_back().await?;
        self.tell_of_what_is_forgotten().await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let read = self.read().await;
            self.bear(read)?;
            self.call();
            let now = self.server.clock.now();
            let due = self.lanes.next_due().map(|due| (due - now).to_std().unwrap_or_default());
            let unsaved = self.lanes.position() != self.saved || self.lanes.has_changes();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.calls.join_next() => self.note(ended),
                _ = self.bell.changed(), if self.lanes.room() > 0 => self.may_be_more = true,
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() && self.has_hands() => {}
                () = tokio::time::sleep_until(self.save_again_at.into()), if unsaved => self.save().await?,
                _ = tick.tick() => {
                    self.may_be_more = true;
                    self.save().await?;
                    let taken = self.take_back().await;
                    self.bear(taken)?;
                }
            }
        }
        self.finish().await
    }

    /// What cannot be read is read at the next tick, as long as nobody else has the subscription.
    fn bear(&mut self, read: Result<(), DbErr>) -> Result<(), Lost> {
        match read {
            Err(error) if self.saved_at.elapsed() < LEASE => {
                tracing::warn!(%error, extension = self.claim.id.extension, "events could not be read; it is tried again");
                self.may_be_more = false;
                Ok(())
            }
            read => Ok(read?),
        }
    }

    async fn read(&mut self) -> Result<(), DbErr> {
        let room = self.lanes.room();
        if !self.may_be_more || room == 0 {
            return Ok(());
        }
        let (reader, limit) = (self.server.store.reader(), room as u64);
        let from = self.lanes.read_up_to();
        let read = store::events::after(reader, from, &self.filter, limit).await?;
        let is_end = read.is_end;
        let is_all = self.lanes.take_in(read, self.server.clock.now());
        self.may_be_more = !(is_end && is_all);
        Ok(())
    }

    /// Takes back what waits and is not known, such as what people replay; after all that is known was saved.
    async fn take_back(&mut self) -> Result<(), DbErr> {
        let (reader, id) = (self.server.store.reader(), &self.claim.id);
        let waiting = store::subscriptions::count(reader, id, DeliveryState::Waiting).await?;
        if let Some(most) = self.lanes.lacks(waiting) {
            let waiting = store::subscriptions::deliveries(reader, id, Kept::Waiting(most)).await?;
            self.lanes.take_back(waiting, self.server.clock.now());
        }
        Ok(())
    }

    /// Whether more may be called just now. Who has not been able to say for a while that it has the subscription may have
    /// lost it.
    fn has_hands(&self) -> bool {
        self.calls.len() < self.server.settings.events.parallel.get() && self.saved_at.elapsed() < LEASE
    }

    fn call(&mut self) {
        while self.has_hands() {
            let Some(Attempt { thing, sequence, event, number }) = self.lanes.next(self.server.clock.now()) else {
                return;
            };
            let (server, loaded) = (Arc::clone(&self.server), Arc::clone(&self.loaded));
            let (thread, leash) = (Arc::clone(&self.thread), Arc::clone(&self.leash));
            let subscription = self.claim.id.name.clone();
            self.calls.spawn(async move {
                let event = match event {
                    Some(event) => Ok(Some(event)),
                    None => store::events::find(server.store.reader(), sequence).await.map(|event| event.map(Box::new)),
                };
                let outcome = match event {
                    Ok(Some(event)) => {
                        let cx = server.background_context(&loaded, &leash);
                        let cx = EventContext { cx, subscription, attempt: number };
                        let limit = server.settings.events.handler_timeout();
                        contain::deliver(&thread, &loaded, limit, cx, event).await
                    }
                    // Nobody has it any more.
                    Ok(None) => Ok(()),
                    Err(error) => Err(Fault::HeldUp(format!("the event could not be read: {error}"))),
                };
                (thing, sequence, number, outcome)
            });
        }
    }

    fn note(&mut self, ended: Result<Called, tokio::task::JoinError>) {
        let (thing, sequence, number, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // What an extension does is caught further in; without knowing which lane it was the run cannot go on.
                let panic =
                    error.try_into_panic().map_or_else(|_| "it was cancelled".to_owned(), |it| panic_text(&*it));
                panic!("a delivery failed: {panic}");
            }
        };
        let now = self.server.clock.now();
        let settings = &self.server.settings.events;
        let SubscriptionId { extension, name: subscription } = &self.claim.id;
        let (kind, key) = &thing;
        let (number, how) = match outcome {
            Ok(()) => (number, Ended::Done),
            // That is no attempt.
            Err(Fault::HeldUp(reason)) => {
                let wait = settings.wait_after(1, Duration::ZERO);
                tracing::warn!(extension, subscription, sequence, kind, key, reason, "an event waits");
                (number - 1, Ended::Again(now + wait, reason))
            }
            Err(fault) if number >= most_attempts(&fault, settings.attempts.get()) => {
                let what = "an event is a dead letter";
                tracing::error!(extension, subscription, sequence, kind, key, attempt = number, %fault, "{what}");
                (number, Ended::Dead(fault.public("handle_event")))
            }
            Err(fault) => {
                let wait = settings.wait_after(number, fault.wait().unwrap_or_default());
                let (attempt, again_in_ms) = (number, wait.num_milliseconds());
                let what = "an event is delivered again";
                tracing::warn!(extension, subscription, sequence, kind, key, attempt, again_in_ms, %fault, "{what}");
                (number, Ended::Again(now + wait, fault.public("handle_event")))
            }
        };
        self.lanes.ended(thing, number, how, now);
    }

    async fn save(&mut self) -> Result<(), Lost> {
        self.write(Some(LEASE)).await
    }

    /// Writes down how far it is, and holds the subscription for a while more or no longer.
    async fn write(&mut self, lease: Option<Duration>) -> Result<(), Lost> {
        self.lanes.keep_slow(self.server.clock.now());
        let (position, changes) = (self.lanes.position(), self.lanes.take_changes());
        let seconds = lease.map(|lease| i64::try_from(lease.as_secs()).unwrap_or(i64::MAX));
        let begun = Instant::now();
        self.save_again_at = begun + SAVE_AFTER;
        let save = store::subscriptions::save(&self.server.store, &self.claim, position, &changes, seconds);
        // Later than this another server may have it in hand.
        let saved = match tokio::time::timeout_at((self.saved_at + LEASE).into(), save).await {
            Ok(saved) => saved,
            Err(_) => return Err(Lost::Late),
        };
        match saved {
            Ok(true) => {
                (self.saved, self.saved_at) = (position, begun);
                let dead = changes.values().flatten().filter(|kept| kept.state == DeliveryState::Dead).count();
                if dead > 0
                    && let Err(error) = self.tell_of_the_dead(dead).await
                {
                    tracing::warn!(%error, "people could not be told of a dead letter");
                }
                Ok(())
            }
            Ok(false) => Err(Lost::Taken),
            Err(error) if self.saved_at.elapsed() < LEASE => {
                tracing::warn!(%error, extension = self.claim.id.extension, "how far a subscription is could not be saved");
                self.lanes.put_back(changes);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells people of the first dead letters of a subscription; of more only once these are settled.
    async fn tell_of_the_dead(&self, new: usize) -> Result<(), DbErr> {
        let (reader, id) = (self.server.store.reader(), &self.claim.id);
        if store::subscriptions::count(reader, id, DeliveryState::Dead).await? != new as u64 {
            return Ok(());
        }
        let dead = store::subscriptions::deliveries(reader, id, Kept::Dead).await?;
        let Some((first, (kind, key))) = dead.first() else { return Ok(()) };
        // Who reads notifications need not be one who may read the event.
        let event = store::events::find(reader, first.sequence).await?;
        let may_be_told = event.is_some_and(|event| self.server.event_rules.may_be_told(&event));
        let of_what = if may_be_told { format!(" ({kind} {key})") } else { String::new() };
        let reason = format!("event {}{of_what} could not be delivered: it {}", first.sequence, first.error);
        self.notify(format!("{reason}; `rivetgun dead-letters` lists, replays and drops")).await
    }

    /// Tells people where events were forgotten that were not delivered yet: nobody had the subscription in hand for too long.
    async fn tell_of_what_is_forgotten(&self) -> Result<(), DbErr> {
        let forgotten = store::events::forgotten(self.server.store.reader()).await?;
        let position = self.claim.position;
        // One that is new begins with what there is, and misses nothing of what there was.
        if forgotten <= position || self.claim.is_first() {
            return Ok(());
        }
        let extension = &self.claim.id.extension;
        tracing::warn!(extension, position, forgotten, "events were forgotten that were not delivered");
        let reason = "some were forgotten: nobody had heard of the subscription for too long";
        self.notify(format!("of the events {} to {forgotten} {reason}", position + 1)).await
    }

    async fn notify(&self, reason: String) -> Result<(), DbErr> {
        let id = &self.claim.id;
        let now = self.server.clock.now();
        let notification = NewNotification {
            topic: Topic::Warning,
            message: format!("extension `{}`: {reason}", id.extension),
            time: now,
            cluster: None,
            node: None,
            task: None,
            extension: Some(id.extension.clone()),
        };
        let tx = self.server.store.write().await?.at(now);
        store::notifications::insert(&tx, notification).await?;
        tx.commit().await
    }

    /// Lets go of the subscription.
    async fn finish(mut self) -> Result<(), Lost> {
        // Where nobody waits for this, what ends now is not done again.
        let last = tokio::time::sleep(self.server.settings.events.handler_timeout());
        tokio::pin!(last);
        let mut tick = tokio::time::interval(TICK);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                ended = self.calls.join_next() => match ended {
                    Some(ended) => self.note(ended),
                    None => break,
                },
                _ = tick.tick() => self.save().await?,
                () = self.server.stopping.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    last.as_mut().reset(tokio::time::Instant::now() + LAST_WORDS);
                }
                () = &mut last => break,
            }
        }
        self.calls.shutdown().await;
        self.lanes.keep_all(self.server.clock.now());
        self.write(None).await
    }
}
