//! Calls the stages of pipelines, away from the threads that serve requests.
//!
//! A stage is plain code, which nothing can interrupt. It runs on a thread of the blocking pool, and when it takes too
//! long the task goes on without it, to its end in an error; the thread is lost until the stage returns.

use super::{Call, Fault, contain, contain_plain, measure, panic_text};
use crate::{
    extension::{ClusterData, DynPipeline, PipelineContext, PrepareContext, Prepared, Stage},
    model::{Cluster, Node},
};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A pipeline that is to be called.
#[derive(Clone)]
pub(crate) struct StageCall {
    pub(crate) extension: &'static str,
    pub(crate) pipeline: Arc<dyn DynPipeline>,
    pub(crate) limit: Duration,
}

impl StageCall {
    fn call(&self, method: &'static str) -> Call {
        Call { extension: self.extension, method, limit: self.limit }
    }
}

/// Calls `prepare`.
pub(crate) async fn prepare(
    stage: &StageCall,
    cx: &PrepareContext,
    cluster: &Cluster,
    nodes: &[Node],
) -> Result<Prepared, Fault> {
    contain(stage.call("prepare"), || stage.pipeline.prepare(cx, cluster, nodes)).await
}

/// Calls a stage, and gives the data back when it succeeded. Of the faults of several nodes, the first node's is told.
pub(crate) async fn run_stage(
    of: StageCall,
    stage: Stage,
    cx: Arc<PipelineContext>,
    mut data: ClusterData,
) -> Result<ClusterData, Fault> {
    let call = of.call(stage.method());
    aside(call, move || {
        match stage {
            Stage::Whole(kind) => contain_plain(call, || of.pipeline.process(kind, &cx, &mut data))?,
            Stage::EachNode(kind, nodes) => {
                let each = data.nodes.par_iter_mut().filter_map(|document| {
                    let index = nodes.binary_search_by_key(&document.id(), |node| node.id).ok()?;
                    Some(contain_plain(call, || of.pipeline.process_for_node(kind, &cx, &nodes[index], document)))
                });
                each.collect::<Vec<_>>().into_iter().collect::<Result<(), Fault>>()?;
            }
        }
        Ok(data)
    })
    .await
}

async fn aside<T: Send + 'static>(
    call: Call,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let start = Instant::now();
    let outcome = tokio::time::timeout(call.limit, tokio::task::spawn_blocking(work)).await;
    measure::called(call, start.elapsed());
    match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panicked)) => Err(Fault::Panicked(
            panicked.try_into_panic().map_or_else(|_| "cancelled".to_owned(), |payload| panic_text(&*payload)),
        )),
        Err(_) => {
            let fault = Fault::TimedOut(call.limit);
            measure::faulted(call, &fault);
            super::log(call, &fault);
            Err(fault)
        }
    }
}
