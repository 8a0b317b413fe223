#![doc = include_str!("../README.md")]

mod directory;
mod files;
mod git;
mod m20261121_000001_create_repos;
mod m20261121_000002_create_whitelist;
mod overlay;
mod repos;
mod rule;
mod settings;
mod texts;
mod whitelist;

use overlay::Overlay;
use rivetgun::prelude::*;

pub use settings::OverlaySettings;

/// The extension `config_overlay`.
#[derive(Debug, Default)]
pub struct ConfigOverlay;

#[extension(name = "config_overlay", settings = OverlaySettings)]
impl Extension for ConfigOverlay {
    fn validate(&self, cx: &SetupContext<'_>) -> Result<()> {
        cx.settings::<Self>().check()
    }

    fn urls(&self) -> Urls {
        urls! {
            r"/config_overlay/repos/?" => get(repos::list).post(repos::create),
            r"/config_overlay/repos/(?P<repo_id>\d+)/?" => get(repos::show).put(repos::replace).delete(repos::delete),
            r"/clusters/(?P<cluster_id>\d+)/config_overlay/whitelist/?" => get(whitelist::list).post(whitelist::create),
            r"/clusters/(?P<cluster_id>\d+)/config_overlay/whitelist/(?P<rule_id>\d+)/?" =>
                get(whitelist::show).put(whitelist::replace).delete(whitelist::delete),
        }
    }

    fn migrations(&self) -> Migrations {
        migrations![m20261121_000001_create_repos, m20261121_000002_create_whitelist]
    }

    fn pipelines(&self) -> Pipelines {
        pipelines![Overlay::default()]
    }

    fn demo(&self) -> Demo {
        Demo::new()
            .file("sites/global.yaml", include_str!("../demo/global.yaml"))
            .file("sites/clusters/sample.yaml", include_str!("../demo/clusters/sample.yaml"))
            .file("sites/roles/compute.yaml", include_str!("../demo/roles/compute.yaml"))
            .file("sites/nodes/node-4.example.org.yaml", include_str!("../demo/nodes/node-4.example.org.yaml"))
            .settings("root = '{dir}'")
            .post("/config_overlay/repos", json!({"repo_name": "sites", "env_id": "{cluster_id}", "path": "sites"}))
    }

    async fn on_cluster_delete(&self, cx: &HookContext<'_>, cluster: &Cluster) -> Result<()> {
        repos::forget(cx.db(), cluster.id).await?;
        whitelist::forget(cx.db(), cluster.id).await
    }
}
