//! The other service: a bucket is created, and objects are posted to it.

use crate::Settings;
use rivetgun::prelude::*;
use rivetgun_outbound::{
    builder, may_pass, reason,
    reqwest::{
        Client, RequestBuilder, Response, StatusCode, Url,
        header::{CONTENT_TYPE, HeaderValue},
    },
    told,
};

/// A bucket that is there.
#[derive(Debug)]
pub(crate) struct Bucket {
    client: Client,
    /// Where its objects go.
    objects: Url,
}

impl Bucket {
    /// Creates the bucket, or finds that it is there already.
    ///
    /// # Errors
    /// When it is not there afterwards: the server serves without this extension then, and says why.
    pub(crate) async fn create(settings: &Settings) -> Result<Self> {
        let client = builder(concat!("rivetgun-request-monitoring/", env!("CARGO_PKG_VERSION"))).build()?;
        let mut buckets = settings.url.url().clone();
        buckets.query_pairs_mut().append_pair("bucket", &settings.bucket);
        let answer = send(&settings.url, client.post(buckets)).await?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::CONFLICT => {
                let objects = settings.url.join(&[&settings.bucket, "objects"]);
                Ok(Self { client, objects })
            }
            _ => Err(Error::unavailable(format!(
                "the bucket `{}` could not be created: {} answered {}",
                settings.bucket,
                settings.url,
                told(answer).await
            ))),
        }
    }

    /// Posts a point.
    ///
    /// # Errors
    /// Unavailable, where the point may be posted later; any other where it never will.
    pub(crate) async fn post(&self, point: &Point) -> Result<()> {
        let message = json!({"tags": point.tags(), "fields": point.fields()});
        let request = self.client.post(self.objects.clone()).header(CONTENT_TYPE, JSON).body(message.to_string());
        let answer = send(&"the service of the bucket", request).await?;
        let status = answer.status();
        tracing::debug!(series = point.series(), time = %point.time(), %status, "posted a point");
        match status.as_u16() {
            200..300 => Ok(()),
            _ if may_pass(status) => Err(Error::unavailable(told(answer).await)),
            _ => Err(Error::failed(told(answer).await)),
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

async fn send(to: &impl std::fmt::Display, request: RequestBuilder) -> Result<Response> {
    request.send().await.map_err(|error| Error::unavailable(format!("{to}: {}", reason(error))))
}
