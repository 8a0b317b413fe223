use rivetgun::prelude::*;

#[derive(Default)]
struct Logger;

#[extension(name = "logger")]
impl Extension for Logger {
    async fn on_node_create(&self, _node: &Node) -> Result<()> {
        Ok(())
    }
}

fn main() {}
