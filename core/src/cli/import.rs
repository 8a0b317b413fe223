//! `rivetgun import`: makes a cluster of per-node deployment documents, one YAML file a node.
//!
//! What is equal in all documents becomes the cluster's attributes, the rest the attributes of each node, so that the
//! merged deployment data give back each document. Keys stay whole: a stage finds `network_scheme` of a node in one
//! piece. Keys that name a node ([`NodeData::KEYS`]) are always the node's.

use super::{
    CliError,
    output::{GOOD, STRONG, say},
};
use crate::{
    boot::{self, Linked},
    change::{ChangeTx, Tolerance, clusters, clusters::ClusterInput, membership, membership::Assignment, nodes},
    error::{Outcome, chain},
    extension::NodeData,
    model::{Cluster, Discovery, MacAddress, Object, contains_nul},
    server::{Clock, Server},
    settings::Settings,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why documents could not be imported. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} is not a deployment document: {detail}", path.display())]
    Malformed { path: PathBuf, detail: String },
    #[error("{}: {refusal}; nothing was imported", path.display())]
    Refused { path: PathBuf, refusal: String },
}

/// A document with the place that it comes from.
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) content: Object,
}

/// Documents split into what they share and what each has for itself.
struct Split {
    common: Object,
    own: Vec<Object>,
}

pub(super) async fn import(settings: Settings, files: &[PathBuf], cluster: String) -> Result<(), CliError> {
    // All documents are read before the database is touched: a bad one is told before anything happens.
    let bar = bar("reading", files.len());
    let documents = files
        .iter()
        .map(|path| {
            let document = read(path);
            bar.inc(1);
            document
        })
        .collect::<Result<Vec<_>, _>>()?;
    bar.finish_and_clear();
    let server = Linked::new(settings)?.migrated().await?.assembled(Clock::system()).initialized().await?;
    let imported = import_documents(&server, documents, cluster).await;
    boot::stop_work(&server).await;
    let (cluster, count) = imported?;
    say(format!(
        "{GOOD}imported{GOOD:#} {count} node{} into cluster {STRONG}{}{STRONG:#} (id {})",
        if count == 1 { "" } else { "s" },
        cluster.name,
        cluster.id
    ))
}

/// Makes the cluster and its nodes in one transaction, through the same functions as the API.
pub(super) async fn import_documents(
    server: &Arc<Server>,
    documents: Vec<Document>,
    name: String,
) -> Result<(Cluster, usize), CliError> {
    let bar = bar("importing", documents.len());
    let (paths, contents): (Vec<PathBuf>, Vec<Object>) =
        documents.into_iter().map(|document| (document.path, document.content)).unzip();
    let identities: Vec<Identity> = paths
        .iter()
        .zip(&contents)
        .enumerate()
        .map(|(index, (path, content))| {
            Identity::of(content, &name, index).map_err(|detail| ImportError::Malformed { path: path.clone(), detail })
        })
        .collect::<Result<_, _>>()?;
    let Split { common, own } = split(contents);
    let mut tx = server.change(Tolerance::Strict).await?;
    let input = ClusterInput { name, release: None, attributes: common, orchestrator: None, nodes: Vec::new() };
    let cluster = clusters::create(&mut tx, input).await?;
    let count = paths.len();
    for ((path, identity), attributes) in paths.into_iter().zip(identities).zip(own) {
        add_node(&mut tx, &cluster, identity, attributes)
            .await
            .map_err(|refusal| ImportError::Refused { path, refusal: chain(&refusal) })?;
        bar.inc(1);
    }
    let cluster = clusters::find(&tx, cluster.id).await?;
    tx.commit().await?;
    bar.finish_and_clear();
    Ok((cluster, count))
}

async fn add_node(tx: &mut ChangeTx, cluster: &Cluster, identity: Identity, attributes: Object) -> Outcome<()> {
    let Identity { mac, ip, name, hostname, roles, disks } = identity;
    let meta = disks.map(|disks| Object::from_iter([("disks".to_owned(), disks)]));
    let discovery = Discovery { mac: Some(mac), ip, name, meta, ..Discovery::default() };
    let node = nodes::create_with(tx, discovery, hostname, attributes).await?;
    membership::assign(tx, cluster.id, vec![Assignment { id: node.id, roles }]).await
}

const NAMES_NO_NODE: &str = "it names no node: none of `fqdn`, `hostname`, `name` and `user_node_name` stands at its top, \
                            nor a mac there or in its interfaces";

/// What Rivetgun itself needs to know of a node.
struct Identity {
    mac: MacAddress,
    ip: Option<String>,
    name: Option<String>,
    hostname: Option<String>,
    roles: Vec<String>,
    /// As an agent reports them.
    disks: Option<Value>,
}

impl Identity {
    fn of(document: &Object, cluster: &str, index: usize) -> Result<Self, String> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let fqdn = text("fqdn");
        let hostname =
            fqdn.as_deref().and_then(|fqdn| fqdn.split('.').next()).map(str::to_owned).or_else(|| text("hostname"));
        let name = text("user_node_name").or_else(|| text("name")).or_else(|| hostname.clone());
        let roles = document.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mac = match mac_of(document)? {
            Some(mac) => mac,
            None if name.is_none() => return Err(NAMES_NO_NODE.to_owned()),
            None => made_mac(&[cluster, fqdn.as_deref().unwrap_or_default(), &index.to_string()]),
        };
        Ok(Self {
            mac,
            ip: text("ip").or_else(|| admin_address(document)),
            name,
            hostname,
            roles: roles.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            disks: disks_of(document),
        })
    }
}

