//! Reports that were taken, for as long as they could be sent once more by somebody who overheard them.

use rivetgun::prelude::{
    sea_orm::{ActiveValue::Set, TryInsertResult, entity::prelude::*},
    *,
};
use rivetgun_outbound::Claim;

/// By how many seconds the clocks of servers on one database may differ.
const CLOCKS: i64 = 60;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_orchestrator_deliveries")]
pub(crate) struct Model {
    /// Of what was signed: the same message is the same row, whichever signatures it has.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    /// Its `webhook-id`, which it shares with what is sent again under a new time.
    pub message_id: String,
    /// From then on it is too old to be taken anyway.
    pub expires: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// A message on its way in.
pub(crate) struct Delivery {
    digest: String,
    message_id: String,
    expires: DateTimeUtc,
}

impl Delivery {
    pub(crate) fn of(claim: &Claim, body: &[u8], tolerance: u32) -> Self {
        let expires = claim.timestamp.saturating_add(i64::from(tolerance)).saturating_add(CLOCKS);
        let expires = chrono::DateTime::from_timestamp(expires, 0).unwrap_or(DateTimeUtc::MAX_UTC);
        Self { digest: claim.digest(body), message_id: claim.id.clone(), expires }
    }

    /// Whether this very message was taken.
    pub(crate) async fn was_taken(&self, cx: &ExtensionContext) -> Result<bool> {
        Ok(Entity::find_by_id(self.digest.as_str()).one(cx.db()).await?.is_some())
    }

    /// Whether a message of this id was taken, at whatever time it was signed.
    pub(crate) async fn is_sent_again(&self, cx: &ExtensionContext) -> Result<bool> {
        let same = Entity::find().filter(Column::MessageId.eq(self.message_id.as_str()));
        Ok(same.one(cx.db()).await?.is_some())
    }

    /// Notes that it was taken; `false` where somebody else did so at the same moment. What is too old is forgotten.
    pub(crate) async fn note(self, cx: &ExtensionContext) -> Result<bool> {
        let Self { digest, message_id, expires } = self;
        let row = ActiveModel { digest: Set(digest), message_id: Set(message_id), expires: Set(expires) };
        let tx = cx.transaction().await?;
        Entity::delete_many().filter(Column::Expires.lt(cx.now())).exec(&*tx).await?;
        let noted = Entity::insert(row).on_conflict_do_nothing().exec_without_returning(&*tx).await?;
        tx.commit().await?;
        Ok(!matches!(noted, TryInsertResult::Conflicted | TryInsertResult::Inserted(0)))
    }
}
