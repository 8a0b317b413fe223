//! What the types that handlers answer with say of themselves.
//!
//! utoipa collects the schemas of arguments, and not those of answers. So the schemas that an answer refers to travel
//! with its description, as the extension [`SCHEMAS`], until [`super::complete`] moves them to where they belong.

use super::Document;
use crate::{
    http::{
        data::Defaults,
        error::Problem,
        event_stream::Followed,
        extract::Json,
        log::Log,
        respond::{Accepted, Created, Exposition, List, Markdown, NoContent, Null, Removal, Text, Whole},
        websocket::Switched,
    },
    model::{Customisation, Task},
    store::LogLine,
};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        Array, ContentBuilder, HeaderBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        extensions::ExtensionsBuilder,
        response::{Response, ResponseBuilder},
        schema::Type,
    },
};

/// The extension of a response that holds the schemas to which it refers, by name.
pub(super) const SCHEMAS: &str = "x-schemas";

type Responses = BTreeMap<String, RefOr<Response>>;

impl<T: ToSchema> IntoResponses for Json<T> {
    fn responses() -> Responses {
        only("200", body::<T>(named::<T>()).description(description_of::<T>()))
    }
}

impl<T: ToSchema> IntoResponses for Created<T> {
    fn responses() -> Responses {
        only("201", body::<T>(named::<T>()).description(description_of::<T>()))
    }
}

impl IntoResponses for Accepted {
    fn responses() -> Responses {
        let description = "The task that was begun; one that had nothing to do has ended already.";
        only("202", body::<Task>(named::<Task>()).description(description))
    }
}

impl IntoResponses for Removal {
    fn responses() -> Responses {
        let mut responses =
            only("200", body::<Task>(named::<Task>()).description("The task, which has ended already."));
        let description = "The task that was begun: an orchestrator takes away what is on the machines first.";
        responses.extend(only("202", body::<Task>(named::<Task>()).description(description)));
        responses
    }
}

impl<T: ToSchema> IntoResponses for List<T> {
    fn responses() -> Responses {
        let range = HeaderBuilder::new()
            .description(Some("Which part of the list this is, and how long the list is."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some(json!("objects 0-49/1234")));
        let part = body::<T>(Array::new(named::<T>()).into()).header("Content-Range", range.build());
        only("200", part.description("The part of the list that was asked for."))
    }
}

impl IntoResponses for Log {
    fn responses() -> Responses {
        let mut responses = List::<LogLine>::responses();
        let lines = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
        for response in responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            response.description = "The part of the list that was asked for; or the lines as events.".to_owned();
            response.content.insert("text/event-stream".to_owned(), RefOr::T(lines.clone()));
        }
        responses
    }
}

impl<T: ToSchema> IntoResponses for Whole<T> {
    fn responses() -> Responses {
        only("200", body::<T>(Array::new(named::<T>()).into()).description("The whole list."))
    }
}

impl IntoResponses for Defaults {
    fn responses() -> Responses {
        let merged = Array::new(ObjectBuilder::new().description(Some("What a node gets, in one document.")));
        let either = OneOfBuilder::new().item(named::<Customisation>()).item(merged);
        only("200", body::<Customisation>(either.into()).description("The data, split or merged."))
    }
}

impl IntoResponses for NoContent {
    fn responses() -> Responses {
        only("204", ResponseBuilder::new().description("Done."))
    }
}

impl IntoResponses for Null {
    fn responses() -> Responses {
        let null = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Null))).build();
        only("200", ResponseBuilder::new().description("Done.").content("application/json", null))
    }
}

impl IntoResponses for Text {
    fn responses() -> Responses {
        only("200", text("text/plain; charset=utf-8"))
    }
}

impl IntoResponses for Followed {
    fn responses() -> Responses {
        only("200", text("text/event-stream").description("The events as they come."))
    }
}

impl IntoResponses for Switched {
    fn responses() -> Responses {
        only("101", ResponseBuilder::new().description("From here on it is a WebSocket."))
    }
}

impl IntoResponses for Markdown {
    fn responses() -> Responses {
        only("200", text("text/markdown; charset=utf-8"))
    }
}

impl IntoResponses for Exposition {
    fn responses() -> Responses {
        only("200", text(Self::CONTENT_TYPE))
    }
}

impl IntoResponses for Document {
    fn responses() -> Responses {
        let object = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Object))).build();
        only("200", ResponseBuilder::new().description("OpenAPI 3.1.").content("application/json", object))
    }
}

/// Refusals stand beside what they refuse: [`super::refusals`] has those that many operations share.
impl IntoResponses for Problem {
    fn responses() -> Responses {
        Responses::new()
    }
}

fn only(status: &str, response: ResponseBuilder) -> Responses {
    BTreeMap::from([(status.to_owned(), RefOr::T(response.build()))])
}

/// A JSON body that is made of `T`.
fn body<T: ToSchema>(schema: RefOr<Schema>) -> ResponseBuilder {
    let mut schemas = Vec::new();
    if let RefOr::Ref(_) = named::<T>() {
        schemas.push((T::name().into_owned(), T::schema()));
    }
    T::schemas(&mut schemas);
    let schemas: BTreeMap<_, _> = schemas.into_iter().collect();
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let extensions = ExtensionsBuilder::new().add(SCHEMAS, json!(schemas)).build();
    ResponseBuilder::new().content("application/json", content).extensions(Some(extensions))
}

/// The schema of a type by its name; a text or a number has none.
fn named<T: ToSchema>() -> RefOr<Schema> {
    match T::schema() {
        RefOr::T(Schema::Object(plain)) if plain.properties.is_empty() && plain.enum_values.is_none() => plain.into(),
        _ => Ref::from_schema_name(T::name()).into(),
    }
}

fn description_of<T: ToSchema>() -> String {
    let description = match T::schema() {
        RefOr::T(Schema::Object(object)) => object.description,
        RefOr::T(Schema::OneOf(choice)) => choice.description,
        _ => None,
    };
    description.unwrap_or_else(|| "Done.".to_owned())
}

fn text(content_type: &str) -> ResponseBuilder {
    let text = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
    ResponseBuilder::new().description("A text.").content(content_type, text)
}
