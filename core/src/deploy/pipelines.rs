//! Runs the pipelines of the extensions that are enabled for a cluster, in the total order.
//!
//! The data belong to the run: nothing else holds them, and a stage that fails takes them with it. Each pipeline runs as
//! `prepare`, then the whole document, then each node; a method that is not overridden costs nothing.

use super::{DataKind, explain::Trace};
use crate::{
    contain::{self, Fault, StageCall},
    error::Refusal,
    extension::{ClusterData, Db, DynPipeline, PipelineContext, PrepareContext, Prepared, Scope, Stage},
    registry::Loaded,
    server::Server,
};
use sea_orm::DbErr;
use std::{sync::Arc, time::Instant};

/// The stage that failed, and how.
#[derive(Debug, thiserror::Error)]
#[error("pipeline {pipeline} of extension `{extension}` {} in {method}", fault.public())]
pub(super) struct StageFault {
    pub(super) extension: &'static str,
    pub(super) pipeline: &'static str,
    pub(super) method: &'static str,
    pub(super) fault: Fault,
}

impl From<StageFault> for Refusal {
    fn from(fault: StageFault) -> Self {
        Self::Stage { extension: fault.extension.to_owned(), detail: fault.to_string(), fault: fault.fault }
    }
}

/// Runs all stages over `data`; what each of them did goes into `trace`.
pub(super) async fn run(
    server: &Arc<Server>,
    kind: DataKind,
    mut data: ClusterData,
    trace: &mut Trace,
) -> Result<ClusterData, StageFault> {
    let now = server.clock.now();
    let cluster = Arc::clone(&data.cluster);
    for loaded in server.registry.iter().filter(|loaded| loaded.is_enabled_for(&cluster)) {
        for pipeline in &loaded.pipelines {
            let scope = loaded.scope(&server.domain, now);
            data = run_pipeline(server, loaded, pipeline, scope, kind, data, trace).await?;
        }
    }
    Ok(data)
}

async fn run_pipeline(
    server: &Server,
    loaded: &Loaded,
    pipeline: &Arc<dyn DynPipeline>,
    scope: Scope,
    kind: DataKind,
    mut data: ClusterData,
    trace: &mut Trace,
) -> Result<ClusterData, StageFault> {
    let (extension, metadata) = (loaded.metadata.name, pipeline.metadata());
    let limit = server.settings.limits.stage_timeout();
    let call = StageCall { extension, pipeline: Arc::clone(pipeline), limit };
    let failed_in = |method| move |fault| StageFault { extension, pipeline: metadata.name, method, fault };
    let prepared = if metadata.overrides.contains(&"prepare") {
        let fault = |error: DbErr| failed_in("prepare")(Fault::Failed(error.into()));
        let snapshot = Db::savepoint(server.store.snapshot().await.map_err(fault)?);
        let cx = PrepareContext { scope: scope.clone(), db: snapshot };
        let prepared = contain::prepare(&call, &cx, &data.cluster, &data.node_list).await;
        // Whatever it wrote goes: it is there to read.
        cx.db.discard().await.map_err(fault)?;
        prepared.map_err(failed_in("prepare"))?
    } else {
        Prepared::nothing()
    };
    let cx = Arc::new(PipelineContext { scope, cluster: Arc::clone(&data.cluster), prepared });
    for stage in [Stage::Whole(kind), Stage::EachNode(kind)] {
        if !metadata.overrides.contains(&stage.method()) {
            continue;
        }
        let before = trace.before(&data);
        let start = Instant::now();
        data =
            contain::run_stage(call.clone(), stage, Arc::clone(&cx), data).await.map_err(failed_in(stage.method()))?;
        trace.record(before, &data, (extension, metadata.name), start.elapsed());
    }
    Ok(data)
}
