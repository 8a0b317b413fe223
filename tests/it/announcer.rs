//! The extension that publishes events: of several types, with changes and without.

use rivetgun::prelude::*;

#[derive(Debug, Default)]
struct Announcer;

#[extension(name = "announcer", version = "1.0.0", description = "Publishes events")]
impl Extension for Announcer {
    fn urls(&self) -> Urls {
        urls! { r"/announcer/(?P<how>[a-z]+)/(?P<kind>[^/]+)/(?P<key>[^/]+)/?" => post(say) }
    }

    fn events(&self) -> EventTypes {
        EventTypes::new()
            .readable_by(Role::Viewer, "announcer", "A node was announced, or somebody said so")
            .readable_by(Role::Admin, "announcer_admin", "What admins may hear")
            .private("announcer_private", "What nobody may hear but extensions")
    }

    async fn on_node_create(&self, cx: &HookContext<'_>, node: &Node) -> Result<()> {
        let Some(how) = node.name.strip_prefix("announced") else { return Ok(()) };
        cx.publish("announcer", "announced", &node.name, &json!({"node": node.id}))?;
        match how {
            " and refused" => Err(veto("not this one")),
            " and failed" => Err(Error::failed("it was to fail")),
            _ => Ok(()),
        }
    }
}

/// Publishes an event `said`: alone, or in a transaction that is kept or dropped.
async fn say(cx: ExtensionContext, Path((how, kind, key)): Path<(String, String, String)>) -> Result<StatusCode> {
    let object = json!({"how": how, "name": key});
    match how.as_str() {
        "alone" => cx.publish(&kind, "said", key, &object).await?,
        "number" => cx.publish(&kind, "said", key, &7).await?,
        how => {
            let tx = cx.transaction().await?;
            tx.publish(&kind, "said", key, &object)?;
            if how == "kept" {
                tx.commit().await?;
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
