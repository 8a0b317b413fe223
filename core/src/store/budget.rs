//! How much of the event log is read at once. An event may be some bytes or some megabytes, so that their number says nothing:
//! sizes are read first, which the database knows without reading what they are of, and then what there is room for.

use super::entity::event::{Column, Entity};
use sea_orm::{
    ConnectionTrait, DbErr, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func},
};

/// About how many bytes of events one query takes into memory.
pub(super) const BYTES: i64 = 1 << 20;

/// The sequence number of each of these events, and about how many bytes it takes.
pub(super) async fn sizes(connection: &impl ConnectionTrait, events: Select<Entity>) -> Result<Vec<(i64, i64)>, DbErr> {
    let length = |column| Func::cust("octet_length").arg(Expr::col(column));
    let original = Func::coalesce([length(Column::Original).into(), Expr::value(0)]);
    let bytes = Expr::expr(length(Column::Object)).cast_as("BIGINT").add(original);
    events.select_only().column(Column::Sequence).expr_as(bytes, "bytes").into_tuple().all(connection).await
}

/// How many of these there is room for, from the first on. For one there always is.
pub(super) fn room_for(sizes: impl IntoIterator<Item = i64>) -> usize {
    let used = sizes.into_iter().scan(0, |used: &mut i64, size| {
        *used = used.saturating_add(size);
        Some(*used)
    });
    used.take_while(|used| *used <= BYTES).count().max(1)
}

#[cfg(all(test, feature = "testkit"))]
mod tests {
    use super::{BYTES, room_for};
    use crate::{
        model::{Event, Filter},
        store::{self, Delivery, DeliveryState, SubscriptionId},
        testkit::{TestServer, on_both_databases},
    };
    use chrono::DateTime;
    use std::collections::BTreeMap;
    use uuid::Uuid;

    #[test]
    fn there_is_room_for_one_however_large_and_for_more_while_they_are_small() {
        for (sizes, expected) in [
            (vec![1, 2, 3], 3),
            (vec![BYTES], 1),
            (vec![BYTES + 1, 1], 1),
            (vec![BYTES - 1, 1, 1], 2),
            (vec![1, BYTES, 1], 1),
            (vec![i64::MAX, i64::MAX], 1),
        ] {
            assert_eq!(room_for(sizes.clone()), expected, "{sizes:?}");
        }
    }

    /// Events of so many sixths of what there is room for.
    async fn publish(server: &TestServer, sizes: &[usize]) {
        let tx = server.server.store.write().await.expect("a transaction");
        for (key, sixths) in sizes.iter().enumerate() {
            let text = "x".repeat(sixths * usize::try_from(BYTES).expect("a number") / 6);
            tx.journal.tell("builds", "end", key.to_string(), &text, (sixths % 2 == 0).then_some(&text));
            tx.journal.tell("others", "end", key.to_string(), &(), None::<&()>);
        }
        tx.commit().await.expect("it is committed");
    }

    #[test]
    fn the_log_is_read_in_stretches_that_are_not_too_large_and_nothing_is_left_out() {
        on_both_databases("", async |server| {
            // Those with an original count twice.
            publish(&server, &[1, 1, 3, 2, 1, 13, 1, 4]).await;
            let filter: Filter = "builds.*.*".parse().expect("a filter");
            let end = store::events::end(server.server.store.reader()).await.expect("the end");
            let (mut read, mut after) = (Vec::new(), 0);
            loop {
                let reader = server.server.store.reader();
                let stretch = store::events::after(reader, after, &filter, 100).await.expect("a stretch");
                after = stretch.read_up_to;
                read.push(stretch.events.iter().map(Event::size).map(|size| (size * 6) >> 20).collect::<Vec<_>>());
                if stretch.is_end {
                    break;
                }
                assert_eq!(stretch.events.last().map(|event| event.sequence), Some(after));
            }
            assert_eq!(read, [vec![1, 1, 3], vec![4, 1], vec![13], vec![1], vec![8]]);
            assert_eq!(after, end);
        });
    }

    #[test]
    fn a_page_of_dead_letters_is_as_long_as_there_is_room_for_their_events() {
        on_both_databases("", async |server| {
            publish(&server, &[3, 1, 3, 13]).await;
            let store = &server.server.store;
            let tx = store.write().await.expect("a transaction");
            let id = SubscriptionId { extension: "gone".to_owned(), name: String::new() };
            store::subscriptions::ensure(&tx, [(id.clone(), 0)]).await.expect("it is written down");
            tx.commit().await.expect("it is committed");
            let claim =
                store::subscriptions::claim(store, &id, Uuid::nil(), 60).await.expect("it answers").expect("free");
            let log = server.get("/events?filter=builds.*.*").await.expect(200);
            let sequences = log.as_array().expect("a list").iter().filter_map(|event| event["sequence"].as_i64());
            let dead = sequences.map(|sequence| {
                let (state, due, error) = (DeliveryState::Dead, DateTime::UNIX_EPOCH, "failed".to_owned());
                (sequence, Some(Delivery { sequence, state, attempts: 1, due, error }))
            });
            let dead: BTreeMap<_, _> = dead.collect();
            assert!(store::subscriptions::save(store, &claim, 9, &dead, None).await.expect("it answers"));
            for (query, range, keys) in [
                ("", "objects 0-1/4", &["0", "1"][..]),
                ("?offset=2", "objects 2-2/4", &["2"]),
                ("?offset=3", "objects 3-3/4", &["3"]),
                ("?offset=4", "objects */4", &[]),
                ("?limit=1&order_by=-sequence", "objects 0-0/4", &["3"]),
            ] {
                let page = server.get(&format!("/extensions/gone/dead_letters{query}")).await;
                assert_eq!(page.header("content-range"), Some(range));
                let page = page.expect(200);
                let shown: Vec<_> =
                    page.as_array().expect("a list").iter().map(|letter| letter["event"]["key"].clone()).collect();
                assert_eq!(shown, keys, "{query}");
            }
        });
    }
}
