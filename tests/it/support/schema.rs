//! Whether answers are what the OpenAPI description says: the words of JSON Schema that it uses.

use serde_json::Value;

use super::served::{Response, Served};

/// The description of one server.
pub(crate) struct Description(Value);

impl Description {
    #[track_caller]
    pub(crate) fn of(served: &Served) -> Self {
        Self(served.get("/openapi.json").json())
    }

    /// A part of it: `/components/schemas/Node/properties`.
    #[track_caller]
    pub(crate) fn part(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not described"))
    }

    /// What of an answer is not as it is described: its status, its type, its body.
    pub(crate) fn faults(&self, route: (&str, &str), answer: &Response) -> Vec<String> {
        let (method, path) = route;
        let told = &self.0["paths"][path][method]["responses"][answer.status.to_string()];
        let told = self.resolved(told);
        if told.is_null() {
            return vec![format!("status {} is not described", answer.status)];
        }
        let kind = answer.header("content-type").split(';').next().unwrap_or_default();
        let content = &told["content"][kind];
        if content.is_null() {
            return vec![format!("{} as {kind:?} is not described", answer.status)];
        }
        let mut faults = Vec::new();
        if kind.ends_with("json") {
            self.check(&content["schema"], &answer.json(), "", &mut faults);
        }
        faults
    }

    fn resolved<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            Some(path) => self.resolved(self.part(path.trim_start_matches('#'))),
            None => part,
        }
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = self.resolved(schema);
        for (word, said) in schema.as_object().unwrap() {
            let fits = match word.as_str() {
                "description"
                | "format"
                | "minimum"
                | "additionalProperties"
                | "patternProperties" => true,
                "type" => is_of(said, value),
                "enum" => said.as_array().unwrap().contains(value),
                "const" => said == value,
                "required" => {
                    let mut keys = said.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                    keys.all(|key| value.get(key).is_some())
                }
                "anyOf" => said.as_array().unwrap().iter().any(|said| self.fits(said, value)),
                "allOf" => said.as_array().unwrap().iter().all(|said| self.fits(said, value)),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(said, item, &format!("{at}/{index}"), faults);
                    }
                    true
                }
                "properties" => {
                    for (key, said) in said.as_object().unwrap() {
                        if let Some(value) = value.get(key) {
                            self.check(said, value, &format!("{at}/{key}"), faults);
                        }
                    }
                    true
                }
                other => panic!("{other} is not understood here"),
            };
            if !fits {
                faults.push(format!("{at} is not of {word} {said}: {value}"));
            }
        }
        self.check_others(schema, value, at, faults);
    }

    /// Keys that are not among the properties.
    fn check_others(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let is_named = |key: &str| schema["properties"].get(key).is_some();
        let others = value.as_object().into_iter().flatten().filter(|(key, _)| !is_named(key));
        for (key, value) in others {
            let at = format!("{at}/{key}");
            let patterns = schema["patternProperties"].as_object().into_iter().flatten();
            let mut patterns = patterns.filter(|(pattern, _)| begins(key, pattern));
            match (patterns.next(), &schema["additionalProperties"]) {
                (Some((_, said)), _) => self.check(said, value, &at, faults),
                (None, Value::Bool(false)) => faults.push(format!("{at} is not described")),
                (None, Value::Null) => {}
                (None, said) => self.check(said, value, &at, faults),
            }
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut faults = Vec::new();
        self.check(schema, value, "", &mut faults);
        faults.is_empty()
    }
}

fn is_of(types: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    types.as_array().map_or_else(|| is(types), |types| types.iter().any(is))
}

/// `^(a|b)\.`: the only kind of pattern there is.
fn begins(key: &str, pattern: &str) -> bool {
    let names = pattern.strip_prefix("^(").and_then(|rest| rest.strip_suffix(")\\."));
    let names = names.unwrap_or_else(|| panic!("{pattern} is not understood here"));
    let first = key.split_once('.').map(|(first, _)| first);
    first.is_some_and(|first| names.split('|').any(|name| name == first))
}

/// A deliberate violation of each kind is noticed.
#[test]
fn violations() {
    use serde_json::json;
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": ["integer", "null"]},
            "b": {"enum": ["x"]},
            "c": {"type": "array", "items": {"anyOf": [{"const": 1}, {"type": "string"}]}}
        },
        "patternProperties": {"^(m|n)\\.": {"type": "string"}},
        "additionalProperties": false
    });
    let description = Description(json!({}));
    for (value, fault) in [
        (json!({"a": 1, "b": "x", "c": [1, "y"], "m.k": "v"}), ""),
        (json!({"a": null}), ""),
        (json!([]), " is not of required"),
        (json!({}), " is not of required"),
        (json!({"a": 1.5}), "/a is not of type"),
        (json!({"a": 1, "b": "y"}), "/b is not of enum"),
        (json!({"a": 1, "c": [1, 2]}), "/c/1 is not of anyOf"),
        (json!({"a": 1, "m.k": 1}), "/m.k is not of type"),
        (json!({"a": 1, "o.k": "v"}), "/o.k is not described"),
        (json!({"a": 1, "m": "v"}), "/m is not described"),
    ] {
        let mut faults = Vec::new();
        description.check(&schema, &value, "", &mut faults);
        match fault {
            "" => assert_eq!(faults, Vec::<String>::new()),
            fault => assert!(faults.iter().any(|found| found.starts_with(fault)), "{faults:?}"),
        }
    }
}
