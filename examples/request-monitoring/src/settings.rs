//! The section `[extensions.request_monitoring]`.

use rivetgun_outbound::HttpUrl;
use serde::Deserialize;

/// Where points go.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The buckets of the other service.
    pub(crate) url: HttpUrl,
    /// The bucket for our points.
    pub(crate) bucket: String,
}

impl Default for Settings {
    fn default() -> Self {
        let url = HttpUrl::try_from("http://127.0.0.1:5020/1/buckets".to_owned());
        Self { url: url.expect("it is a URL"), bucket: "plugin_test_bucket".to_owned() }
    }
}
