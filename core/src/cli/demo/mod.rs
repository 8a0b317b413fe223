//! `rivetgun demo`: the main job from end to end on a sample cluster, with whatever extensions are linked.

mod progress;

use super::{
    CliError, explain,
    import::{self, Document},
    output::{BAD, FAINT, GOOD, NAME, STRONG, say},
    serve::signals,
};
use crate::{
    boot::{self, BootError, Linked, Started},
    change::{Tolerance, enabling},
    deploy::{self, DataKind, LocalSettings, Selection, Wanted, WorkRequest},
    http::{Api, BASE, templates},
    model::{Cluster, Node, TaskStatus},
    server::{Clock, Server},
    settings::{Orchestrators, Settings},
    store,
};
use axum::{body::to_bytes, extract::Request, http::Method};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Instant};
use tokio::net::TcpListener;

const SAMPLE: [(&str, &str); 4] = [
    ("controller.yaml", include_str!("sample/controller.yaml")),
    ("compute-1.yaml", include_str!("sample/compute-1.yaml")),
    ("compute-2.yaml", include_str!("sample/compute-2.yaml")),
    ("storage.yaml", include_str!("sample/storage.yaml")),
];

/// Stands in for the command that an operator would write: it takes the node's data and pretends to work.
const PROVISION: &str = "cat >/dev/null; for p in 20 40 60 80; do echo progress $p; sleep 0.1; done; echo \"$RIVETGUN_NODE_NAME: image written\"";
const DEPLOY: &str = "cat >/dev/null; for p in 25 50 75; do echo progress $p; sleep 0.1; done; echo \"$RIVETGUN_NODE_NAME: roles applied\"";
/// Longer answers are cut in what is shown.
const SHOWN_BYTES: usize = 600;

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
    Ok(started.serve(listener, signals).await?)
}

/// Shows everything; the server that is left can serve.
async fn show(settings: Settings, listen: SocketAddr, state: &Path) -> Result<(Started, TcpListener), CliError> {
    let start = Instant::now();
    let local = LocalSettings {
        provision: Some(PROVISION.to_owned()),
        deploy: Some(DEPLOY.to_owned()),
        ..LocalSettings::default()
    };
    let settings = Settings {
        state_dir: state.to_owned(),
        database_url: None,
        migrate: true,
        orchestrators: Orchestrators { local },
        ..settings
    };
    let listener = boot::listen(listen).await?;
    let address = listener.local_addr().map_err(BootError::Serve)?;

    title("1. A server, its database and its extensions")?;
    let migrated = Linked::new(settings)?.migrated().await?;
    let applied: usize = migrated.applied.iter().map(|owner| owner.names.len()).sum();
    say(format!("   {applied} migrations applied to a temporary SQLite database, which goes when the demo ends"))?;
    let Started { server, api } = migrated.assembled(Clock::system()).started().await?;
    for loaded in server.registry.iter() {
        let metadata = loaded.metadata;
        say(format!("   extension {NAME}{}{NAME:#} {}: {}", metadata.name, metadata.version, metadata.description))?;
    }

    let (cluster, nodes) = import_sample(&server).await?;
    enable_all(&server, &cluster).await?;
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

    call_urls(&server, &api, &cluster, &nodes, address).await?;
    say(format!("\n{GOOD}done{GOOD:#} in {:.1} s", start.elapsed().as_secs_f64()))?;
    where_to_look(&cluster, address)?;
    Ok((Started { server, api }, listener))
}

async fn import_sample(server: &Arc<Server>) -> Result<(Cluster, Vec<Node>), CliError> {
    title("2. A cluster, imported from one document a node (`rivetgun import FILE… --cluster sample`)")?;
    let documents: Vec<Document> =
        SAMPLE.iter().map(|(name, text)| import::parse(Path::new(name), text)).collect::<Result<_, _>>()?;
    let (cluster, _) = import::import_documents(server, documents, "sample".to_owned()).await?;
    let nodes = store::nodes::of_cluster(server.store.reader(), &server.domain, cluster.id).await.map_err(told)?;
    for node in &nodes {
        say(format!(
            "   node {} {STRONG}{:<11}{STRONG:#} {} {:<12} {FAINT}{}{FAINT:#}",
            node.id,
            node.name,
            node.mac,
            node.ip.as_deref().unwrap_or_default(),
            node.pending_roles.join(", ")
        ))?;
    }
    Ok((cluster, nodes))
}

async fn enable_all(server: &Arc<Server>, cluster: &Cluster) -> Result<(), CliError> {
    title("3. Extensions, enabled for the cluster")?;
    let names = server.registry.iter().map(|loaded| loaded.metadata.name.to_owned()).collect();
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

async fn call_urls(
    server: &Arc<Server>,
    api: &Api,
    cluster: &Cluster,
    nodes: &[Node],
    address: SocketAddr,
) -> Result<(), CliError> {
    title("6. The URLs of the extensions")?;
    let ids = |group: &str| match group {
        "node_id" => nodes.first().map(|node| node.id.to_string()),
        "cluster_id" => Some(cluster.id.to_string()),
        _ => None,
    };
    let urls = server.registry.iter().flat_map(|loaded| &loaded.urls);
    for url in urls.filter(|url| url.methods.roles().any(|(method, _)| method == Method::GET)) {
        // The last template is the one with all that is optional.
        let Some(path) = templates(url.pattern).into_iter().rev().find_map(|template| template.filled(ids)) else {
            continue;
        };
        let path = format!("{BASE}{path}");
        let request = Request::get(&path).body(axum::body::Body::empty());
        let response = api.answer(request.map_err(|error| CliError::Told(error.to_string()))?).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
        let style = if status.is_success() { GOOD } else { BAD };
        say(format!("   curl http://{address}{path}   {style}{}{style:#}", status.as_u16()))?;
        say(format!("   {FAINT}{}{FAINT:#}", shortened(&String::from_utf8_lossy(&body))))?;
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

fn shortened(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN_BYTES) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

fn told(error: sea_orm::DbErr) -> CliError {
    CliError::Refused(error.into())
}
