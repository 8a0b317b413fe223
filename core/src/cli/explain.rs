//! `rivetgun explain`: what each pipeline changes in the data of a cluster, stage by stage.

use super::{
    CliError,
    arguments::ExplainArguments,
    diff::coloured_patch,
    output::{FAINT, NAME, say},
};
use crate::{
    boot::{self, Linked},
    deploy::{self, DataKind, Explanation, Selection},
    error::{Outcome, Refusal},
    server::{Clock, Server},
    settings::Settings,
    store,
};
use std::sync::Arc;

pub(super) async fn explain(settings: Settings, arguments: ExplainArguments) -> Result<(), CliError> {
    // Whoever only looks does not migrate.
    let settings = Settings { migrate: false, ..settings };
    let server = Linked::new(settings)?.migrated().await?.assembled(Clock::system()).initialized().await?;
    let explained = explanations(&server, &arguments).await;
    boot::stop_work(&server).await;
    let mut silent = true;
    for (kind, explanation) in explained? {
        silent &= explanation.stages.is_empty();
        show(kind, &explanation)?;
    }
    if silent {
        say(
            "no pipeline of an extension that is enabled and in this build changes anything; `PUT /clusters/{id}/extensions` enables",
        )?;
    }
    Ok(())
}

async fn explanations(server: &Arc<Server>, arguments: &ExplainArguments) -> Outcome<Vec<(DataKind, Explanation)>> {
    let name = &arguments.cluster;
    let by_id = match name.parse() {
        Ok(id) => store::clusters::find(server.store.reader(), id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(cluster) => Some(cluster),
        None => store::clusters::find_named(server.store.reader(), name).await?,
    };
    let cluster =
        found.ok_or_else(|| Refusal::NotFound(format!("there is no cluster with the name or the id '{name}'")))?;
    let selection = arguments.node.map_or(Selection::All, |node| Selection::These(vec![node]));
    let mut explained = Vec::new();
    for kind in [DataKind::Provisioning, DataKind::Deployment] {
        explained.push((kind, deploy::explain(server, cluster.id, kind, &selection).await?));
    }
    Ok(explained)
}

/// Writes what each stage changed, one place after the other.
pub(super) fn show(kind: DataKind, explanation: &Explanation) -> Result<(), CliError> {
    for record in &explanation.stages {
        let node = explanation.nodes.iter().find(|node| node.id.to_string() == record.scope);
        let place =
            node.map_or_else(|| "what all nodes share".to_owned(), |node| format!("node {} ({})", node.id, node.name));
        say(format!(
            "   {kind} data, {place}, by {NAME}{}/{}{NAME:#} {FAINT}in {} µs{FAINT:#}",
            record.extension, record.pipeline, record.micros
        ))?;
        say(coloured_patch(&record.before, &record.patch, "     "))?;
    }
    Ok(())
}
