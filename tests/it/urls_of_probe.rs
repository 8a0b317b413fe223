//! The handlers behind the URLs of `probe`: ordinary handlers of axum.

use axum::{
    extract::OriginalUri,
    http::{HeaderMap, Uri},
};
use rivetgun::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) async fn echo(Path(text): Path<String>) -> Json<Value> {
    Json(json!({"text": text}))
}

/// Named in another order than in the pattern.
#[derive(Deserialize)]
pub(crate) struct Pair {
    first: String,
    second: String,
}

pub(crate) async fn pair(Path(Pair { first, second }): Path<Pair>) -> Json<Value> {
    Json(json!({"first": first, "second": second}))
}

#[derive(Deserialize)]
pub(crate) struct Maybe {
    number: Option<u32>,
}

pub(crate) async fn maybe(Path(Maybe { number }): Path<Maybe>) -> Json<Value> {
    Json(json!({"number": number}))
}

pub(crate) async fn number(Path(number): Path<i64>) -> Json<Value> {
    Json(json!({"number": number}))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    text: String,
}

pub(crate) async fn body(Json(body): Json<Body>) -> (StatusCode, Json<Body>) {
    (StatusCode::CREATED, Json(body))
}

pub(crate) async fn query(Query(query): Query<BTreeMap<String, u32>>) -> Json<BTreeMap<String, u32>> {
    Json(query)
}

pub(crate) async fn uri(uri: Uri, OriginalUri(original): OriginalUri, headers: HeaderMap) -> Json<Value> {
    let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Json(json!({"uri": uri.to_string(), "original": original.to_string(), "agent": agent}))
}

pub(crate) async fn fail(Path(how): Path<String>) -> Result<StatusCode> {
    match how.as_str() {
        "notfound" => Err(Error::not_found("there is no such thing")),
        "invalid" => Err(Error::invalid("that makes no sense")),
        "conflict" => Err(Error::conflict("not now")),
        "veto" => Err(veto("not ever")),
        "error" => Err(Error::failed("the inner secret of the handler")),
        "panic" => panic!("the inner secret of the handler"),
        "latepanic" => {
            tokio::task::yield_now().await;
            panic!("the inner secret of the handler")
        }
        "hang" => std::future::pending().await,
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Reads the model, and writes a row in a transaction of its own that it does not commit.
pub(crate) async fn node(cx: ExtensionContext, Path(id): Path<i64>) -> Result<Json<Value>> {
    use rivetgun::prelude::sea_orm::ConnectionTrait;
    let transaction = cx.transaction().await?;
    transaction.execute_unprepared("INSERT INTO probe_rows (event, subject) VALUES ('url', 'never')").await?;
    drop(transaction);
    let node = cx.model().node(id).await?.ok_or_else(|| Error::not_found(format!("node {id} does not exist")))?;
    Ok(Json(json!({"name": node.name})))
}
