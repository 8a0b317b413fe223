//! Runs the pipelines of the extensions that are enabled for a cluster, in the total order.
//!
//! The data belong to the run: nothing else holds them, and a stage that fails takes them with it. Each pipeline runs as
//! `prepare`, then the whole document, then each node; a method that is not overridden costs nothing, and a pipeline that has
//! no stage for data of this kind is not asked to prepare one.

use super::{DataKind, explain::Trace};
use crate::{
    contain::{self, Fault, StageCall},
    error::Refusal,
    extension::{ClusterData, Db, DynPipeline, PipelineContext, PrepareContext, Prepared, Scope, Stage},
    registry::{Loaded, Reach},
    server::Server,
};
use std::{sync::Arc, time::Instant};

/// The stage that failed, and how.
#[derive(Debug, thiserror::Error)]
#[error("pipeline {pipeline} of extension `{extension}` {}", fault.public(method))]
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
///
/// An extension that only some nodes enable has its say about their documents, and about nothing that others see.
pub(super) async fn run(
    server: &Arc<Server>,
    kind: DataKind,
    mut data: ClusterData,
    trace: &mut Trace,
) -> Result<ClusterData, StageFault> {
    let now = server.clock.now();
    for (loaded, reach) in server.registry.enabled_for(&data.cluster, &data.node_list) {
        let scope = server.scope(loaded, now);
        for pipeline in &loaded.pipelines {
            data = Run { server, loaded, pipeline, reach: &reach, kind }.over(data, scope.clone(), trace).await?;
        }
    }
    Ok(data)
}

/// One pipeline over the data of one kind.
struct Run<'a> {
    server: &'a Server,
    loaded: &'a Loaded,
    pipeline: &'a Arc<dyn DynPipeline>,
    reach: &'a Reach,
    kind: DataKind,
}

impl Run<'_> {
    async fn over(&self, mut data: ClusterData, scope: Scope, trace: &mut Trace) -> Result<ClusterData, StageFault> {
        let (extension, metadata) = (self.loaded.metadata.name, self.pipeline.metadata());
        let mut stages = match self.reach {
            Reach::Cluster => vec![Stage::Whole(self.kind), Stage::EachNode(self.kind, Arc::clone(&data.node_list))],
            Reach::Nodes(own) => vec![Stage::EachNode(self.kind, Arc::clone(own))],
        };
        stages.retain(|stage| metadata.overrides.contains(&stage.method()));
        if stages.is_empty() {
            return Ok(data);
        }
        let limit = self.server.settings.limits.stage_timeout();
        let call = StageCall { extension, pipeline: Arc::clone(self.pipeline), limit };
        let prepared = self.prepare(&call, &data, scope.clone()).await?;
        let cx = Arc::new(PipelineContext { scope, cluster: Arc::clone(&data.cluster), prepared });
        for stage in stages {
            let before = trace.before(&data);
            let start = Instant::now();
            let method = stage.method();
            let processed = contain::run_stage(call.clone(), stage, Arc::clone(&cx), data).await;
            data = processed.map_err(|fault| self.failed_in(method, fault))?;
            trace.record(before, &data, (extension, metadata.name), start.elapsed());
        }
        Ok(data)
    }

    /// What `prepare` reads, where the pipeline has one.
    async fn prepare(&self, call: &StageCall, data: &ClusterData, scope: Scope) -> Result<Prepared, StageFault> {
        if !self.pipeline.metadata().overrides.contains(&"prepare") {
            return Ok(Prepared::nothing());
        }
        let failed = |fault| self.failed_in("prepare", fault);
        let snapshot = self.server.store.snapshot().await.map_err(|error| failed(Fault::Failed(error.into())))?;
        let cx = PrepareContext { db: Db::snapshot(snapshot, &scope), scope };
        let prepared = contain::prepare(call, &cx, &data.cluster, self.reach.of(&data.node_list)).await;
        // Whatever it wrote goes: it is there to read.
        cx.db.discard().await.map_err(|error| failed(Fault::Failed(error.into())))?;
        prepared.map_err(failed)
    }

    fn failed_in(&self, method: &'static str, fault: Fault) -> StageFault {
        StageFault { extension: self.loaded.metadata.name, pipeline: self.pipeline.metadata().name, method, fault }
    }
}
