//! Greets nodes: one hook, one pipeline, one URL.

use rivetgun::prelude::*;

/// The extension. The server makes one at start.
#[derive(Default)]
pub struct Hello;

#[extension(name = "hello", description = "Greets nodes")]
impl Extension for Hello {
    fn urls(&self) -> Urls {
        urls! {
            r"/hello/(?P<node_id>\d+)/?" => get(greet),
        }
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![Greeting]
    }

    async fn on_node_create(&self, _cx: &HookContext<'_>, node: &Node) -> Result<()> {
        if node.name == "goodbye" {
            return Err(veto("a node that says goodbye cannot be greeted"));
        }
        Ok(())
    }
}

/// Puts a greeting into the deployment data of each node.
struct Greeting;

#[pipeline]
impl Pipeline for Greeting {
    fn process_deployment_for_node(&self, _cx: &PipelineContext, node: &Node, data: &mut NodeData) -> Result<()> {
        data.insert("greeting".into(), format!("hello, {}", node.name).into());
        Ok(())
    }
}

async fn greet(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<String> {
    let node =
        cx.model().node(node_id).await?.ok_or_else(|| Error::not_found(format!("there is no node {node_id}")))?;
    Ok(format!("hello, {}\n", node.name))
}
