//! The OpenAPI document of a server: its operations, and whether an answer is what it says.

use crate::{
    common::{contains, list},
    routes::There,
};
use jsonschema::Validator;
use rivetgun::testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// The methods that the document may have.
pub(crate) const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// What stands in a path for a parameter that is no id. An extension's parameters are called as in no other.
const PARAMETERS: [(&str, &str); 12] = [
    ("kind", "deployment"),
    ("name", "probe"),
    ("code", "RG0404"),
    ("text", "hello"),
    ("first", "a"),
    ("second", "b"),
    ("number", "7"),
    ("how", "nothing"),
    ("node_id", "{node}"),
    ("cluster_id", "{cluster}"),
    ("part1", "x"),
    ("uuid", "00000000-0000-7000-8000-000000000000"),
];

/// The ids of what only extensions make.
const OF_EXTENSIONS: [&str; 2] = ["repo_id", "rule_id"];

/// The document that a server answers with.
pub(crate) struct Document(pub(crate) Value);

/// An operation of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'d> {
    pub(crate) method: &'d str,
    /// The template of its path.
    pub(crate) path: &'d str,
    pub(crate) described: &'d Value,
}

impl Document {
    pub(crate) async fn of(server: &TestServer) -> Self {
        Self(server.get("/openapi.json").await.expect(200))
    }

    /// All operations, by path.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path has methods");
            methods.iter().map(move |(method, described)| Operation { method, path, described })
        });
        operations.collect()
    }

    /// What a reference, where it is one, refers to.
    #[track_caller]
    pub(crate) fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(path) => self.0.pointer(path.trim_start_matches('#')).unwrap_or_else(|| panic!("{path} is not there")),
            None => value,
        }
    }

    /// A validator of a schema of the document; `strict` refuses fields that are not in it.
    pub(crate) fn validator(&self, schema: &Value, strict: bool) -> Validator {
        let mut document = json!({"components": self.0["components"], "allOf": [schema]});
        if strict {
            close(&mut document);
        }
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&document).unwrap_or_else(|error| panic!("{schema} is no schema: {error}"))
    }

    /// What is wrong with a value by a schema of the document, a line each.
    pub(crate) fn mistakes(&self, schema: &Value, value: &Value, strict: bool) -> String {
        let validator = self.validator(schema, strict);
        let mistakes = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path()));
        mistakes.collect::<Vec<_>>().join("\n")
    }

    /// Checks that an answer is what the document says: its status, its type, its headers and its body.
    #[track_caller]
    pub(crate) fn check(&self, operation: Operation<'_>, answer: &Answer) {
        let id = operation.id();
        let status = answer.status().to_string();
        let described = &operation.described["responses"];
        let described =
            [status.as_str(), &format!("{}XX", &status[..1])].into_iter().find_map(|status| described.get(status));
        let described = described
            .unwrap_or_else(|| panic!("{id} answers {status}, of which the document knows nothing: {}", answer.text()));
        let described = self.resolve(described);
        // Headers are described for all types of an answer; a stream is no part of a list.
        let is_stream = answer.header("content-type") == Some("text/event-stream");
        for (header, _) in described["headers"].as_object().into_iter().flatten().filter(|_| !is_stream) {
            assert!(answer.header(header).is_some(), "{id} answers {status} without {header}");
        }
        let Some(content) = described["content"].as_object() else {
            let of_extension = described["description"] == "What the extension answers.";
            assert!(of_extension || answer.text().is_empty(), "{id} answers {status} with {}", answer.text());
            return;
        };
        let content_type = answer.header("content-type").unwrap_or_default();
        let content = content.get(content_type).unwrap_or_else(|| panic!("{id} answers {status} as {content_type:?}"));
        let body = if content_type.contains("json") { answer.json() } else { Value::from(answer.text()) };
        let mistakes = self.mistakes(&content["schema"], &body, true);
        assert_eq!(mistakes, "", "{id} answers {status} with {body:#}");
    }
}

impl<'d> Operation<'d> {
    pub(crate) fn id(self) -> &'d str {
        self.described["operationId"].as_str().expect("an operation has an id")
    }

    /// The names of its parameters in the path, or in the query.
    pub(crate) fn parameters(self, place: &str) -> Vec<&'d str> {
        let Some(parameters) = self.described.get("parameters") else { return Vec::new() };
        let here = list(parameters).iter().filter(|parameter| parameter["in"] == place);
        here.map(|parameter| parameter["name"].as_str().expect("a name")).collect()
    }

    pub(crate) fn has_body(self) -> bool {
        self.described.get("requestBody").is_some()
    }

    pub(crate) fn is_list(self) -> bool {
        self.parameters("query").contains(&"offset")
    }

    /// Whether it is one of an extension.
    pub(crate) fn is_of_extension(self) -> bool {
        contains(&self.described["summary"], "by the extension")
    }

    /// Whether it is about what the core makes, and not about something that only an extension does.
    pub(crate) fn is_about_what_is_there(self) -> bool {
        !self.is_of_extension() || self.parameters("path").into_iter().all(|name| !OF_EXTENSIONS.contains(&name))
    }

    /// Its path with the ids of what is there.
    pub(crate) fn path_in(self, there: &There) -> String {
        let mut path = self.path.to_owned();
        for name in self.parameters("path") {
            let value = match name {
                "id" => path_of_id(self.path),
                _ => PARAMETERS.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value),
            };
            let value = value.unwrap_or_else(|| panic!("{} has a parameter {name} without an example", self.id()));
            path = path.replace(&format!("{{{name}}}"), value);
        }
        there.path(&path)
    }

    /// Its path with ids and names that nothing has.
    pub(crate) fn path_to_nothing(self) -> String {
        self.parameters("path")
            .into_iter()
            .fold(self.path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), "999999999"))
    }
}

/// What an id is of: `/nodes/{id}` is a node's.
fn path_of_id(path: &str) -> Option<&'static str> {
    let collections = [
        ("/nodes/{id}", "{node}"),
        ("/clusters/{id}", "{cluster}"),
        ("/nodegroups/{id}", "{group}"),
        ("/releases/{id}", "{release}"),
        ("/tasks/{id}/deployment_info", "{dry_run}"),
        ("/tasks/{id}", "{task}"),
        ("/notifications/{id}", "{notification}"),
        ("/probe/node/{id}", "{node}"),
    ];
    collections.into_iter().find(|(collection, _)| path.contains(collection)).map(|(_, id)| id)
}

/// Lets objects with fields have no other fields.
fn close(schema: &mut Value) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(close),
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
