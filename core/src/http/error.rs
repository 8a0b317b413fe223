//! Errors as callers see them: problem details (RFC 9457). The one place that knows which status an error has.
//!
//! A [`Problem`] travels as an extension of its response, without a body, until [`super::middleware`] writes it: there
//! the request id is known, and errors that are not ours (axum's rejections, its 404 and 405) become problems as well.

use crate::{
    codes::{ErrorCode, catalogue},
    contain::Fault,
    error::{Mistake, Refusal, Veto, chain},
    events::{Full, NoFollower},
    extension::{Error, Kind},
    store::{DatabaseFault, fault_of},
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use problem_details::ProblemDetails;
use sea_orm::DbErr;
use serde::Serialize;
use std::time::Duration;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

catalogue! {
    RG0400 = "Bad Request";
    RG0401 = "Unauthorized";
    RG0403 = "Forbidden";
    RG0404 = "Not Found";
    RG0405 = "Method Not Allowed";
    RG0409 = "Conflict";
    RG0413 = "Content Too Large";
    RG0415 = "Unsupported Media Type";
    RG0416 = "Range Not Satisfiable";
    RG0422 = "Unprocessable Content";
    RG0500 = "Internal Server Error";
    RG0503 = "Service Unavailable";
    RG0504 = "Gateway Timeout";
}

/// For how long something is unavailable unless it is known better.
const WAIT: Duration = Duration::from_secs(2);

/// An error on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    pub(super) extension: Option<String>,
    errors: Vec<Place>,
    /// How long the list is that the request went beyond.
    total: Option<u64>,
    /// How long to wait before the same is asked again, of what is unavailable.
    wait: Duration,
}

/// One of several things that are wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Place {
    /// Where in the body, as a JSON Pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// The extension that found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    extension: Option<String>,
    /// What is wrong there.
    detail: String,
}

/// The members of the body beside those of the standard.
#[derive(Serialize, ToSchema)]
struct Members {
    /// What kind of error it is; `/errors/{code}` tells more.
    code: &'static str,
    /// The extension that is responsible, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    extension: Option<String>,
    /// What is wrong, place by place, where several things are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Place>,
    /// The id under which the log has more of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), extension: None, errors: Vec::new(), total: None, wait: WAIT }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_json() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be JSON, with `Content-Type: application/json`")
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// What is ours to mend; the caller learns nothing but the id under which the log has it.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log has more under the request id")
    }

    fn of(status: StatusCode, detail: impl Into<String>, extension: &str) -> Self {
        Self { extension: Some(extension.to_owned()), ..Self::new(status, detail) }
    }

    /// The problem of a fault of an extension.
    pub(super) fn of_fault(extension: &str, fault: &Fault) -> Self {
        let detail = format!("extension `{extension}` {}", fault.public("a handler of its URLs"));
        Self::of(status_of(fault), detail, extension)
    }

    /// The problem of an extension that could not be started.
    pub(super) fn of_failed(extension: &str, reason: &str) -> Self {
        Self::of(StatusCode::SERVICE_UNAVAILABLE, format!("extension `{extension}` has failed: {reason}"), extension)
    }

    /// Several things that keep the server from answering.
    pub(super) fn not_ready(detail: impl Into<String>, errors: Vec<Place>) -> Self {
        Self { errors, ..Self::unavailable(detail) }
    }

    /// What kind of error it is.
    pub(super) fn code(&self) -> &'static str {
        code_of(self.status).code
    }

    /// The body, with the headers that belong to it.
    pub(super) fn write(self, request_id: &str) -> Response {
        let code = code_of(self.status);
        let server_error = self.status.is_server_error();
        let members = Members {
            code: code.code,
            extension: self.extension,
            errors: self.errors,
            request_id: server_error.then(|| request_id.to_owned()),
        };
        let problem = ProblemDetails::from_status_code(self.status)
            .with_type(format!("/errors/{}", code.code).parse::<axum::http::Uri>().unwrap_or_default())
            .with_title(code.title)
            .with_detail(self.detail)
            .with_extensions(members);
        let mut response = problem.into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = self.wait.as_secs().saturating_add(u64::from(self.wait.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(total) = self.total.and_then(|total| HeaderValue::from_str(&format!("objects */{total}")).ok()) {
            response.headers_mut().insert(header::CONTENT_RANGE, total);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The body: the members that RFC 9457 has, and ours.
impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(ours)) = Members::schema() else { return Members::schema() };
        let text = |description| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        ObjectBuilder::from(ours)
            .description(Some("Problem details (RFC 9457)."))
            .property("type", text("The page that tells more of its kind."))
            .property("title", text("Its kind, for people."))
            .property("status", ObjectBuilder::new().schema_type(Type::Integer).description(Some("The status.")))
            .property("detail", text("What is wrong and what to do, for people."))
            .required("type")
            .required("title")
            .required("status")
            .required("detail")
            .into()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Members::schemas(schemas);
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Malformed { mistakes, .. } => {
                let errors = mistakes.into_iter().map(Place::from).collect();
                Self { errors, ..Self::bad_request(text) }
            }
            Refusal::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, text),
            Refusal::NotFound(_) => Self::new(StatusCode::NOT_FOUND, text),
            Refusal::Conflict(_) | Refusal::Illegal(_) => Self::new(StatusCode::CONFLICT, text),
            Refusal::OutOfRange { total, .. } => {
                Self { total: Some(total), ..Self::new(StatusCode::RANGE_NOT_SATISFIABLE, text) }
            }
            Refusal::Vetoed(vetoes) => match <[Veto; 1]>::try_from(vetoes) {
                Ok([Veto { extension, reason }]) => Self::of(StatusCode::CONFLICT, reason, &extension),
                Err(vetoes) => {
                    let errors = vetoes.into_iter().map(Place::from).collect();
                    Self { errors, ..Self::new(StatusCode::CONFLICT, text) }
                }
            },
            Refusal::Faulted { extension, fault, .. } => Self::of(status_of(&fault), text, &extension),
            Refusal::Stage { extension, fault, .. } => Self::of(status_of_stage(&fault), text, &extension),
            Refusal::Database(error) => Self::from(error),
        }
    }
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        match fault_of(&error) {
            DatabaseFault::Conflict => Self::new(
                StatusCode::CONFLICT,
                "somebody else wrote the same at the same moment; read it again, and decide",
            ),
            DatabaseFault::Unstorable => {
                Self::bad_request("the database cannot store a value of the request, such as a NUL character in a text")
            }
            DatabaseFault::Unavailable => {
                tracing::warn!(error = chain(&error), "the database is busy or out of reach");
                Self::unavailable("the database is busy or out of reach; try again")
            }
            DatabaseFault::Defect => {
                tracing::error!(error = chain(&error), "the database failed");
                Self::internal()
            }
        }
    }
}

