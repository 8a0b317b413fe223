//! `rivetgun dead-letters list|replay|drop`

use super::{
    CliError,
    arguments::{DeadLettersAction, WhichLetters},
    output::{self, say},
};
use crate::{
    boot::{self, Linked},
    error::Refusal,
    events,
    server::{Clock, Server},
    settings::Settings,
    store::{self, DeadLetter, DeadLetters, Listed, Page},
};
use chrono::SecondsFormat;
use sea_orm::DbErr;

pub(super) async fn dead_letters(settings: Settings, action: DeadLettersAction) -> Result<(), CliError> {
    // A server may be running, of this version or another: it is not for this command to migrate.
    let settings = Settings { migrate: false, ..settings };
    let assembled = Linked::new(settings)?.migrated().await?.assembled(Clock::system());
    let done = act(&assembled.server, action).await;
    boot::stop_work(&assembled.server).await;
    done
}

async fn act(server: &Server, action: DeadLettersAction) -> Result<(), CliError> {
    match action {
        DeadLettersAction::List { which, limit, json } => {
            let listed = list(server, &which.into(), limit).await.map_err(Refusal::from)?;
            show(&listed, json)
        }
        DeadLettersAction::Replay { which, all: _ } => {
            let replayed = events::replay(server, &which.into()).await?;
            say(format!("{} tried again, by a server that runs or by the next one", are(replayed)))
        }
        DeadLettersAction::Drop { which, all: _ } => {
            let dropped = events::drop_dead_letters(server, &which.into()).await?;
            say(format!("{} dropped", are(dropped)))
        }
    }
}

/// The first so many, in parts that are not too large for a server.
async fn list(server: &Server, which: &DeadLetters, limit: u64) -> Result<Listed<DeadLetter>, DbErr> {
    let mut all = Listed { items: Vec::new(), offset: 0, total: 0 };
    loop {
        let offset = all.items.len() as u64;
        let page = Page { limit: Some(limit - offset), offset, order_by: None };
        let part = store::dead_letters::list(server.store.reader(), which, &page).await?;
        all.total = part.total;
        if part.items.is_empty() {
            return Ok(all);
        }
        all.items.extend(part.items);
    }
}

fn show(Listed { items, total, .. }: &Listed<DeadLetter>, json: bool) -> Result<(), CliError> {
    if json {
        return say(format!("{:#}", serde_json::json!(items)));
    }
    if items.is_empty() {
        return say(if *total == 0 { "there are no dead letters" } else { "none of them is shown" });
    }
    let mut rows = vec![
        ["EXTENSION", "SUBSCRIPTION", "SEQUENCE", "EVENT", "ATTEMPTS", "GIVEN UP", "ERROR"].map(str::to_owned).to_vec(),
    ];
    rows.extend(items.iter().map(|letter| {
        let event = letter.event.as_ref().map(|event| format!("{}.{}.{}", event.kind, event.action, event.key));
        vec![
            letter.extension.clone(),
            if letter.subscription.is_empty() { "–".to_owned() } else { letter.subscription.clone() },
            letter.sequence.to_string(),
            event.unwrap_or_else(|| "–".to_owned()),
            letter.attempts.to_string(),
            letter.time.to_rfc3339_opts(SecondsFormat::Secs, true),
            letter.error.lines().collect::<Vec<_>>().join(" "),
        ]
    }));
    say(output::table(&rows))?;
    let left = total - items.len() as u64;
    if left > 0 { say(format!("and {left} more; --limit shows more of them")) } else { Ok(()) }
}

fn are(count: u64) -> String {
    match count {
        0 => "no dead letter is".to_owned(),
        1 => "1 dead letter is".to_owned(),
        count => format!("{count} dead letters are"),
    }
}

impl From<WhichLetters> for DeadLetters {
    fn from(WhichLetters { extension, subscription, sequences }: WhichLetters) -> Self {
        Self { extension, subscription, sequences: Some(sequences).filter(|sequences| !sequences.is_empty()) }
    }
}
