//! The refusals that follow from what an operation takes, and the one body that all refusals have.

use crate::http::error::Problem;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ComponentsBuilder, ContentBuilder, Ref, RefOr,
        path::{Operation, Parameter, ParameterIn},
        response::{Response, ResponseBuilder},
    },
};

/// A refusal that many operations share: its status, its name in the document, and when it is met.
struct Shared {
    status: &'static str,
    name: &'static str,
    description: &'static str,
}

const MALFORMED: Shared = Shared {
    status: "400",
    name: "Malformed",
    description: "The path, the query or the body is not what this document says; `errors` names each place.",
};
const UNKNOWN: Shared =
    Shared { status: "404", name: "Unknown", description: "There is nothing with this id or name." };
const CONFLICT: Shared = Shared {
    status: "409",
    name: "Conflict",
    description: "An extension vetoes it, or somebody else wrote the same at the same moment.",
};
/// Added to what an operation says of its conflicts.
const BESIDES: &str = " Or an extension vetoes it, or somebody else wrote the same at the same moment.";
const TOO_LARGE: Shared = Shared { status: "413", name: "TooLarge", description: "The body is too large." };
const NOT_JSON: Shared =
    Shared { status: "415", name: "NotJson", description: "The body is not said to be JSON by `Content-Type`." };
const BEHIND_THE_END: Shared = Shared {
    status: "416",
    name: "BehindTheEnd",
    description: "The list is not as long as `offset` says; `Content-Range` tells how long it is.",
};
const FAILED: Shared = Shared {
    status: "default",
    name: "Failed",
    description: "500: the server or an extension failed. 503: try again after `Retry-After` seconds. \
                  504: an extension took too long.",
};

const REFUSED: Shared = Shared { status: "4XX", name: "Refused", description: "The extension refuses the request." };

/// Adds the refusals of an operation of which nothing is known but that an extension answers.
pub(super) fn add_any(operation: &mut Operation) {
    for refusal in [REFUSED, FAILED] {
        let reference = RefOr::Ref(Ref::from_response_name(refusal.name));
        operation.responses.responses.insert(refusal.status.to_owned(), reference);
    }
}

/// Adds the refusals that the operation has as any of its kind has them, and a body to all that it has.
pub(super) fn add(operation: &mut Operation, is_write: bool) {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let parameters: Vec<&Parameter> = parameters.iter().filter_map(own).collect();
    let takes = |place: ParameterIn| parameters.iter().any(|parameter| parameter.parameter_in == place);
    let has_body = operation.request_body.is_some();
    let is_page = parameters.iter().any(|parameter| parameter.name == "offset");
    let shared = [
        (MALFORMED, has_body || !parameters.is_empty()),
        (UNKNOWN, takes(ParameterIn::Path)),
        (CONFLICT, is_write),
        (TOO_LARGE, has_body),
        (NOT_JSON, has_body),
        (BEHIND_THE_END, is_page),
        (FAILED, true),
    ];
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        let RefOr::T(own) = response else { continue };
        let besides = if is_write && status == CONFLICT.status { BESIDES } else { "" };
        *own = with_body(&format!("{}{besides}", own.description));
    }
    for (refusal, _) in shared.into_iter().filter(|(_, applies)| *applies) {
        let reference = RefOr::Ref(Ref::from_response_name(refusal.name));
        responses.entry(refusal.status.to_owned()).or_insert(reference);
    }
}

/// A parameter that stands where it is used; ours all do.
fn own(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

/// What the operations refer to.
pub(super) fn components() -> Components {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let all = [MALFORMED, UNKNOWN, CONFLICT, TOO_LARGE, NOT_JSON, BEHIND_THE_END, FAILED, REFUSED];
    let components = ComponentsBuilder::new().schemas_from_iter(schemas);
    let components = all
        .into_iter()
        .fold(components, |components, refusal| components.response(refusal.name, with_body(refusal.description)));
    components.build()
}

fn with_body(description: &str) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    ResponseBuilder::new().description(description).content("application/problem+json", problem).build()
}
