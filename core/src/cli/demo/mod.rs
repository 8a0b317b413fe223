//! `rivetgun demo`: the main job from end to end on a sample cluster, with whatever extensions are linked.

mod declared;
mod progress;
mod requests;

use super::{
    CliError, explain,
    import::{self, Document},
    output::{FAINT, GOOD, NAME, STRONG, say},
    serve::signals,
};
use crate::{
    boot::{self, BootError, Linked, Started},
    change::{Tolerance, enabling},
    deploy::{self, DataKind, LocalSettings, Selection, Wanted, WorkRequest},
    extension::DemoIds,
    http::BASE,
    model::{Cluster, Node, TaskStatus},
    registry::Registry,
    server::{Clock, Server},
    settings::{Orchestrators, Settings},
    store,
};
use requests::Requests;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Instant};
use tokio::net::TcpListener;

pub(crate) use declared::lay_out;

const SAMPLE: [(&str, &str); 4] = [
    ("controller.yaml", include_str!("sample/controller.yaml")),
    ("compute-1.yaml", include_str!("sample/compute-1.yaml")),
    ("compute-2.yaml", include_str!("sample/compute-2.yaml")),
    ("storage.yaml", include_str!("sample/storage.yaml")),
];

/// Stands in for the command that an operator would write: it takes the node's data and pretends to work.
const PROVISION: &str = "cat >/dev/null; for p in 20 40 60 80; do echo progress $p; sleep 0.1; done; echo \"$RIVETGUN_NODE_NAME: image written\"";
const DEPLOY: &str = "cat >/dev/null; for p in 25 50 75; do echo progress $p; sleep 0.1; done; echo \"$RIVETGUN_NODE_NAME: roles applied\"";

pub(super) async fn demo(settings: Settings, listen: SocketAddr, exit: bool) -> Result<(), CliError> {
    let mut signals = signals()?;
    // The demo leaves nothing behind: its state is a directory that goes with it.
    let state = tempfile::tempdir().map_err(CliError::Output)?;
    let (started, listener) = tokio::select! {
        shown = show(settings, listen, state.path()) => shown?,
        _ = signals.recv() => return Ok(()),
    };
    if exit {
        boot::stop_work(&started.server).await;
        return Ok(());
    }
    say("\nserving until Ctrl-C")?;
    Ok(started.open(listener).until_stopped(signals).await?)
}

/// Shows everything; the server that is left can serve.
async fn show(settings: Settings, listen: SocketAddr, state: &Path) -> Result<(Started, TcpListener), CliError> {
    let start = Instant::now();
    let local = LocalSettings {
        provision: Some(PROVISION.to_owned()),
        deploy: Some(DEPLOY.to_owned()),
        ..LocalSettings::default()
    };
    let mut settings = Settings {
        state_dir: state.to_owned(),
        database_url: None,
        migrate: true,
        orchestrators: Orchestrators { local },
        ..settings
    };
    let listener = boot::listen(listen).await?;
    let address = listener.local_addr().map_err(BootError::Serve)?;
    let demos = Registry::demos().map_err(BootError::Problems)?;
    for (extension, demo) in &demos {
        let section = lay_out(demo, &state.join("demo").join(extension));
        let section = section.map_err(|detail| CliError::Told(format!("extension `{extension}`: {detail}")))?;
        settings.extensions.sections.entry((*extension).to_owned()).or_default().extend(section);
    }

    title("1. A server, its database and its extensions")?;
    let migrated = Linked::new(settings)?.migrated().await?;
    let applied: usize = migrated.applied.iter().map(|owner| owner.names.len()).sum();
    say(format!("   {applied} migrations applied to a temporary SQLite database, which goes when the demo ends"))?;
    let Started { server, api } = migrated.assembled(Clock::system()).started().await?;
    for loaded in server.registry.iter() {
        let metadata = loaded.metadata;
        say(format!("   extension {NAME}{}{NAME:#} {}: {}", metadata.name, metadata.version, metadata.description))?;
    }

    title("2. A cluster, imported from one document a node (`rivetgun import FILE… --cluster sample`)")?;
    let (cluster, nodes) = import_sample(&server).await?;
    for node in &nodes {
        show_node(node)?;
    }
    enable_all(&server, &cluster).await?;
    let requests = Requests { api: &api, address, ids: ids_of(&cluster, &nodes) };
    requests.declared(&server, &demos, state).await?;
    show_changes(&server, &cluster).await?;

    title(
        "5. Provision and deploy: a command for each node (yours later, a stand-in here), with its data on standard input",
    )?;
    for wanted in [Wanted::Provision(Selection::All), Wanted::Deployment { selection: Selection::All, dry_run: false }]
    {
        let task = deploy::request(&server, WorkRequest { cluster: cluster.id, wanted }).await?;
        let task = progress::watch(&server, task, &nodes).await?;
        if task.status != TaskStatus::Ready {
            return Err(CliError::Told(task.message));
        }
        say(format!("   {GOOD}{}{GOOD:#} {}", task.status, task.message))?;
    }

    title("6. The URLs of the extensions")?;
    requests.to_read(&server).await?;
    say(format!("\n{GOOD}done{GOOD:#} in {:.1} s", start.elapsed().as_secs_f64()))?;
    where_to_look(&cluster, address)?;
    Ok((Started { server, api }, listener))
}

