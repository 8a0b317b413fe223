//! The URLs of extensions in the document: an operation for each path that a pattern matches, and for each method.
//!
//! OpenAPI tells paths apart by their texts and not by the names of their parameters. Where the patterns of two URLs are
//! such a path, as `/x/(?P<id>\d+)` and `/x/(?P<name>[a-z]+)` are, the first in the total order names the parameters, and
//! each of them takes what either pattern takes.

use super::refusals;
use crate::{
    extension::UrlEntry,
    http::{BASE, templates},
    model::Role,
    registry::Loaded,
};
use axum::http::Method;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr, Required,
    extensions::ExtensionsBuilder,
    path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder},
    request_body::RequestBodyBuilder,
    response::ResponseBuilder,
    schema::Type,
    tag::TagBuilder,
};

/// A path as OpenAPI tells it from others, with what there is to say of it.
#[derive(Default)]
struct Path {
    /// The path of the first URL that has it.
    path: String,
    parameters: Vec<Parameter>,
    operations: Vec<(HttpMethod, Operation)>,
}

struct Parameter {
    name: String,
    /// What it matches, of each URL that has it.
    patterns: Vec<String>,
}

/// The document of the URLs of these extensions, which are in the total order.
pub(super) fn described<'a>(extensions: impl Iterator<Item = &'a Arc<Loaded>>) -> OpenApi {
    let mut tags = Vec::new();
    let mut paths = BTreeMap::<String, Path>::new();
    for extension in extensions.filter(|extension| !extension.urls.is_empty()) {
        let metadata = extension.metadata;
        tags.push(TagBuilder::new().name(metadata.name).description(Some(metadata.description)).build());
        for url in &extension.urls {
            add(&mut paths, metadata.name, url);
        }
    }
    let paths = paths.into_values().fold(PathsBuilder::new(), |paths, path| {
        let name = format!("{BASE}{}", path.path);
        paths.path(name, path.into_item())
    });
    OpenApiBuilder::new().tags(Some(tags)).paths(paths).build()
}

fn add(paths: &mut BTreeMap<String, Path>, extension: &str, url: &UrlEntry) {
    for template in templates(url.pattern) {
        let shape = template.parameters.iter().fold(template.path.clone(), |shape, parameter| {
            shape.replacen(&format!("{{{}}}", parameter.name), "{}", 1)
        });
        let path = paths.entry(shape).or_insert_with(|| Path {
            path: template.path.clone(),
            parameters: template
                .parameters
                .iter()
                .map(|found| Parameter { name: found.name.clone(), patterns: Vec::new() })
                .collect(),
            operations: Vec::new(),
        });
        for (known, found) in path.parameters.iter_mut().zip(template.parameters) {
            if !known.patterns.contains(&found.pattern) {
                known.patterns.push(found.pattern);
            }
        }
        for (method, role) in methods(url) {
            let new = operation(extension, &path.path, &method, role, url);
            match path.operations.iter_mut().find(|(known, _)| *known == method) {
                Some((_, known)) => join(known, new),
                None => path.operations.push((method, new)),
            }
        }
    }
}

/// Two URLs answer at one path, each what its own pattern matches.
fn join(known: &mut Operation, new: Operation) {
    for tag in new.tags.into_iter().flatten() {
        let tags = known.tags.get_or_insert_default();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if known.extensions != new.extensions {
        // Each description tells which role its own pattern needs.
        known.extensions = None;
    }
    if known.description != new.description {
        let descriptions = [known.description.take(), new.description];
        known.description = Some(descriptions.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
    }
}

impl Path {
    fn into_item(self) -> PathItem {
        let parameters: Vec<_> = self.parameters.into_iter().map(Parameter::described).collect();
        let mut item = PathItem::default();
        for (method, mut operation) in self.operations {
            operation.parameters = Some(parameters.clone()).filter(|parameters| !parameters.is_empty());
            item.merge_operations(PathItem::new(method, operation));
        }
        item
    }
}

impl Parameter {
    fn described(self) -> RefOr<utoipa::openapi::path::Parameter> {
        let schema =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!("^(?:{})$", self.patterns.join("|"))));
        let parameter = ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema));
        RefOr::T(parameter.build())
    }
}

fn operation(extension: &str, path: &str, method: &HttpMethod, role: Role, url: &UrlEntry) -> Operation {
    let any = || {
        ContentBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::AnyValue)))
            .build()
    };
    let takes_body = matches!(method, HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch);
    let body =
        RequestBodyBuilder::new().description(Some("What the extension takes.")).content("application/json", any());
    let answer = ResponseBuilder::new().description("What the extension answers.");
    let may = match role {
        Role::Public => "and anybody may call it".to_owned(),
        role => format!("and the caller needs the role `{role}` (listed, and not asked for yet)"),
    };
    let mut operation = OperationBuilder::new()
        .tag(extension)
        .operation_id(Some(format!("{extension}.{}.{path}", name_of(method))))
        .summary(Some(format!("Is answered by the extension `{extension}`.")))
        .description(Some(format!("`{extension}` answers what matches `{}`, {may}.", url.pattern)))
        .extensions(Some(ExtensionsBuilder::new().add("x-role", role.as_str()).build()))
        .request_body(takes_body.then(|| body.build()))
        .response("2XX", answer)
        .build();
    refusals::add_any(&mut operation);
    operation
}

