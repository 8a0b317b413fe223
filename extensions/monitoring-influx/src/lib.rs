#![doc = include_str!("../README.md")]

mod line;
mod settings;
mod write;

use rivetgun::prelude::*;
use write::Writer;

pub use settings::InfluxSettings;

/// The extension `monitoring_influx`.
#[derive(Debug, Default)]
pub struct MonitoringInflux {
    writer: Writer,
}

#[extension(name = "monitoring_influx", settings = InfluxSettings)]
impl Extension for MonitoringInflux {
    fn monitors(&self, cx: &SetupContext<'_>) -> bool {
        cx.settings::<Self>().target().is_some()
    }

    async fn start(&self, cx: &StartContext) -> Result<()> {
        match cx.settings::<Self>().target() {
            Some(target) => tracing::info!(%target, "points are written"),
            None => tracing::info!("no `url` is set below [extensions.monitoring_influx]: no points are written"),
        }
        Ok(())
    }

    async fn on_monitoring(&self, cx: &ExtensionContext, points: &[Point]) -> Result<()> {
        self.writer.write(cx.settings::<Self>(), line::lines(points)?).await
    }
}
