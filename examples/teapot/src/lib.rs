#![doc = include_str!("../README.md")]

mod kettle;
mod settings;

use kettle::Kettle;
use rivetgun::prelude::*;
pub use settings::Settings;
use std::sync::Arc;

/// The extension. The server makes one at start, and its kettle with it.
#[derive(Debug, Default)]
pub struct Teapot {
    kettle: Arc<Kettle>,
}

#[extension(name = "teapot", settings = Settings)]
impl Extension for Teapot {
    fn urls(&self) -> Urls {
        let kettle = Arc::clone(&self.kettle);
        urls! {
            "/teapot/?" => get(brew),
            "/teapot/version/?" => get(version),
            "/teapot/temperature/?" => get(async move || kettle.temperature().to_string()),
        }
    }

    fn validate(&self, cx: &SetupContext<'_>) -> Result<()> {
        cx.settings::<Self>().check()
    }

    async fn start(&self, cx: &StartContext) -> Result<()> {
        let (kettle, interval) = (Arc::clone(&self.kettle), cx.settings::<Self>().interval());
        cx.spawn("kettle", move |cx| {
            let kettle = Arc::clone(&kettle);
            async move {
                while cx.sleep(interval).await {
                    kettle.heat();
                }
                Ok(())
            }
        });
        Ok(())
    }
}

/// Without [`Verbatim`] the text of an error goes out in problem details.
async fn brew() -> Verbatim<(StatusCode, &'static str)> {
    Verbatim((StatusCode::IM_A_TEAPOT, "I am teapot"))
}

async fn version() -> &'static str {
    "T800"
}
