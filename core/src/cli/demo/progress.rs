//! Watches a task until it has ended: a bar for each node where standard error is a terminal.

use crate::{
    error::{Outcome, Refusal},
    model::{Node, Task},
    server::Server,
    store,
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{sync::Arc, time::Duration};

/// How often the database is looked at.
const INTERVAL: Duration = Duration::from_millis(40);

pub(super) async fn watch(server: &Arc<Server>, task: Task, nodes: &[Node]) -> Outcome<Task> {
    let all = MultiProgress::new();
    let style = ProgressStyle::with_template("   {prefix:<11} {bar:32.cyan} {percent:>3}% {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━╌");
    let bars: Vec<(i64, ProgressBar)> = nodes
        .iter()
        .map(|node| {
            let bar = ProgressBar::new(100).with_style(style.clone()).with_prefix(node.name.clone());
            (node.id, all.add(bar))
        })
        .collect();
    let mut interval = tokio::time::interval(INTERVAL);
    let ended = loop {
        interval.tick().await;
        let parts = store::tasks::nodes_of(server.store.reader(), task.id).await?;
        for (node, bar) in &bars {
            if let Some(part) = parts.iter().find(|part| part.node == *node) {
                bar.set_position(u64::try_from(part.progress).unwrap_or_default());
                bar.set_message(part.status.as_str());
            }
        }
        let found = store::tasks::find(server.store.reader(), task.id).await?;
        let found = found.ok_or_else(|| Refusal::unknown("task", task.id))?;
        if found.status.is_final() {
            break found;
        }
    };
    for (_, bar) in &bars {
        bar.abandon();
    }
    Ok(ended)
}
