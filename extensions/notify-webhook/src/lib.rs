#![doc = include_str!("../README.md")]

mod checked;
mod message;
mod plan;
mod settings;
mod target;
mod verdict;

use rivetgun::prelude::*;
use target::Targets;

pub use settings::NotifySettings;

/// The extension `notify_webhook`.
#[derive(Debug, Default)]
pub struct NotifyWebhook {
    targets: Targets,
}

#[extension(name = "notify_webhook", settings = NotifySettings)]
impl Extension for NotifyWebhook {
    fn validate(&self, cx: &SetupContext<'_>) -> Result<()> {
        cx.settings::<Self>().check()
    }

    /// One for each target, so that a receiver that is away holds up no other.
    fn subscriptions(&self, cx: &SetupContext<'_>) -> Subscriptions {
        let plans = cx.settings::<Self>().plans();
        plans.fold(Subscriptions::new(), |all, (target, plan)| all.named(target, &plan.filter))
    }

    async fn handle_event(&self, cx: &EventContext, event: &Event) -> Result<()> {
        let target = self.targets.named(cx.subscription(), cx.settings::<Self>()).await?;
        target.post(event, cx.now().timestamp()).await
    }
}
