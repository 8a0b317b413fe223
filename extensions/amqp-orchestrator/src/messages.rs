//! Which nodes are in which message: the table that replies are mapped back through.
//!
//! Astute ends the task of a message as a whole, so that each message has an id of its own in the place of the task's. The
//! first message of a task has the id of the task; the ids of the others are made of it and their place, so that a message
//! that is sent again is known again.

use crate::AmqpOrchestrator;
use chrono::TimeDelta;
use rivetgun::prelude::{
    sea_orm::{Condition, FromJsonQueryResult, QueryOrder, entity::prelude::*},
    *,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, num::NonZeroU16};

/// How many days a message is kept to which nobody replies.
const LONGEST: u16 = 366;

/// How many messages there are of a task none of which is to be sent.
const NONE: i32 = 0;

/// A message of a task.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "amqp_orchestrator_messages")]
pub(crate) struct Model {
    /// Its id, which Astute takes for that of a task.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uuid: Uuid,
    pub task: Uuid,
    /// Its place among the messages of the task.
    pub place: i32,
    /// How many there are.
    pub total: i32,
    pub method: Method,
    #[sea_orm(column_type = "JsonBinary")]
    pub nodes: Nodes,
    /// The message that it is to stop.
    pub stops: Option<Uuid>,
    pub time: DateTimeUtc,
    pub state: State,
}

impl ActiveModelBehavior for ActiveModel {}

/// The ids of the nodes that a message is about, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Nodes(pub(crate) Vec<i64>);

impl Nodes {
    pub(crate) fn have(&self, node: i64) -> bool {
        self.0.binary_search(&node).is_ok()
    }
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(crate) enum State {
    #[sea_orm(string_value = "written")]
    Written,
    /// It is on its way to the broker, which may have it already.
    #[sea_orm(string_value = "sending")]
    Sending,
    /// The broker has it for good.
    #[sea_orm(string_value = "sent")]
    Sent,
    /// An Astute has replied to it.
    #[sea_orm(string_value = "taken")]
    Taken,
    /// It is being taken back from the broker, which may have done so already.
    #[sea_orm(string_value = "withdrawing")]
    Withdrawing,
    /// It was taken back from the broker before anybody had taken it.
    #[sea_orm(string_value = "withdrawn")]
    Withdrawn,
    /// Its last reply is applied.
    #[sea_orm(string_value = "ended")]
    Ended,
}

impl State {
    pub(crate) fn may_become(self, next: Self) -> bool {
        next.after().contains(&self)
    }

    /// What it may follow: a reply can be here before the confirmation of the message that it answers.
    fn after(self) -> &'static [Self] {
        match self {
            Self::Written => &[Self::Withdrawn],
            Self::Sending => &[Self::Written, Self::Sending],
            Self::Sent => &[Self::Written, Self::Sending],
            Self::Taken => &[Self::Written, Self::Sending, Self::Sent, Self::Withdrawing],
            Self::Withdrawing => &[Self::Sending, Self::Sent],
            Self::Withdrawn => &[Self::Written, Self::Sending, Self::Withdrawing],
            Self::Ended => &[Self::Written, Self::Sending, Self::Sent, Self::Taken, Self::Withdrawing, Self::Withdrawn],
        }
    }
}

/// What Astute is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(crate) enum Method {
    #[sea_orm(string_value = "image_provision")]
    Provision,
    #[sea_orm(string_value = "task_deploy")]
    Deploy,
    #[sea_orm(string_value = "stop_deploy_task")]
    Stop,
    #[sea_orm(string_value = "reset_environment")]
    Reset,
    #[sea_orm(string_value = "remove_nodes")]
    Remove,
}

impl Method {
    fn of(work: Work) -> Self {
        match work {
            Work::Provision => Self::Provision,
            Work::Deployment => Self::Deploy,
            Work::Stop => Self::Stop,
            Work::Reset => Self::Reset,
            Work::Removal => Self::Remove,
        }
    }