/// The mac of the document itself, or that of the first of its interfaces that has one.
fn mac_of(document: &Object) -> Result<Option<MacAddress>, String> {
    let interfaces =
        [document.get("network_scheme").and_then(|scheme| scheme.get("interfaces")), document.get("interfaces")];
    let of_interfaces = interfaces.into_iter().flatten().flat_map(|interfaces| match interfaces {
        Value::Object(by_name) => by_name.values().collect::<Vec<_>>(),
        Value::Array(list) => list.iter().collect(),
        _ => Vec::new(),
    });
    let found = document
        .get("mac")
        .into_iter()
        .chain(of_interfaces.filter_map(|interface| interface.get("mac").or_else(|| interface.get("mac_address"))));
    let first = found.filter_map(Value::as_str).find(|mac| !mac.is_empty());
    first.map(|mac| mac.parse().map_err(|error| format!("{error}"))).transpose()
}

/// The disks of the document itself, as agents report them (sizes in bytes), or else those of its volumes (sizes in MiB).
fn disks_of(document: &Object) -> Option<Value> {
    if let Some(disks @ Value::Array(_)) = document.get("disks") {
        return Some(disks.clone());
    }
    let volumes = document.get("node_volumes")?.as_array()?;
    let disks = volumes.iter().filter(|volume| volume["type"] == "disk").map(|disk| {
        // What is no number stays what it is, for whoever reads it to say so.
        let bytes = disk["size"].as_u64().map(|size| size.saturating_mul(1 << 20));
        let size = bytes.map_or_else(|| disk["size"].clone(), Value::from);
        json!({"disk": disk["id"], "name": disk["name"], "size": size, "extra": disk["extra"]})
    });
    Some(disks.collect())
}

/// A mac for a node that has none: the same documents give the same one, and no hardware has it.
fn made_mac(seed: &[&str]) -> MacAddress {
    let digest = Sha256::digest(seed.join("\u{0}"));
    let mut octets = [0; 6];
    octets.copy_from_slice(&digest[..6]);
    MacAddress::locally_administered(octets)
}

/// The address in the admin network, from `network_scheme.endpoints.br-fw-admin.IP`.
fn admin_address(document: &Object) -> Option<String> {
    let address = document.get("network_scheme")?.get("endpoints")?.get("br-fw-admin")?.get("IP")?.get(0)?.as_str()?;
    address.split('/').next().map(str::to_owned)
}

fn split(documents: Vec<Object>) -> Split {
    let Some((first, others)) = documents.split_first() else {
        return Split { common: Object::new(), own: Vec::new() };
    };
    let shared = |key: &str, value: &Value| {
        !NodeData::KEYS.contains(&key) && others.iter().all(|other| other.get(key) == Some(value))
    };
    let common: Object = first
        .iter()
        .filter(|(key, value)| shared(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let own = documents
        .into_iter()
        .map(|document| document.into_iter().filter(|(key, _)| !common.contains_key(key)).collect())
        .collect();
    Split { common, own }
}

fn read(path: &Path) -> Result<Document, ImportError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Reads a YAML document into JSON, the only form that is known further in. Of a key that stands twice the last value
/// counts, as with the loaders that real documents were written for; some of them have such keys.
pub(super) fn parse(path: &Path, text: &str) -> Result<Document, ImportError> {
    let malformed = |detail: String| ImportError::Malformed { path: path.to_owned(), detail };
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    match serde_saphyr::from_str_with_options(text, options).map_err(|error| malformed(error.to_string()))? {
        value if contains_nul(&value) => {
            Err(malformed("a text holds a NUL character, which cannot be stored".to_owned()))
        }
        Value::Object(content) => Ok(Document { path: path.to_owned(), content }),
        other => Err(malformed(format!("a mapping is expected at its top, not {}", kind_of(&other)))),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A progress bar on standard error, where that is a terminal.
fn bar(what: &'static str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:>12} {bar:32.cyan} {pos}/{len}") {
        bar.set_style(style.progress_chars("━━╌"));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::{Split, split};
    use crate::model::{Merged, Object};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn documents() -> impl Strategy<Value = Vec<Object>> {
        let value = prop_oneof![
            (0..3i64).prop_map(Value::from),
            Just(json!({})),
            (0..2i64).prop_map(|x| json!({"x": x, "same": 1})),
            Just(json!([1, {"a": null}])),
            Just(Value::Null),
        ];
        let document = prop::collection::hash_map(prop_oneof!["[a-d]", Just("uid".to_owned())], value, 0..5);
        prop::collection::vec(document.prop_map(|map| map.into_iter().collect::<Object>()), 0..5)
    }

    proptest! {
        #[test]
        fn what_is_split_merges_back_to_what_it_was(documents in documents()) {
            let Split { common, own } = split(documents.clone());
            prop_assert!(!common.contains_key("uid"));
            let merged: Vec<Value> =
                own.iter().map(|own| serde_json::to_value(Merged::new(&common, own)).expect("values serialize")).collect();
            prop_assert_eq!(merged, documents.into_iter().map(Value::Object).collect::<Vec<_>>());
        }
    }
}
