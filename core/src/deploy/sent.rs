//! What is sent is kept: one document for what all nodes share and one for each node, each with its hash, so that it can be
//! read later and compared with what was sent another time.

use crate::{extension::ClusterData, model::SentDocument};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The documents of `data`, made aside: writing and hashing those of thousands of nodes takes a while.
pub(super) async fn documents(data: &Arc<ClusterData>) -> Result<Vec<SentDocument>, String> {
    let data = Arc::clone(data);
    let made = tokio::task::spawn_blocking(move || {
        let common = std::iter::once(document(None, data.common()));
        let nodes: Vec<_> = data.nodes().par_iter().map(|node| document(Some(node.id()), node.document())).collect();
        common.chain(nodes).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())
    });
    made.await.map_err(|error| error.to_string())?
}

fn document(node: Option<i64>, document: &impl Serialize) -> Result<SentDocument, serde_json::Error> {
    let document = serde_json::to_string(document)?;
    let sha256 = Sha256::digest(&document).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(SentDocument { node, sha256, document })
}