    /// Its name, and the name of the replies to it.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Provision => ("image_provision", "provision_resp"),
            Self::Deploy => ("task_deploy", "deploy_resp"),
            Self::Stop => ("stop_deploy_task", "stop_deployment_resp"),
            Self::Reset => ("reset_environment", "reset_environment_resp"),
            Self::Remove => ("remove_nodes", "remove_nodes_resp"),
        }
    }
}

/// The nodes of one message, and what it stops.
struct Part {
    nodes: Vec<i64>,
    stops: Option<Uuid>,
}

/// The messages of a task: those that are written down, or else new ones, which are written down.
///
/// # Errors
/// What the database says.
pub(crate) async fn of_dispatch(cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Vec<Model>> {
    let known = known(cx, dispatch).await?;
    if !known.is_empty() {
        return Ok(known);
    }
    let settings = cx.settings::<AmqpOrchestrator>();
    let most = usize::from(settings.nodes_a_message.get());
    let (parts, unwritten) = match dispatch.stops {
        Some(stopped) => {
            let of_stopped = of_task(cx.db(), stopped).await?;
            let unwritten = of_stopped.is_empty().then_some(stopped);
            (parts_of_stop(dispatch, stopped, of_stopped, most), unwritten)
        }
        None => (parts(&ids(dispatch), None, most).collect(), None),
    };
    let total = i32::try_from(parts.len())?;
    let messages: Vec<Model> = (0..total)
        .zip(parts)
        .map(|(place, Part { nodes, stops })| Model {
            uuid: id(dispatch.task, place),
            task: dispatch.task,
            place,
            total,
            method: Method::of(dispatch.work),
            nodes: Nodes(nodes),
            stops,
            time: cx.now(),
            state: State::Written,
        })
        .collect();
    // What was not written down before its stop was is not sent any more. Of the two, one is first.
    let withdrawn = unwritten.map(|task| withdrawn(cx, dispatch, task));
    let rows: Vec<ActiveModel> = messages.iter().cloned().chain(withdrawn).map(ActiveModel::from).collect();
    let tx = cx.transaction().await?;
    Entity::delete_many().filter(past(cx.now(), settings.keep_days)).exec(&*tx).await?;
    if !rows.is_empty() {
        Entity::insert_many(rows).exec(&*tx).await?;
    }
    tx.commit().await?;
    Ok(messages)
}

/// The messages of a task that are written down. What a stop took back that was given up since is to be sent after all.
async fn known(cx: &OrchestratorContext, dispatch: &Dispatch) -> Result<Vec<Model>> {
    let known = of_task(cx.db(), dispatch.task).await?;
    let uuids = known.iter().map(|message| message.uuid).collect();
    let is_unsent = known.iter().any(|message| message.state == State::Withdrawn);
    if !is_unsent || !that_stop(cx.db(), &uuids).await?.is_empty() {
        return Ok(known);
    }
    if known.iter().any(|message| message.total == NONE) {
        forget(cx, dispatch.task).await?;
    } else {
        mark(cx, &uuids, State::Written).await?;
    }
    of_task(cx.db(), dispatch.task).await
}

/// The message of a task that a stop is about, where it is not to be sent at all.
fn withdrawn(cx: &OrchestratorContext, stop: &Dispatch, task: Uuid) -> Model {
    Model {
        uuid: task,
        task,
        place: 0,
        total: NONE,
        method: Method::Deploy,
        nodes: Nodes(ids(stop)),
        stops: None,
        time: cx.now(),
        state: State::Withdrawn,
    }
}

/// What is forgotten by its age. Without its messages a task would never hear of its end, so that those that wait for a reply
/// are kept for longer than anybody waits.
fn past(now: DateTimeUtc, keep_days: NonZeroU16) -> Condition {
    let days = |days: u16| now - TimeDelta::days(days.into());
    let ended = Condition::all().add(Column::State.eq(State::Ended)).add(Column::Time.lt(days(keep_days.get())));
    Condition::any().add(ended).add(Column::Time.lt(days(keep_days.get().max(LONGEST))))
}

fn ids(dispatch: &Dispatch) -> Vec<i64> {
    dispatch.nodes.iter().map(|node| node.id).collect()
}

/// The id of a message: the same each time it is asked for.
fn id(task: Uuid, place: i32) -> Uuid {
    if place == 0 { task } else { Uuid::new_v5(&task, &place.to_be_bytes()) }
}

fn parts(nodes: &[i64], stops: Option<Uuid>, most: usize) -> impl Iterator<Item = Part> {
    nodes.chunks(most).map(move |nodes| Part { nodes: nodes.to_vec(), stops })
}

/// One part for each message of the task that is stopped, as far as its nodes are to be stopped.
fn parts_of_stop(dispatch: &Dispatch, stopped: Uuid, of_stopped: Vec<Model>, most: usize) -> Vec<Part> {
    let mut left: BTreeSet<i64> = ids(dispatch).into_iter().collect();
    let mut made = Vec::new();
    for message in of_stopped {
        let its: Vec<i64> = message.nodes.0.iter().copied().filter(|id| left.remove(id)).collect();
        made.extend(parts(&its, Some(message.uuid), usize::MAX));
    }
    let left: Vec<i64> = left.into_iter().collect();
    made.extend(parts(&left, Some(stopped), most));
    made
}

/// The messages of a task, in their order.
pub(crate) async fn of_task(db: &Db, task: Uuid) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::Task.eq(task)).order_by_asc(Column::Place).all(db).await?)
}

