//! Queries of subscriptions: how far each has read, who has it in hand, and what could not be delivered yet.
//!
//! Who has a subscription in hand is written down with a time until which it holds, by the clock of the database, and is
//! counted (`epoch`). Whoever writes for a subscription names both, so that one who lost it in between writes nothing.

use super::{
    ROWS_A_STATEMENT, Store, WriteTx,
    entity::{event, event_delivery, event_subscription, replica},
};
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict, SimpleExpr},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which subscription: its extension, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SubscriptionId {
    pub(crate) extension: String,
    pub(crate) name: String,
}

/// A subscription in somebody's hand.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) id: SubscriptionId,
    owner: Uuid,
    epoch: i64,
    /// Every event up to here is done with, or kept as a delivery.
    pub(crate) position: i64,
}

impl Claim {
    /// Whether nobody had the subscription in hand before.
    pub(crate) fn is_first(&self) -> bool {
        self.epoch == 1
    }
}

crate::model::words! {
    /// What becomes of an event that could not be delivered.
    pub(crate) enum DeliveryState {
        /// It is tried again, or waits for an earlier event of the same thing.
        Waiting = "waiting",
        /// It was tried often enough, or refused: a person decides.
        Dead = "dead",
    }
}

/// An event that could not be delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) sequence: i64,
    pub(crate) state: DeliveryState,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it is tried again.
    pub(crate) due: DateTime<Utc>,
    /// What went wrong the last time.
    pub(crate) error: String,
}

/// How a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: SubscriptionId,
    pub(crate) position: i64,
    pub(crate) waiting: u64,
    pub(crate) dead: u64,
}