/// The methods of a URL, in source order, with the role that each needs.
fn methods(url: &UrlEntry) -> impl Iterator<Item = (HttpMethod, Role)> {
    let known = |name: &Method| METHODS.into_iter().find(|method| name_of(method).eq_ignore_ascii_case(name.as_str()));
    url.methods.roles().filter_map(move |(name, role)| Some((known(name)?, role)))
}

const METHODS: [HttpMethod; 5] =
    [HttpMethod::Get, HttpMethod::Put, HttpMethod::Post, HttpMethod::Delete, HttpMethod::Patch];

fn name_of(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Put => "put",
        HttpMethod::Post => "post",
        HttpMethod::Delete => "delete",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Patch => "patch",
        HttpMethod::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, add};
    use crate::extension::{Methods, Urls, get, put};
    use crate::model::Role;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn documented(urls: [(&str, &'static str, Methods); 2]) -> Value {
        let mut paths = BTreeMap::<String, Path>::new();
        for (extension, pattern, methods) in urls {
            let entries = Urls::new().at(pattern, file!(), line!(), methods).into_entries();
            entries.iter().for_each(|url| add(&mut paths, extension, url));
        }
        paths.into_values().map(|path| (path.path.clone(), json!(path.into_item()))).collect()
    }

    #[test]
    fn an_optional_part_makes_two_paths() {
        let maybe = r"/a/maybe(?:/(?P<number>\d+))?/?";
        let document = documented([("a", maybe, get(async || ())), ("a", "/a/b", get(async || ()))]);
        let paths: Vec<_> = document.as_object().into_iter().flat_map(|paths| paths.keys()).collect();
        assert_eq!(paths, ["/a/b", "/a/maybe", "/a/maybe/{number}"]);
        assert_eq!(document["/a/maybe"]["get"]["parameters"], Value::Null);
        assert_eq!(document["/a/maybe/{number}"]["get"]["parameters"][0]["schema"]["pattern"], r"^(?:\d+)$");
    }

    #[test]
    fn paths_that_differ_in_the_names_of_parameters_only_are_one() {
        let either = documented([
            ("a", r"/x/(?P<id>\d+)", get(async || ())),
            ("b", "/x/(?P<name>[a-z]+)", get(async || ()).put(async || ()).role(Role::Admin)),
        ]);
        let path = &either["/x/{id}"];
        assert_eq!(either.as_object().map(|paths| paths.len()), Some(1), "{either}");
        assert_eq!(path["get"]["tags"], json!(["a", "b"]));
        assert_eq!(path["get"]["x-role"], "viewer");
        assert_eq!(path["put"]["x-role"], "admin");
        assert_eq!(path["get"]["operationId"], "a.get./x/{id}");
        assert_eq!(path["put"]["operationId"], "b.put./x/{id}");
        for method in ["get", "put"] {
            assert_eq!(path[method]["parameters"][0]["schema"]["pattern"], r"^(?:\d+|[a-z]+)$");
        }
        let description = path["get"]["description"].as_str().unwrap_or_default();
        assert!(description.contains(r"`/x/(?P<id>\d+)`") && description.contains("`/x/(?P<name>[a-z]+)`"));
    }

    #[test]
    fn a_role_that_two_urls_do_not_share_is_told_of_each() {
        let either = documented([
            ("a", r"/x/(?P<id>\d+)", get(async || ()).role(Role::Public)),
            ("b", "/x/(?P<name>[a-z]+)", get(async || ())),
        ]);
        let operation = &either["/x/{id}"]["get"];
        assert_eq!(operation["x-role"], Value::Null);
        let description = operation["description"].as_str().unwrap_or_default();
        assert!(
            description.contains("anybody may call it") && description.contains("the role `viewer`"),
            "{description}"
        );
    }

    #[test]
    fn one_pattern_with_two_names_for_one_path_is_told_once() {
        let both = documented([
            ("a", r"/x/(?:(?P<id>\d+)|(?P<name>[a-z]+))", put(async || ())),
            ("a", "/y", put(async || ())),
        ]);
        assert_eq!(both["/x/{id}"]["put"]["tags"], json!(["a"]));
        assert_eq!(both["/x/{id}"]["put"]["parameters"][0]["schema"]["pattern"], r"^(?:\d+|[a-z]+)$");
        assert_eq!(both["/x/{id}"]["put"]["description"].as_str().map(|text| text.lines().count()), Some(1));
    }
}
