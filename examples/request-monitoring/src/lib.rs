#![doc = include_str!("../README.md")]

mod bucket;
mod settings;

use bucket::Bucket;
use futures_util::{StreamExt, TryStreamExt, stream};
use rivetgun::prelude::*;
use std::sync::OnceLock;

pub use settings::Settings;

/// So many points are on their way at the same time.
const AT_ONCE: usize = 16;

/// The extension. The server makes one at start.
#[derive(Debug, Default)]
pub struct RequestMonitoring {
    bucket: OnceLock<Bucket>,
}

#[extension(name = "request_monitoring", settings = Settings)]
impl Extension for RequestMonitoring {
    async fn initialize(&self, cx: &ExtensionContext) -> Result<()> {
        let bucket = Bucket::create(cx.settings::<Self>()).await?;
        // It is initialized once.
        self.bucket.get_or_init(|| bucket);
        Ok(())
    }

    async fn on_monitoring(&self, _cx: &ExtensionContext, points: &[Point]) -> Result<()> {
        let Some(bucket) = self.bucket.get() else { return Err(Error::unavailable("there is no bucket yet")) };
        let posts = stream::iter(points.to_vec()).map(async |point| bucket.post(&point).await);
        posts.buffer_unordered(AT_ONCE).try_collect().await
    }
}
