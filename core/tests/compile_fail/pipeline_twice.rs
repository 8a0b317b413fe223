use rivetgun::prelude::*;

struct TimeStarted;

#[pipeline]
impl Pipeline for TimeStarted {
    fn process_deployment(&self, _cx: &PipelineContext, _data: &mut ClusterData) -> Result<()> {
        Ok(())
    }
}

fn stages() -> Pipelines {
    pipelines![TimeStarted, TimeStarted]
}

fn main() {
    let _ = stages();
}
