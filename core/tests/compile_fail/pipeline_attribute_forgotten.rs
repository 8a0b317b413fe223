use rivetgun::prelude::*;

struct TimeStarted;

impl Pipeline for TimeStarted {
    fn process_deployment(&self, _cx: &PipelineContext, _data: &mut ClusterData) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = pipelines![TimeStarted];
}
