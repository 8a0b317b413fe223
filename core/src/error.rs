//! Why the server does not do what it was asked for, before anybody thinks of status codes.

use crate::{
    contain::Fault,
    model::Illegal,
    store::{DatabaseFault, fault_of},
};
use sea_orm::DbErr;
use std::{any::Any, error::Error as StdError};

/// The result of what can be refused.
pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Why something was not done. Nothing was written then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request makes no sense.
    #[error("{detail}")]
    Malformed { detail: String, mistakes: Vec<Mistake> },
    /// It is well-formed, and not allowed.
    #[error("{0}")]
    Forbidden(String),
    /// What it names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The state of things forbids it.
    #[error("{0}")]
    Conflict(String),
    /// It asks for a part of a list that is not there.
    #[error("the list has {total} entries, none from {offset} on")]
    OutOfRange { offset: u64, total: u64 },
    /// Extensions refused it.
    #[error("{}", vetoes_text(.0))]
    Vetoed(Vec<Veto>),
    /// An extension failed, and the operator did not choose to go on without it.
    #[error("extension `{extension}` {}", fault.public(method))]
    Faulted { extension: String, method: &'static str, fault: Fault },
    /// A pipeline failed; nothing was sent, and nothing changed.
    #[error("{detail}")]
    Stage { extension: String, detail: String, fault: Fault },
    /// It would bring something to where it cannot go from where it is.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The database did not do its part.
    #[error("the database failed")]
    Database(#[from] DbErr),
}

/// One of several mistakes in a request, with its place as a JSON Pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

impl Mistake {
    /// What is wrong at a place of the body: `/0/size` is the member `size` of the first element.
    #[must_use]
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    /// All details in one line.
    pub(crate) fn all(mistakes: &[Self]) -> String {
        mistakes.iter().map(|mistake| mistake.detail.as_str()).collect::<Vec<_>>().join("; ")
    }
}

impl<P: Into<String>, D: Into<String>> From<(P, D)> for Mistake {
    fn from((pointer, detail): (P, D)) -> Self {
        Self::at(pointer, detail)
    }
}

/// The refusal of one extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Veto {
    pub(crate) extension: String,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed { detail: detail.into(), mistakes: Vec::new() }
    }

    /// One or more mistakes, told together.
    pub(crate) fn mistakes(mistakes: Vec<Mistake>) -> Self {
        Self::Malformed { detail: Mistake::all(&mistakes), mistakes }
    }

    /// Whether the same may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(fault_of(error), DatabaseFault::Unavailable | DatabaseFault::Conflict))
    }

    /// The extension that is responsible, where it is one.
    pub(crate) fn extension(&self) -> Option<String> {
        match self {
            Self::Faulted { extension, .. } | Self::Stage { extension, .. } => Some(extension.clone()),
            Self::Vetoed(vetoes) if vetoes.len() == 1 => vetoes.first().map(|veto| veto.extension.clone()),
            _ => None,
        }
    }

    /// `node 7 does not exist`
    pub(crate) fn unknown(what: &str, id: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("{what} {id} does not exist"))
    }
}

fn vetoes_text(vetoes: &[Veto]) -> String {
    vetoes.iter().map(|veto| format!("{}: {}", veto.extension, veto.reason)).collect::<Vec<_>>().join("; ")
}

/// The place in a JSON document at which its reading failed, as a JSON Pointer (RFC 6901).
pub(crate) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        // Many an error repeats its cause in its own text.
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    text
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
