//! Nodes fall silent, and are heard of again. People are told of each turn, once.

use super::ChangeTx;
use crate::{
    error::Outcome,
    model::{Node, Topic},
    store::{self, NewNotification},
};
use chrono::{DateTime, Utc};

/// The nodes of which nothing was heard since then are offline from now on; how many there are. Those that others change
/// just now are left to the next time.
pub(crate) async fn fall_silent(tx: &mut ChangeTx, since: DateTime<Utc>) -> Outcome<usize> {
    let silent = store::nodes::silent_since(&**tx, &tx.domain(), since).await?;
    store::nodes::set_offline(tx, &silent).await?;
    let told = silent.iter().map(|node| gone_away(tx, node)).collect();
    store::notifications::insert_all(tx, told).await?;
    Ok(silent.len())
}

/// A node that was offline is heard of.
pub(crate) async fn tell_is_back(tx: &ChangeTx, node: &Node) -> Outcome<()> {
    let message = format!("Node '{}' is back online", node.name);
    let back = NewNotification { topic: Topic::Discover, message, ..about(tx, node.id, node.cluster) };
    Ok(store::notifications::insert(tx, back).await?)
}

/// An orchestrator tells whether it reaches a node, which is locked and was said to be otherwise.
pub(crate) async fn turn(tx: &ChangeTx, node: &mut Node, online: bool) -> Outcome<()> {
    if online {
        // It counts as if the agent had reported; else the node would be silent again at the next look.
        store::nodes::touch(tx, node, tx.now).await?;
        (node.online, node.timestamp) = (true, tx.now);
        return tell_is_back(tx, node).await;
    }
    store::nodes::set_offline(tx, std::slice::from_ref(node)).await?;
    node.online = false;
    Ok(store::notifications::insert(tx, gone_away(tx, node)).await?)
}

fn gone_away(tx: &ChangeTx, node: &Node) -> NewNotification {
    let message = format!("Node '{}' has gone away", node.name);
    NewNotification { message, ..about(tx, node.id, node.cluster) }
}

fn about(tx: &ChangeTx, node: i64, cluster: Option<i64>) -> NewNotification {
    NewNotification {
        topic: Topic::Warning,
        message: String::new(),
        time: tx.now,
        cluster,
        node: Some(node),
        task: None,
        extension: None,
    }
}
