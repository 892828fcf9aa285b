//! Every answer of the API to a test's request is what the OpenAPI document says of it: the
//! operation, the status, the header fields, the media type, the body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use carafe_web::app::App;
use http::Method;
use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::support::Reply;

/// The document of one application, and the schemas that were needed of it.
pub(crate) struct Conformance {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Conformance {
    pub(crate) fn to(app: &App) -> Self {
        Self {
            document: serde_json::from_slice(&app.document().json).unwrap(),
            validators: Mutex::default(),
        }
    }

    /// Panics where the answer to `method` at `path` is not in the document.
    pub(crate) fn check(&self, method: &Method, path: &str, reply: &Reply) {
        let is_page = reply.header("content-type").starts_with("text/html");
        let place = format!("{method} {path}: {}", reply.status);
        let Some(item) = self
            .path_item(path)
            .filter(|_| !is_page && reply.status != 303)
        else {
            return;
        };
        let verb = match *method {
            Method::HEAD => "get".to_owned(),
            _ => method.as_str().to_lowercase(),
        };
        let Some(operation) = item.get(&verb) else {
            let refused = matches!(reply.status, 404 | 405 | 414 | 431 | 501)
                || (reply.status == 400 && method == Method::CONNECT);
            let asked = *method == Method::OPTIONS;
            assert!(refused || asked, "{place}: not an operation");
            return;
        };
        let declared = &operation["responses"][reply.status.to_string()];
        assert!(
            !declared.is_null(),
            "{place}: not a declared status: {}",
            reply.text()
        );
        let declared = self.resolve(declared);
        self.check_headers(&place, declared, reply);
        let is_minimal = reply.header("preference-applied") == "return=minimal";
        if *method != Method::HEAD && !is_minimal {
            self.check_body(&place, declared, reply);
        }
    }

    fn check_headers(&self, place: &str, declared: &Value, reply: &Reply) {
        for (name, header) in declared["headers"].as_object().unwrap_or(&Map::new()) {
            let header = self.resolve(header);
            let sent = reply.headers.get(name.to_lowercase());
            let Some(sent) = sent.map(|value| value.to_str().unwrap()) else {
                assert_ne!(header["required"], true, "{place}: {name} is missing");
                continue;
            };
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => serde_json::from_str(sent).unwrap(),
                _ => Value::from(sent),
            };
            self.validate(&format!("{place}: {name}"), &header["schema"], &value);
        }
        for name in [
            "etag",
            "location",
            "link",
            "x-total-count",
            "retry-after",
            "preference-applied",
        ] {
            let named = |known: &String| known.eq_ignore_ascii_case(name);
            let declared = declared["headers"]
                .as_object()
                .is_some_and(|h| h.keys().any(named));
            assert!(
                declared || !reply.has(name),
                "{place}: {name} is not declared"
            );
        }
    }

    fn check_body(&self, place: &str, declared: &Value, reply: &Reply) {
        let kind = reply.header("content-type").split(';').next().unwrap();
        let Some(content) = declared["content"].as_object() else {
            assert!(
                reply.body.is_empty(),
                "{place}: a body that is not declared"
            );
            return;
        };
        let media = &content.get(kind);
        let media = media.unwrap_or_else(|| panic!("{place}: {kind:?} is not declared"));
        if !reply.has("content-encoding") {
            self.validate(place, &media["schema"], &reply.json());
        }
    }

    /// What stands at the path of the document that fits best: one with the fewest parameters.
    fn path_item(&self, path: &str) -> Option<&Value> {
        let parts: Vec<&str> = path.split('/').collect();
        let fitting = self.document["paths"].as_object().unwrap().iter();
        let fitting = fitting.filter_map(|(template, item)| {
            let names: Vec<&str> = template.split('/').collect();
            let fits = |(name, part): (&&str, &&str)| {
                name == part || (name.starts_with('{') && !part.is_empty())
            };
            let all = names.len() == parts.len() && names.iter().zip(&parts).all(fits);
            all.then(|| (template.matches('{').count(), item))
        });
        fitting
            .min_by_key(|(count, _)| *count)
            .map(|(_, item)| item)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.document.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    fn validate(&self, place: &str, schema: &Value, value: &Value) {
        let validator = self.validator(schema);
        let errors: Vec<String> = validator
            .iter_errors(value)
            .map(|error| format!("{} at {:?}", error, error.instance_path().to_string()))
            .collect();
        assert!(errors.is_empty(), "{place}: {errors:#?}\n{value}");
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap();
        let made = || Arc::new(validator(&self.document, schema));
        known.entry(schema.to_string()).or_insert_with(made).clone()
    }
}

/// A validator of a schema that stands in `document`, formats included.
pub(crate) fn validator(document: &Value, schema: &Value) -> Validator {
    let mut whole = schema.as_object().unwrap().clone();
    whole.insert("components".to_owned(), document["components"].clone());
    jsonschema::options()
        .should_validate_formats(true)
        .build(&Value::Object(whole))
        .unwrap_or_else(|error| panic!("{error}: {schema}"))
}
