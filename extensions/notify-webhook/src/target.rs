//! The targets, each with a client of its own.

use crate::{message::Message, plan::Plan, settings::NotifySettings, verdict::verdict};
use rivetgun::prelude::*;
use rivetgun_outbound::{
    Client, Secrets, builder,
    reqwest::{
        self,
        header::{CONTENT_TYPE, HeaderValue},
    },
};
use std::{collections::BTreeMap, iter};
use tokio::sync::OnceCell;

/// All targets. They are made with the first event: that reads the certificates of the system.
#[derive(Debug, Default)]
pub(crate) struct Targets(OnceCell<BTreeMap<String, Target>>);

/// Where events are posted to.
#[derive(Debug)]
pub(crate) struct Target {
    name: String,
    plan: Plan,
    client: Client,
}

impl Targets {
    /// The target of this name.
    pub(crate) async fn named(&self, name: &str, settings: &NotifySettings) -> Result<&Target> {
        let targets = self.0.get_or_try_init(async || make(settings).await).await?;
        targets.get(name).ok_or_else(|| Error::unavailable(format!("no target `{name}` is set any more")))
    }
}

async fn make(settings: &NotifySettings) -> Result<BTreeMap<String, Target>> {
    let plans: Vec<(String, Plan)> = settings.plans().map(|(name, plan)| (name.to_owned(), plan)).collect();
    let made = tokio::task::spawn_blocking(move || {
        let made = plans.into_iter().map(|(name, plan)| Ok((name.clone(), Target::new(name, plan)?)));
        made.collect::<reqwest::Result<_>>()
    });
    Ok(made.await??)
}

impl Target {
    fn new(name: String, plan: Plan) -> reqwest::Result<Self> {
        let client = builder(concat!("rivetgun-notify-webhook/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(plan.connect_timeout)
            .timeout(plan.timeout);
        Ok(Self { client: Client::new(client, plan.reach)?, name, plan })
    }

    /// Posts an event once, signed at this time.
    pub(crate) async fn post(&self, event: &Event, timestamp: i64) -> Result<()> {
        let Message { id, body } = Message::of(event, &self.name)?;
        let mut headers = self.plan.headers.clone();
        headers.extend(self.secrets().await?.sign(&id, timestamp, iter::once(body.clone()))?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.client.post(self.plan.url.url(), headers, body).await {
            Ok(status) => {
                tracing::debug!(name = self.name, sequence = event.sequence, %status, "an event was taken");
                Ok(())
            }
            Err(failure) => Err(verdict(&format!("target `{}` at {}", self.name, self.plan.url), &failure)),
        }
    }

    async fn secrets(&self) -> Result<Secrets> {
        self.plan.secrets().read().await.map_err(|error| {
            let name = &self.name;
            tracing::error!(name, %error, "the secrets of a target cannot be read");
            Error::unavailable(format!("the `secret_file` of target `{name}` is of no use; the server's log tells why"))
        })
    }
}