/// Makes the sample cluster, as `rivetgun import` does.
pub(crate) async fn import_sample(server: &Arc<Server>) -> Result<(Cluster, Vec<Node>), CliError> {
    let documents: Vec<Document> =
        SAMPLE.iter().map(|(name, text)| import::parse(Path::new(name), text)).collect::<Result<_, _>>()?;
    let (cluster, _) = import::import_documents(server, documents, "sample".to_owned()).await?;
    let nodes = store::nodes::of_cluster(server.store.reader(), &server.domain, cluster.id).await.map_err(told)?;
    Ok((cluster, nodes))
}

/// What the placeholders of requests stand for on the sample cluster.
pub(crate) fn ids_of(cluster: &Cluster, nodes: &[Node]) -> DemoIds {
    DemoIds { cluster: cluster.id, node: nodes.first().map(|node| node.id).unwrap_or_default() }
}

fn show_node(node: &Node) -> Result<(), CliError> {
    say(format!(
        "   node {} {STRONG}{:<11}{STRONG:#} {} {:<12} {FAINT}{}{FAINT:#}",
        node.id,
        node.name,
        node.mac,
        node.ip.as_deref().unwrap_or_default(),
        node.pending_roles.join(", ")
    ))
}

async fn enable_all(server: &Arc<Server>, cluster: &Cluster) -> Result<(), CliError> {
    title("3. Extensions, enabled for the cluster")?;
    for loaded in server.registry.iter() {
        if let Some(reason) = loaded.condition.failure() {
            say(format!("   without {}, which has failed: {reason}", loaded.metadata.name))?;
        }
    }
    let available = server.registry.iter().filter(|loaded| loaded.is_available());
    let names = available.map(|loaded| loaded.metadata.name.to_owned()).collect();
    let mut tx = server.change(Tolerance::Strict).await?;
    let enabled = enabling::enable(&mut tx, cluster.id, names).await?;
    tx.commit().await?;
    say(format!("   {}", enabled.join(", ")))
}

async fn show_changes(server: &Arc<Server>, cluster: &Cluster) -> Result<(), CliError> {
    title("4. What each pipeline changes in the outgoing data (`rivetgun explain sample`)")?;
    for kind in [DataKind::Provisioning, DataKind::Deployment] {
        explain::show(kind, &deploy::explain(server, cluster.id, kind, &Selection::All).await?)?;
    }
    Ok(())
}

fn where_to_look(cluster: &Cluster, address: SocketAddr) -> Result<(), CliError> {
    title("Where to look")?;
    let id = cluster.id;
    for (path, what) in [
        ("extensions".to_owned(), "the extensions: hooks, URLs, pipelines, migrations, status"),
        (format!("nodes?cluster_id={id}"), "the nodes"),
        (format!("clusters/{id}/orchestrator/deployment/defaults"), "the data as they would be sent"),
        ("tasks".to_owned(), "what was done, and how it ended"),
        ("tasks/2/log".to_owned(), "what the commands said"),
        ("tasks/2/deployment_info".to_owned(), "what was sent, with its hashes"),
    ] {
        say(format!("   curl 'http://{address}{BASE}/{path}'   {FAINT}{what}{FAINT:#}"))?;
    }
    say(format!("   http://{address}/docs/   {FAINT}the whole API, in a browser{FAINT:#}"))
}

fn title(text: &str) -> Result<(), CliError> {
    say(format!("\n{STRONG}{text}{STRONG:#}"))
}

fn told(error: sea_orm::DbErr) -> CliError {
    CliError::Refused(error.into())
}