/// The message with this id.
pub(crate) async fn find(db: &Db, uuid: Uuid) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(uuid).one(db).await?)
}

/// The messages that are to stop one of these.
pub(crate) async fn that_stop(db: &Db, uuids: &BTreeSet<Uuid>) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::Stops.is_in(uuids.iter().copied())).all(db).await?)
}

/// Those of these messages that are in one of these states.
pub(crate) async fn in_state(db: &Db, uuids: &BTreeSet<Uuid>, states: &[State]) -> Result<BTreeSet<Uuid>> {
    let of_these = Entity::find().filter(Column::Uuid.is_in(uuids.iter().copied()));
    let found = of_these.filter(Column::State.is_in(states.iter().copied())).all(db).await?;
    Ok(found.into_iter().map(|message| message.uuid).collect())
}

/// Whether a message of any task is known.
pub(crate) async fn are_there(db: &Db) -> Result<bool> {
    Ok(Entity::find().one(db).await?.is_some())
}

/// Notes how far messages are, if they are not further; how many of them are so far now.
pub(crate) async fn mark(cx: &OrchestratorContext, uuids: &BTreeSet<Uuid>, state: State) -> Result<u64> {
    if uuids.is_empty() {
        return Ok(0);
    }
    let tx = cx.transaction().await?;
    let mark = Entity::update_many().col_expr(Column::State, Expr::value(state));
    let these = Column::Uuid.is_in(uuids.iter().copied());
    let marked = mark.filter(these).filter(Column::State.is_in(state.after().iter().copied())).exec(&*tx).await?;
    tx.commit().await?;
    Ok(marked.rows_affected)
}

/// Writes what is there already, to see whether the database lets anybody write.
pub(crate) async fn touch(cx: &OrchestratorContext, uuid: Uuid) -> Result<()> {
    let tx = cx.transaction().await?;
    let same = Entity::update_many().col_expr(Column::Uuid, Expr::value(uuid));
    same.filter(Column::Uuid.eq(uuid)).exec(&*tx).await?;
    tx.commit().await
}

/// Forgets the messages of a task that nobody waits for any more; but not those that are being stopped, whose end is that of
/// their stop.
pub(crate) async fn forget(cx: &OrchestratorContext, task: Uuid) -> Result<()> {
    let tx = cx.transaction().await?;
    let of_task = of_task(&tx, task).await?;
    let uuids: BTreeSet<Uuid> = of_task.iter().map(|message| message.uuid).collect();
    let stopped: BTreeSet<Uuid> = that_stop(&tx, &uuids).await?.into_iter().filter_map(|stop| stop.stops).collect();
    let forgotten = Column::Uuid.is_in(uuids.difference(&stopped).copied());
    Entity::delete_many().filter(forgotten).exec(&*tx).await?;
    tx.commit().await
}
