use rivetgun::prelude::*;

#[derive(Default)]
struct Deaf;

#[extension(name = "deaf")]
impl Extension for Deaf {
    async fn handle_event(&self, _cx: &EventContext, _event: &Event) -> Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Mute;

#[extension(name = "mute")]
impl Extension for Mute {
    fn subscriptions(&self, _cx: &SetupContext<'_>) -> Subscriptions {
        Subscriptions::new().to("nodes.create.*")
    }
}

fn main() {}
