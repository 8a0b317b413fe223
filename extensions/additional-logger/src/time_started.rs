//! The stage that stamps outgoing data.

use rivetgun::prelude::*;

/// Adds `time_started` to what all nodes share.
pub(crate) struct TimeStarted;

#[pipeline]
impl Pipeline for TimeStarted {
    fn process_provisioning(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        stamp(cx, data, "provisioning");
        Ok(())
    }

    fn process_deployment(&self, cx: &PipelineContext, data: &mut ClusterData) -> Result<()> {
        stamp(cx, data, "deployment");
        Ok(())
    }
}

fn stamp(cx: &PipelineContext, data: &mut ClusterData, work: &str) {
    let time = cx.now().format("%Y-%m-%dT%H:%M:%SZ");
    data.common_mut().insert("time_started".into(), format!("{work} started at {time}").into());
}
