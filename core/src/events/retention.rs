//! Forgets events that are old, and never those that a subscription still has to read, unless it is dead.

use crate::{
    model::Topic,
    server::Server,
    store::{self, NewNotification, SubscriptionId},
};
use chrono::TimeDelta;
use sea_orm::DbErr;
use std::{sync::Arc, time::Duration};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How many events go in one transaction.
const AT_ONCE: u64 = 1_000;

pub(super) async fn keep_forgetting(server: Arc<Server>) -> Result<(), String> {
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let forgotten = forget(&server).await.map_err(|error| error.to_string())?;
        if forgotten > 0 {
            tracing::info!(forgotten, "old events are forgotten");
        }
    }
}

/// Forgets once; how many events there were.
///
/// What is old is a beginning of the log, which is read without holding up who writes. The first event that is not old ends
/// it: one behind that, whatever time it bears, leaves no gap before what is fresh. An event whose time is still to come, which
/// a clock that was ahead gave it, is as old as what follows it.
pub(super) async fn forget(server: &Server) -> Result<u64, DbErr> {
    let settings = &server.settings.events;
    give_up(server).await?;
    let now = server.clock.now();
    let (older_than, to_come) = (now - settings.retention(), now + TimeDelta::days(1));
    let (mut after, mut forgotten) = (0, 0);
    loop {
        let part = store::events::times(server.store.reader(), after, AT_ONCE).await?;
        let beginning: Vec<_> =
            part.into_iter().take_while(|(_, time)| *time < older_than || *time > to_come).collect();
        let is_all_old = beginning.len() as u64 == AT_ONCE;
        let length = beginning.iter().rposition(|(_, time)| *time < older_than).map_or(0, |last| last + 1);
        let mut old: Vec<i64> = beginning[..length].iter().map(|(sequence, _)| *sequence).collect();
        let Some(first) = old.first().copied() else { return Ok(forgotten) };
        let tx = server.store.write().await?;
        // With each part again: a subscription may have come, and begin with what is still there.
        let slowest = store::subscriptions::slowest(&tx, settings.dead_after_s()).await?.unwrap_or(i64::MAX);
        old.truncate(old.partition_point(|sequence| *sequence <= slowest));
        let Some(last) = old.last().copied() else { return Ok(forgotten) };
        forgotten += store::events::forget(&tx, first..=last).await?;
        tx.commit().await?;
        if !is_all_old {
            return Ok(forgotten);
        }
        after = last;
    }
}

