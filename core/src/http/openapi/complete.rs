//! What utoipa leaves to be done, on the document as JSON.

use super::{answers::SCHEMAS, refusals};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::OpenApi;

/// The document with the schemas of answers in their place, and with the fields required that answers always have.
pub(super) fn completed(document: &OpenApi) -> Value {
    let mut document = document.clone();
    document.components.get_or_insert_default();
    // An extension may be called as a resource of the core is.
    let mut seen = BTreeSet::new();
    document.tags.get_or_insert_default().retain(|tag| seen.insert(tag.name.clone()));
    let components = refusals::components();
    document.merge(OpenApi::builder().components(Some(components)).build());
    let mut document = json!(document);
    drop_null(&mut document);
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    if let Some(paths) = document.get_mut("paths") {
        take_schemas(paths, &mut schemas);
    }
    if let Some(collected) = document.pointer_mut("/components/schemas").map(Value::take) {
        schemas.extend(serde_json::from_value::<BTreeMap<String, Value>>(collected).unwrap_or_default());
    }
    require_what_is_always_there(&document, &mut schemas);
    document["components"]["schemas"] = json!(schemas);
    document
}

/// A parameter of a query is there or absent, and never `null`; and no default is `null`, which may differ from absence.
fn drop_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("default").is_some_and(Value::is_null) {
                object.shift_remove("default");
            }
            if object.contains_key("in")
                && let Some(schema) = object.get_mut("schema")
            {
                *schema = not_null(schema.take());
            }
            object.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn not_null(mut schema: Value) -> Value {
    if let [own, null] = schema["type"].as_array().map(Vec::as_slice).unwrap_or_default()
        && null == "null"
    {
        schema["type"] = own.clone();
    } else if let [own, null] = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default()
        && null["type"] == "null"
    {
        return own.clone();
    }
    schema
}

/// Moves the schemas that travel with answers to the others.
fn take_schemas(value: &mut Value, schemas: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Object(taken)) = object.shift_remove(SCHEMAS) {
                schemas.extend(taken);
            }
            object.values_mut().for_each(|value| take_schemas(value, schemas));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| take_schemas(value, schemas)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// In a request, what can be `null` can be absent as well. In an answer it is there, as `null`; a field that may be absent
/// is marked `nullable = false` where it is defined, for then it is never `null`.
fn require_what_is_always_there(document: &Value, schemas: &mut BTreeMap<String, Value>) {
    let mut taken = BTreeSet::new();
    let operations = document["paths"].as_object().into_iter().flat_map(Map::values).filter_map(Value::as_object);
    for operation in operations.flat_map(Map::values) {
        find_references(&operation["requestBody"], schemas, &mut taken);
    }
    for (_, schema) in schemas.iter_mut().filter(|(name, _)| !taken.contains(*name)) {
        let Some(properties) = schema["properties"].as_object() else { continue };
        let mut required: Vec<String> = properties
            .iter()
            .filter(|(name, property)| can_be_null(property) || is_required(schema, name))
            .map(|(name, _)| name.clone())
            .collect();
        required.sort_unstable();
        schema["required"] = json!(required);
    }
}

fn can_be_null(schema: &Value) -> bool {
    let names_null = |value: &Value| {
        value["type"] == "null" || value["type"].as_array().is_some_and(|types| types.contains(&json!("null")))
    };
    names_null(schema) || schema["oneOf"].as_array().is_some_and(|choices| choices.iter().any(names_null))
}

fn is_required(schema: &Value, property: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|name| name == property))
}

/// The names of the schemas that a value refers to, and those that they refer to.
fn find_references(value: &Value, schemas: &BTreeMap<String, Value>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            if let Some(name) = name
                && found.insert(name.to_owned())
                && let Some(schema) = schemas.get(name)
            {
                find_references(schema, schemas, found);
            }
            object.values().for_each(|value| find_references(value, schemas, found));
        }
        Value::Array(items) => items.iter().for_each(|value| find_references(value, schemas, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
