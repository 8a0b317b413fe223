//! Other extensions read and write layouts through the trait.

use crate::common::{assign, cluster, lines, node, text};
use rivetgun::{prelude::*, testkit::on_both_databases};
use volume_manager::Volumes;

#[derive(Debug, Default)]
struct Shrinker;

/// Halves the last volume of each disk of a node, or undoes that.
#[extension(name = "shrinker", version = "1.0.0", description = "Shrinks volumes", requires = ["volume_manager >= 1.0"])]
impl Extension for Shrinker {
    fn calls(&self) -> Calls {
        Calls::new().to::<dyn Volumes>()
    }

    fn urls(&self) -> Urls {
        urls! { r"/shrinker/(?P<node_id>\d+)/?" => post(shrink).delete(restore) }
    }
}

async fn shrink(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    let node = tx.lock_node(node_id).await?.ok_or_else(|| Error::not_found("there is no such node"))?;
    let volumes = cx.provider::<dyn Volumes>()?.within(&tx);
    let mut disks = volumes.call(|volumes, cx| volumes.get(cx, &node)).await?;
    for part in disks.iter_mut().filter_map(|disk| disk.volumes.last_mut()) {
        part.size /= 2;
    }
    volumes.call(|volumes, cx| volumes.set(cx, &node, disks)).await?;
    drop(volumes);
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn restore(cx: ExtensionContext, Path(node_id): Path<i64>) -> Result<StatusCode> {
    let tx = cx.transaction().await?;
    let node = tx.lock_node(node_id).await?.ok_or_else(|| Error::not_found("there is no such node"))?;
    let volumes = cx.provider::<dyn Volumes>()?.within(&tx);
    volumes.call(|volumes, cx| volumes.set_default(cx, &node)).await?;
    drop(volumes);
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[test]
fn another_extension_reads_writes_and_restores_a_layout() {
    on_both_databases("", async |server| {
        let cluster = cluster(&server, json!({})).await;
        let node = node(&server, "ada", &[102_400]).await;
        assign(&server, &cluster, &node, &["compute"]).await;
        let path = format!("/shrinker/{node}");
        server.post(&path, json!({})).await.expect(204);
        assert_eq!(lines(&server, &node).await, ["sda 101772: os 28672, vm 36550"]);
        server.delete(&path).await.expect(204);
        assert_eq!(lines(&server, &node).await, ["sda 101772: os 28672, vm 73100"]);
        let provides = server.get("/extensions/volume_manager").await.expect(200)["provides"].clone();
        assert!(text(&provides[0]).ends_with("Volumes"), "{provides}");
    });
}