/// Makes dead letters of what waits for subscriptions that are dead, and tells people.
async fn give_up(server: &Server) -> Result<(), DbErr> {
    let settings = &server.settings.events;
    let (now, days) = (server.clock.now(), settings.dead_after_days);
    let tx = server.store.write().await?.at(now);
    let reason = format!("was given up: nobody had the subscription in hand for {days} days");
    let given_up = store::subscriptions::give_up(&tx, settings.dead_after_s(), now, &reason).await?;
    let notifications = given_up.iter().map(|(SubscriptionId { extension, name: subscription }, count)| {
        tracing::warn!(extension, subscription, count, days, "nobody has the subscription: what waited is dead letters");
        NewNotification {
            topic: Topic::Warning,
            message: format!(
                "extension `{extension}`: nobody had a subscription of it in hand for {days} days, and what waited for that is \
                 dead letters now ({count}); `rivetgun dead-letters` lists, replays and drops"
            ),
            time: now,
            cluster: None,
            node: None,
            task: None,
            extension: Some(extension.clone()),
        }
    });
    store::notifications::insert_all(&tx, notifications.collect()).await?;
    tx.commit().await
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::{AT_ONCE, forget};
    use crate::{
        server::Clock,
        settings::Settings,
        store::{self, Delivery, DeliveryState, SubscriptionId},
        testkit::{TestServer, on_both_with},
    };
    use chrono::{DateTime, TimeDelta};
    use sea_orm::ConnectionTrait;
    use serde_json::{Value, json};
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicI64, Ordering},
        },
    };
    use uuid::Uuid;

    /// A test on both databases, with what moves the clock by days.
    fn on_both(test: &impl AsyncFn(&TestServer, &dyn Fn(i64))) {
        let hand = Arc::new(AtomicI64::new(1_750_000_000));
        let shown = Arc::clone(&hand);
        let clock = Clock::of(move || DateTime::from_timestamp(shown.load(Ordering::SeqCst), 0).unwrap_or_default());
        on_both_with("", &clock, async |server| {
            let wait = |days| {
                hand.fetch_add(TimeDelta::days(days).num_seconds(), Ordering::SeqCst);
            };
            test(&server, &wait).await;
            server.stop().await;
        });
    }

    async fn publish(server: &TestServer, key: &str) -> i64 {
        let event = json!({"type": "builds", "action": "end", "key": key, "object": {}});
        server.post("/events", event).await.expect(201)["sequence"].as_i64().expect("a number")
    }

    async fn kept(server: &TestServer) -> Vec<Value> {
        let log = server.get("/events").await.expect(200);
        log.as_array().expect("a list").iter().map(|event| event["sequence"].clone()).collect()
    }

    async fn mark(server: &TestServer) -> i64 {
        store::events::forgotten(server.server.store.reader()).await.expect("the mark")
    }

    /// A subscription for which events wait, and that nobody was heard of in years; in somebody's hand or not.
    async fn waits(server: &TestServer, extension: &str, events: &[i64], in_hand: Option<i64>) {
        let store = &server.server.store;
        let id = SubscriptionId { extension: extension.to_owned(), name: "s".to_owned() };
        let tx = store.write().await.expect("a transaction");
        store::subscriptions::ensure(&tx, [(id.clone(), 0)]).await.expect("it is written down");
        tx.commit().await.expect("it is committed");
        let claim = store::subscriptions::claim(store, &id, Uuid::nil(), 60).await.expect("it answers").expect("free");
        let delivery = |sequence: &i64| {
            let (state, due, error) = (DeliveryState::Waiting, DateTime::UNIX_EPOCH, "failed".to_owned());
            (*sequence, Some(Delivery { sequence: *sequence, state, attempts: 1, due, error }))
        };
        let deliveries: BTreeMap<_, _> = events.iter().map(delivery).collect();
        let position = events.iter().max().copied().unwrap_or_default();
        let saved = store::subscriptions::save(store, &claim, position, &deliveries, in_hand).await;
        assert!(saved.expect("it answers"), "it was in hand");
        store.reader().execute_unprepared("UPDATE event_subscriptions SET seen = 0").await.expect("it is long ago");
    }

    #[test]
    fn a_wrong_time_leaves_no_gap_before_what_is_fresh() {
        on_both(&async |server, wait| {
            let old = publish(server, "old").await;
            wait(5);
            let fresh = publish(server, "fresh").await;
            wait(-10);
            let wrong = publish(server, "of a clock that was wrong").await;
            wait(14);
            assert_eq!(forget(&server.server).await.expect("it forgets"), 1);
            assert_eq!(kept(server).await, [fresh, wrong]);
            assert_eq!(mark(server).await, old);
        });
    }

    #[test]
    fn an_event_of_a_clock_that_was_ahead_keeps_nothing() {
        on_both(&async |server, wait| {
            publish(server, "old").await;
            wait(365);
            publish(server, "of a clock that was ahead").await;
            wait(-365);
            let last = publish(server, "old as well").await;
            wait(8);
            let fresh = publish(server, "fresh").await;
            forget(&server.server).await.expect("it forgets");
            assert_eq!((kept(server).await, mark(server).await), (vec![json!(fresh)], last));
        });
    }

    #[test]
    fn what_is_old_is_forgotten_in_parts_and_what_somebody_has_not_done_with_is_kept() {
        on_both(&async |server, wait| {
            let tx = server.server.store.write().await.expect("a transaction").at(server.server.clock.now());
            let all = 2 * i64::try_from(AT_ONCE).expect("a number") + 500;
            for key in 1..=all {
                tx.journal.tell("builds", "end", key.to_string(), &(), None::<&()>);
            }
            tx.commit().await.expect("it is committed");
            let needed = [1, 1_000, 1_001, all];
            waits(server, "held", &needed, Some(60)).await;
            wait(8);
            assert_eq!(forget(&server.server).await.expect("it forgets"), all.unsigned_abs() - 4);
            assert_eq!(kept(server).await, needed);
            assert_eq!(mark(server).await, all - 1);
        });
    }

    #[test]
    fn what_waits_for_a_subscription_that_nobody_has_is_dead_letters_and_people_are_told() {
        on_both(&async |server, _| {
            let (one, other) = (publish(server, "1").await, publish(server, "2").await);
            waits(server, "gone", &[one, other], None).await;
            waits(server, "held", &[one], Some(60)).await;
            for _ in 0..2 {
                forget(&server.server).await.expect("it forgets");
            }
            let letters = server.get("/extensions/gone/dead_letters").await.expect(200);
            let letters = letters.as_array().expect("a list");
            assert_eq!(letters.iter().map(|letter| &letter["event"]["key"]).collect::<Vec<_>>(), ["1", "2"]);
            assert_eq!(letters[0]["error"], "was given up: nobody had the subscription in hand for 7 days");
            let told = server.get("/notifications").await.expect(200);
            let told = told.as_array().expect("a list");
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0]["message"].as_str().is_some_and(|text| text.contains("`gone`") && text.contains("(2)")));
            assert_eq!((&told[0]["topic"], &told[0]["extension"]), (&json!("warning"), &json!("gone")));
            let standings = store::subscriptions::standings(server.server.store.reader()).await.expect("standings");
            let counts: Vec<_> = standings.iter().map(|it| (it.id.extension.as_str(), it.waiting, it.dead)).collect();
            assert_eq!(counts, [("gone", 0, 2), ("held", 1, 0)]);
        });
    }

    #[test]
    fn subscriptions_cannot_be_dead_at_once() {
        let error = Settings::from_toml("[events]\ndead_after_days = 0").expect_err("it is none").to_string();
        assert!(error.contains("dead_after_days = 0") && error.contains("nonzero"), "{error}");
        Settings::from_toml("[events]\nretention_days = 0").expect("events may be forgotten at once");
    }
}
