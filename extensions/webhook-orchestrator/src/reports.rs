//! Reports, as they are posted: who may, what they say, and what is answered.

use crate::{WebhookOrchestrator, deliveries::Delivery};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    response::Response,
};
use rivetgun::prelude::*;
use rivetgun_outbound::Claim;
use serde::Deserialize;

/// The body of `POST /tasks/{uuid}/report`. Whatever else is left out is not known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskSaid {
    /// The uuid of the task, once more. The path is not signed, and the body is: without it, a report that somebody held up
    /// could be sent as one about another task.
    pub(crate) task: Uuid,
    /// How far the task as a whole is, in per cent.
    #[serde(default)]
    pub(crate) progress: Option<Percent>,
    /// What there is to say of single nodes.
    #[serde(default)]
    pub(crate) nodes: Vec<NodeSaid>,
    /// What became of all nodes that have not ended yet: `done` and `failed` end the task.
    #[serde(default)]
    pub(crate) status: Option<Stage>,
    /// Why it failed; else a line for the log of the task.
    #[serde(default)]
    pub(crate) message: Option<String>,
}

/// What is said of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSaid {
    /// Its id. Nodes that are not in the task are ignored.
    pub(crate) id: i64,
    /// How far the work on it is.
    #[serde(default)]
    pub(crate) status: Option<NodeStage>,
    /// How far the work on it is, in per cent.
    #[serde(default)]
    pub(crate) progress: Option<Percent>,
    /// Why the work on it failed; else a line for the log of the task.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Whether it can be reached, where that was found out.
    #[serde(default)]
    pub(crate) online: Option<bool>,
}

/// How far the work on a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// It goes on.
    Running,
    /// It ended well.
    Done,
    /// It ended badly.
    Failed,
}

/// How far the work on a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NodeStage {
    /// It goes on.
    Running,
    /// It ended well.
    Done,
    /// The node was wiped and boots its agent again: what a stop can come to.
    Erased,
    /// It ended badly.
    Failed,
}

/// A number from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Percent(u8);

/// Takes a report.
pub(crate) async fn take(
    cx: ExtensionContext,
    Path(task): Path<Uuid>,
    request: Request,
) -> Result<StatusCode, Response> {
    let (delivery, request) = admit(&cx, request).await?;
    let Json(said) = Json::<TaskSaid>::from_request(request, &()).await?;
    hear(&cx, task, said, delivery).await.map(|()| StatusCode::NO_CONTENT).map_err(IntoResponse::into_response)
}

/// Lets in what is signed, fresh, and was not there before. Before the body is read, its time is looked at; before it is
/// parsed, its signature.
async fn admit(cx: &ExtensionContext, request: Request) -> Result<(Delivery, Request), Response> {
    let refuse = |detail: &'static str| Error::unauthorized(detail).into_response();
    let settings = cx.settings::<WebhookOrchestrator>();
    let claim = Claim::of(request.headers()).ok_or_else(|| {
        refuse("a report is signed, with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`")
    })?;
    if cx.now().timestamp().abs_diff(claim.timestamp) > u64::from(settings.tolerance()) {
        return Err(refuse("the report was not signed just now: sign what is sent again anew, and look at the clocks"));
    }
    let (parts, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &())
        .await
        .map_err(IntoResponse::into_response)?;
    let secrets = settings.secrets().await.map_err(|error| {
        tracing::warn!(%error, "a report is refused");
        refuse("no secret is set here that reports could be signed with")
    })?;
    if !secrets.have_signed(&claim, &body) {
        return Err(refuse("no signature of the report is made with a secret that is known here"));
    }
    let delivery = Delivery::of(&claim, &body, settings.tolerance());
    match delivery.was_taken(cx).await {
        Ok(false) => Ok((delivery, Request::from_parts(parts, Body::from(body)))),
        Ok(true) => Err(refuse(TAKEN)),
        Err(error) => Err(error.into_response()),
    }
}

const TAKEN: &str = "this very report was taken already: what is sent again is signed anew";

/// Applies a report, and only then notes that it was taken. Between the two the server may be killed, or the database be
/// busy: then the same message is good once more, and applied to no effect. The other way round it would be lost.
async fn hear(cx: &ExtensionContext, task: Uuid, said: TaskSaid, delivery: Delivery) -> Result<()> {
    if said.task != task {
        return Err(Error::invalid("`task` of the body is not the task of the path"));
    }
    let (report, lines) = said.into_report();
    // The lines come first: whoever sees the task's end shall find all of them.
    if !lines.is_empty() && !delivery.is_sent_again(cx).await? {
        cx.log(task, lines).await?;
    }
    if cx.report(task, report).await? == Heard::Unknown {
        return Err(Error::not_found(format!("no orchestrator of this extension works on task {task}")));
    }
    if delivery.note(cx).await? { Ok(()) } else { Err(Error::unauthorized(TAKEN)) }
}

impl TaskSaid {
    /// The report, and the lines for the log.
    fn into_report(self) -> (Report, Vec<(Option<i64>, String)>) {
        let mut lines = Vec::new();
        let mut report = Report::new();
        for NodeSaid { id, status, progress, message, online } in self.nodes {
            let said = match (status, progress, message) {
                (Some(NodeStage::Failed), _, message) => Some(Said::Failed(reason(message))),
                (status, progress, message) => {
                    lines.extend(message.map(|message| (Some(id), message)));
                    match status {
                        Some(NodeStage::Done) => Some(Said::Done),
                        Some(NodeStage::Erased) => Some(Said::Erased),
                        _ => progress.map(|percent| Said::Progress(percent.into())),
                    }
                }
            };
            report.nodes.push(NodeReport { node: id, said, online });
        }
        report.progress = self.progress.map(u8::from);
        report.rest = match (self.status, self.message) {
            (Some(Stage::Failed), message) => Some(Said::Failed(reason(message))),
            (status, message) => {
                lines.extend(message.map(|message| (None, message)));
                (status == Some(Stage::Done)).then_some(Said::Done)
            }
        };
        (report, lines)
    }
}

fn reason(message: Option<String>) -> String {
    message.unwrap_or_else(|| "the orchestrator did not say why".to_owned())
}

impl TryFrom<u64> for Percent {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        let percent = u8::try_from(number).ok().filter(|percent| *percent <= 100);
        percent.map(Self).ok_or_else(|| format!("{number} is more than 100 per cent"))
    }
}

impl From<Percent> for u8 {
    fn from(Percent(percent): Percent) -> Self {
        percent
    }
}