impl From<NoFollower> for Problem {
    fn from(reason: NoFollower) -> Self {
        match reason {
            NoFollower::NotYet { .. } => Self::bad_request(reason.to_string()),
            NoFollower::Database(error) => Self::from(error),
        }
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        Self::unavailable(full.to_string())
    }
}

/// What a URL handler of an extension answers with `?`.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = match self.into_kind() {
            Kind::Veto(detail) | Kind::Conflict(detail) => Problem::new(StatusCode::CONFLICT, detail),
            Kind::NotFound(detail) => Problem::new(StatusCode::NOT_FOUND, detail),
            Kind::Invalid(detail) => Problem::bad_request(detail),
            Kind::Mistakes(mistakes) => Problem::from(Refusal::mistakes(mistakes)),
            Kind::Unauthorized(detail) => Problem::new(StatusCode::UNAUTHORIZED, detail),
            Kind::Unavailable(detail, wait) => Problem { wait: wait.unwrap_or(WAIT), ..Problem::unavailable(detail) },
            Kind::Failed(error) => match error.downcast::<DbErr>() {
                // What the fence says is no failure of the database.
                Ok(error) if !matches!(*error, DbErr::Custom(_)) => Problem::from(*error),
                Ok(error) => {
                    tracing::error!(error = chain(&*error), "the handler of an extension failed");
                    Problem::internal()
                }
                Err(error) => {
                    tracing::error!(error = chain(&*error), "the handler of an extension failed");
                    Problem::internal()
                }
            },
        };
        problem.into_response()
    }
}

impl Place {
    /// Something that is amiss, and no part of a request; with an extension, where it is that.
    pub(super) fn amiss(extension: Option<&str>, detail: impl Into<String>) -> Self {
        Self { pointer: None, extension: extension.map(str::to_owned), detail: detail.into() }
    }
}

impl From<Mistake> for Place {
    fn from(mistake: Mistake) -> Self {
        Self { pointer: Some(mistake.pointer), extension: None, detail: mistake.detail }
    }
}

impl From<Veto> for Place {
    fn from(veto: Veto) -> Self {
        Self { pointer: None, extension: Some(veto.extension), detail: veto.reason }
    }
}

fn status_of(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Refused(_) => StatusCode::CONFLICT,
        Fault::TimedOut(_) | Fault::Blocked(_) => StatusCode::GATEWAY_TIMEOUT,
        Fault::HeldUp(_) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Failed(_) | Fault::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a stage is given are data that people made: where it says what is wrong with them, that is no failure of the server.
fn status_of_stage(fault: &Fault) -> StatusCode {
    let Fault::Failed(error) = fault else { return status_of(fault) };
    match error.kind() {
        Kind::Invalid(_) | Kind::Mistakes(_) | Kind::NotFound(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Conflict(_) | Kind::Veto(_) => StatusCode::CONFLICT,
        Kind::Unauthorized(_) | Kind::Unavailable(..) => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn code_of(status: StatusCode) -> &'static ErrorCode {
    match status {
        StatusCode::UNAUTHORIZED => &RG0401,
        StatusCode::FORBIDDEN => &RG0403,
        StatusCode::NOT_FOUND => &RG0404,
        StatusCode::METHOD_NOT_ALLOWED => &RG0405,
        StatusCode::CONFLICT => &RG0409,
        StatusCode::PAYLOAD_TOO_LARGE => &RG0413,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => &RG0415,
        StatusCode::RANGE_NOT_SATISFIABLE => &RG0416,
        StatusCode::UNPROCESSABLE_ENTITY => &RG0422,
        StatusCode::SERVICE_UNAVAILABLE => &RG0503,
        StatusCode::GATEWAY_TIMEOUT => &RG0504,
        status if status.is_server_error() => &RG0500,
        _ => &RG0400,
    }
}

#[cfg(test)]
mod tests {
    use super::Problem;
    use crate::extension::Error;
    use axum::{http::header::RETRY_AFTER, response::IntoResponse};
    use std::time::Duration;

    #[test]
    fn who_asks_for_what_is_away_is_told_for_how_long() {
        for (error, seconds) in [
            (Error::unavailable("away"), "2"),
            (Error::unavailable_for(Duration::from_secs(7), "away"), "7"),
            (Error::unavailable_for(Duration::from_millis(1_200), "away"), "2"),
        ] {
            let problem = error.into_response().extensions_mut().remove::<Problem>().expect("a problem");
            assert_eq!(problem.write("id").headers()[RETRY_AFTER], seconds);
        }
    }
}