/// Writes down subscriptions that are new, each with the position that it begins at, and of all that they are alive.
pub(crate) async fn ensure(tx: &WriteTx, new: impl IntoIterator<Item = (SubscriptionId, i64)>) -> Result<(), DbErr> {
    let now = || unix_now(tx.get_database_backend());
    for (id, position) in new {
        let alive = event_subscription::Entity::update_many().col_expr(event_subscription::Column::Seen, now());
        if alive.filter(is(&id)).exec(tx).await?.rows_affected > 0 {
            continue;
        }
        let SubscriptionId { extension, name } = id;
        let row = event_subscription::ActiveModel {
            extension: Set(extension),
            name: Set(name),
            position: Set(position),
            owner: Set(None),
            owned_until: Set(0),
            epoch: Set(0),
            seen: Set(Utc::now().timestamp()),
        };
        let known = OnConflict::columns([event_subscription::Column::Extension, event_subscription::Column::Name]);
        event_subscription::Entity::insert(row)
            .on_conflict(known.clone().do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Takes a subscription into the hand of a server for so many seconds, unless another has it.
pub(crate) async fn claim(
    store: &Store,
    id: &SubscriptionId,
    owner: Uuid,
    seconds: i64,
) -> Result<Option<Claim>, DbErr> {
    let tx = store.write().await?;
    let now = || unix_now(tx.get_database_backend());
    let is_free = Condition::any()
        .add(event_subscription::Column::Owner.is_null())
        .add(event_subscription::Column::Owner.eq(owner))
        .add(Expr::col(event_subscription::Column::OwnedUntil).lt(now()));
    let taken = event_subscription::Entity::update_many()
        .col_expr(event_subscription::Column::Owner, Expr::value(owner))
        .col_expr(event_subscription::Column::OwnedUntil, now().add(seconds))
        .col_expr(event_subscription::Column::Epoch, Expr::col(event_subscription::Column::Epoch).add(1))
        .col_expr(event_subscription::Column::Seen, now())
        .filter(is(id))
        .filter(is_free)
        .exec(&tx)
        .await?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    let row = event_subscription::Entity::find().filter(is(id)).one(&tx).await?;
    tx.commit().await?;
    Ok(row.map(|row| Claim { id: id.clone(), owner, epoch: row.epoch, position: row.position }))
}

/// Writes down how far a subscription is and what became of deliveries (`None`: they are done), and holds it for so many
/// seconds more, or (`None`) no longer. Whether it still was in this hand; if not, nothing was written.
pub(crate) async fn save(
    store: &Store,
    claim: &Claim,
    position: i64,
    deliveries: &BTreeMap<i64, Option<Delivery>>,
    seconds: Option<i64>,
) -> Result<bool, DbErr> {
    let tx = store.write().await?;
    let now = || unix_now(tx.get_database_backend());
    let mut update = event_subscription::Entity::update_many()
        .col_expr(event_subscription::Column::Position, Expr::value(position))
        .col_expr(event_subscription::Column::Seen, now());
    update = match seconds {
        Some(seconds) => update.col_expr(event_subscription::Column::OwnedUntil, now().add(seconds)),
        None => update.col_expr(event_subscription::Column::Owner, Expr::value(None::<Uuid>)),
    };
    let held = update
        .filter(is(&claim.id))
        .filter(event_subscription::Column::Owner.eq(claim.owner))
        .filter(event_subscription::Column::Epoch.eq(claim.epoch))
        .exec(&tx)
        .await?;
    if held.rows_affected == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let done: Vec<i64> = deliveries.iter().filter(|(_, kept)| kept.is_none()).map(|(sequence, _)| *sequence).collect();
    for done in done.chunks(ROWS_A_STATEMENT) {
        event_delivery::Entity::delete_many()
            .filter(delivery_of(&claim.id))
            .filter(event_delivery::Column::Sequence.is_in(done.iter().copied()))
            .exec(&tx)
            .await?;
    }
    let kept: Vec<&Delivery> = deliveries.values().flatten().collect();
    for kept in kept.chunks(ROWS_A_STATEMENT) {
        use event_delivery::Column;
        let again = OnConflict::columns([Column::Extension, Column::Name, Column::Sequence])
            .update_columns([Column::State, Column::Attempts, Column::Due, Column::Error])
            .to_owned();
        let rows = kept.iter().map(|kept| to_row(&claim.id, kept));
        event_delivery::Entity::insert_many(rows).on_conflict(again).exec_without_returning(&tx).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Which of what is kept for a subscription.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept {
    /// So much of what waits, at most.
    Waiting(u64),
    /// The dead letters after a position, which may be read again.
    DeadAfter(i64),
    /// The first of the dead letters.
    Dead,
}

/// What is kept for a subscription, in the order of the log, each with the type and the key of its event.
pub(crate) async fn deliveries(
    connection: &impl ConnectionTrait,
    id: &SubscriptionId,
    which: Kept,
) -> Result<Vec<(Delivery, (String, String))>, DbErr> {
    use event_delivery::Column;
    let select = event_delivery::Entity::find().filter(delivery_of(id));
    let is = |state: DeliveryState| Column::State.eq(state.as_str());
    let select = match which {
        Kept::Waiting(most) => select.filter(is(DeliveryState::Waiting)).limit(most),
        Kept::DeadAfter(position) => select.filter(is(DeliveryState::Dead)).filter(Column::Sequence.gt(position)),
        Kept::Dead => select.filter(is(DeliveryState::Dead)).limit(1),
    };
    let rows = select.order_by_asc(Column::Sequence).all(connection).await?;
    let mut things = BTreeMap::new();
    for rows in rows.chunks(ROWS_A_STATEMENT) {
        let found: Vec<(i64, String, String)> = event::Entity::find()
            .select_only()
            .columns([event::Column::Sequence, event::Column::Type, event::Column::Key])
            .filter(event::Column::Sequence.is_in(rows.iter().map(|row| row.sequence)))
            .into_tuple()
            .all(connection)
            .await?;
        things.extend(found.into_iter().map(|(sequence, kind, key)| (sequence, (kind, key))));
    }
    rows.into_iter()
        .map(|row| {
            let thing = things.remove(&row.sequence).unwrap_or_default();
            Ok((from_row(row)?, thing))
        })
        .collect()
}

/// How many events are kept for a subscription in this state.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    id: &SubscriptionId,
    state: DeliveryState,
) -> Result<u64, DbErr> {
    let kept = event_delivery::Entity::find().filter(delivery_of(id));
    kept.filter(event_delivery::Column::State.eq(state.as_str())).count(connection).await
}

/// How all subscriptions stand, those of extensions that are not in this build included.
pub(crate) async fn standings(connection: &impl ConnectionTrait) -> Result<Vec<Standing>, DbErr> {
    use event_delivery::Column;
    let rows = event_subscription::Entity::find()
        .order_by_asc(event_subscription::Column::Extension)
        .order_by_asc(event_subscription::Column::Name)
        .all(connection)
        .await?;
    let counts: Vec<(String, String, String, i64)> = event_delivery::Entity::find()
        .select_only()
        .columns([Column::Extension, Column::Name, Column::State])
        .column_as(Column::Sequence.count(), "count")
        .group_by(Column::Extension)
        .group_by(Column::Name)
        .group_by(Column::State)
        .into_tuple()
        .all(connection)
        .await?;
    let count = |row: &event_subscription::Model, state: DeliveryState| {
        let is_it = |(extension, name, of, _): &&(String, String, String, i64)| {
            *extension == row.extension && *name == row.name && of == state.as_str()
        };
        counts.iter().find(is_it).map_or(0, |(.., count)| count.unsigned_abs())
    };
    let standing = |row: event_subscription::Model| Standing {
        position: row.position,
        waiting: count(&row, DeliveryState::Waiting),
        dead: count(&row, DeliveryState::Dead),
        id: SubscriptionId { extension: row.extension, name: row.name },
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// Forgets the subscriptions of an extension, with what could not be delivered to them; how many there were.
pub(super) async fn forget(tx: &WriteTx, extension: &str) -> Result<u64, DbErr> {
    let its = event_delivery::Column::Extension.eq(extension);
    event_delivery::Entity::delete_many().filter(its).exec(tx).await?;
    let its = event_subscription::Column::Extension.eq(extension);
    Ok(event_subscription::Entity::delete_many().filter(its).exec(tx).await?.rows_affected)
}

/// The lowest position of the subscriptions that somebody had in hand in the last so many seconds; `None` without any.
pub(crate) async fn slowest(connection: &impl ConnectionTrait, seconds: i64) -> Result<Option<i64>, DbErr> {
    let since = unix_now(connection.get_database_backend()).sub(seconds);
    let slowest: Option<Option<i64>> = event_subscription::Entity::find()
        .select_only()
        .column_as(event_subscription::Column::Position.min(), "slowest")
        .filter(Expr::col(event_subscription::Column::Seen).gte(since))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(slowest.flatten())
}

/// Makes dead letters, for this reason, of what waits for subscriptions that nobody had in hand in the last so many seconds:
/// what is behind it in the log need not be kept for them. How many there are of each subscription.
pub(crate) async fn give_up(
    tx: &WriteTx,
    seconds: i64,
    now: DateTime<Utc>,
    reason: &str,
) -> Result<Vec<(SubscriptionId, u64)>, DbErr> {
    use event_delivery::Column;
    let unix_now = || unix_now(tx.get_database_backend());
    let is_free = Condition::any()
        .add(event_subscription::Column::Owner.is_null())
        .add(Expr::col(event_subscription::Column::OwnedUntil).lt(unix_now()));
    // Whoever takes one into its hand at the same moment does so before this, or after.
    let dead: Vec<(String, String)> = event_subscription::Entity::find()
        .select_only()
        .columns([event_subscription::Column::Extension, event_subscription::Column::Name])
        .filter(Expr::col(event_subscription::Column::Seen).lt(unix_now().sub(seconds)))
        .filter(is_free)
        .lock_exclusive()
        .into_tuple()
        .all(tx)
        .await?;
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let ids = dead.into_iter().map(|(extension, name)| SubscriptionId { extension, name });
    let of_dead = ids.fold(Condition::any(), |any, id| any.add(delivery_of(&id)));
    let waiting = Condition::all().add(Column::State.eq(DeliveryState::Waiting.as_str())).add(of_dead);
    let counts: Vec<(String, String, i64)> = event_delivery::Entity::find()
        .select_only()
        .columns([Column::Extension, Column::Name])
        .column_as(Column::Sequence.count(), "count")
        .filter(waiting.clone())
        .group_by(Column::Extension)
        .group_by(Column::Name)
        .order_by_asc(Column::Extension)
        .order_by_asc(Column::Name)
        .into_tuple()
        .all(tx)
        .await?;
    event_delivery::Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Dead.as_str()))
        .col_expr(Column::Due, Expr::value(now))
        .col_expr(Column::Error, Expr::value(reason))
        .filter(waiting)
        .exec(tx)
        .await?;
    let counted =
        |(extension, name, count): (String, String, i64)| (SubscriptionId { extension, name }, count.unsigned_abs());
    Ok(counts.into_iter().map(counted).collect())
}

/// A server, and the subscriptions that it can deliver.
pub(crate) type Replica = (Uuid, BTreeSet<SubscriptionId>);

/// Notes that a server is there, and what it can deliver; gives back all that there were in the last so many seconds.
pub(crate) async fn beat(
    store: &Store,
    server: Uuid,
    delivers: &BTreeSet<SubscriptionId>,
    seconds: i64,
) -> Result<Vec<Replica>, DbErr> {
    let tx = store.write().await?;
    let now = || unix_now(tx.get_database_backend());
    let delivers: Vec<[&str; 2]> = delivers.iter().map(|id| [id.extension.as_str(), id.name.as_str()]).collect();
    let delivers = serde_json::json!(delivers).to_string();
    let this = replica::Entity::update_many()
        .col_expr(replica::Column::Seen, now())
        .col_expr(replica::Column::Delivers, Expr::value(delivers.as_str()));
    if this.filter(replica::Column::ServerId.eq(server)).exec(&tx).await?.rows_affected == 0 {
        let row =
            replica::ActiveModel { server_id: Set(server), seen: Set(Utc::now().timestamp()), delivers: Set(delivers) };
        let known = OnConflict::column(replica::Column::ServerId).do_nothing().to_owned();
        replica::Entity::insert(row).on_conflict(known).exec_without_returning(&tx).await?;
    }
    let gone = Expr::col(replica::Column::Seen).lt(now().sub(seconds));
    replica::Entity::delete_many().filter(gone).exec(&tx).await?;
    let alive = replica::Entity::find().order_by_asc(replica::Column::ServerId).all(&tx).await?;
    tx.commit().await?;
    let replica = |row: replica::Model| {
        let delivers: Vec<(String, String)> = super::stored(serde_json::from_str(&row.delivers))?;
        let delivers = delivers.into_iter().map(|(extension, name)| SubscriptionId { extension, name });
        Ok((row.server_id, delivers.collect()))
    };
    alive.into_iter().map(replica).collect()
}

/// Notes that a server is gone.
pub(crate) async fn forget_replica(store: &Store, server: Uuid) -> Result<(), DbErr> {
    let tx = store.write().await?;
    replica::Entity::delete_by_id(server).exec(&tx).await?;
    tx.commit().await
}

/// Unix time by the clock of the database, which all replicas share.
fn unix_now(backend: DbBackend) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust("CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)"),
        _ => Expr::cust("unixepoch()"),
    }
}

fn is(id: &SubscriptionId) -> Condition {
    Condition::all()
        .add(event_subscription::Column::Extension.eq(id.extension.as_str()))
        .add(event_subscription::Column::Name.eq(id.name.as_str()))
}

fn delivery_of(id: &SubscriptionId) -> Condition {
    Condition::all()
        .add(event_delivery::Column::Extension.eq(id.extension.as_str()))
        .add(event_delivery::Column::Name.eq(id.name.as_str()))
}

fn to_row(id: &SubscriptionId, kept: &Delivery) -> event_delivery::ActiveModel {
    event_delivery::ActiveModel {
        extension: Set(id.extension.clone()),
        name: Set(id.name.clone()),
        sequence: Set(kept.sequence),
        state: Set(kept.state.to_string()),
        attempts: Set(i32::try_from(kept.attempts).unwrap_or(i32::MAX)),
        due: Set(kept.due),
        error: Set(kept.error.clone()),
    }
}

fn from_row(row: event_delivery::Model) -> Result<Delivery, DbErr> {
    Ok(Delivery {
        sequence: row.sequence,
        state: super::stored(row.state.parse::<DeliveryState>())?,
        attempts: row.attempts.unsigned_abs(),
        due: row.due,
        error: row.error,
    })
}
