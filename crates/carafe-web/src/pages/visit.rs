//! One request for a page, and what a page's handler answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use carafe_model::key::Key;
use carafe_model::resource::Resource;
use http::StatusCode;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, from_args};
use minijinja::{Error, ErrorKind, State};

use crate::call::Call;
use crate::csrf::Token;
use crate::error::Problem;
use crate::link::Address;
use crate::pages::named::{Named, named};
use crate::pages::site::Site;

/// One request for a page, once its cookies are read.
pub struct Visit<'a> {
    pub call: &'a Call,
    pub site: &'a Site,
    /// The key of the record that the path is under, for a resource with a parent; it is there.
    pub parent: Option<Key>,
    /// Messages of the visit before, category and text, to be shown on this page.
    pub flashes: Vec<(String, String)>,
    /// What the forms of this page carry.
    pub csrf_token: Arc<Token>,
    /// Something that the page shows could not be read, and is left out.
    pub lacks_something: AtomicBool,
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    Html {
        status: StatusCode,
        body: Bytes,
    },
    /// 303 to `to`, a path from the root, with a message for the next page (category, text).
    Redirect {
        to: String,
        flash: Option<(String, String)>,
    },
}

/// What a handler returns.
pub type PageResult = Result<Page, Problem>;

/// One page, as it is to be rendered.
pub struct View<'a> {
    pub status: StatusCode,
    /// The template's name: `list.html`.
    pub template: &'a str,
    pub title: String,
    pub resource: Option<&'a Resource>,
    /// What the template sees besides what all see.
    pub values: Vec<(&'a str, Value)>,
}

impl Visit<'_> {
    /// Renders a page: by the application's template for the resource, by its template for
    /// all, or by ours.
    ///
    /// # Errors
    ///
    /// 500 with the template's mistake as its cause.
    pub fn render(&self, view: View<'_>) -> PageResult {
        let status = view.status;
        let own = view
            .resource
            .map(|resource| format!("{}/{}", resource.name, view.template));
        let names: Vec<&str> = own.as_deref().into_iter().chain([view.template]).collect();
        let method = self.call.method().as_str();
        let shared = Shared {
            site: self.site,
            request: request(self.address(), method, Vec::new()),
            flashes: &self.flashes,
            csrf_token: Value::from_dyn_object(self.csrf_token.clone()),
        };
        let body = self
            .site
            .templates
            .render(&names, shared.context(&view))
            .map_err(|error| Problem::internal(error.into()))?;
        Ok(Page::Html {
            status,
            body: body.into(),
        })
    }

    /// Whether the page that was rendered may be shown to others, and again.
    #[must_use]
    pub(crate) fn may_be_kept(&self) -> bool {
        !self.is_personal() && !self.lacks_something.load(Ordering::Relaxed)
    }

    /// Whether a page shows what is for one person: a message, or the token of a form.
    #[must_use]
    pub(crate) fn is_personal(&self) -> bool {
        !self.flashes.is_empty() || self.csrf_token.is_shown()
    }

    pub(crate) fn address(&self) -> Address<'_> {
        Address {
            path: self.call.path(),
            query: self.call.query(),
        }
    }
}

/// What all pages of a visit show.
pub(crate) struct Shared<'a> {
    pub site: &'a Site,
    pub request: Value,
    pub flashes: &'a [(String, String)],
    pub csrf_token: Value,
}

impl Shared<'_> {
    /// All that the template of `view` sees.
    pub(crate) fn context(&self, view: &View<'_>) -> Value {
        let flashes = self
            .flashes
            .iter()
            .map(|(category, text)| Value::from(vec![category.clone(), text.clone()]));
        let resource = match view.resource {
            Some(resource) => self.site.describe(resource),
            None => Value::from(()),
        };
        let shared = [
            ("title", Value::from(view.title.as_str())),
            ("app", self.site.app.clone()),
            ("resources", self.site.resources.clone()),
            ("resource", resource),
            ("request", self.request.clone()),
            ("_csrf_token", self.csrf_token.clone()),
            ("_flashes", flashes.collect()),
        ];
        let values = view.values.iter().cloned();
        let values = shared.into_iter().chain(values);
        let values = values.map(|(name, value)| (name.to_owned(), value));
        Named::value(values.collect())
    }
}

/// What templates see as `request`, with the values of a form that was sent.
pub(crate) fn request(address: Address<'_>, method: &str, form: Vec<(String, String)>) -> Value {
    let path = percent_encoding::percent_decode_str(address.path).decode_utf8_lossy();
    let pairs = crate::query::pairs(address.query.as_bytes());
    let arguments = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
    named([
        ("path", Value::from(path.as_ref())),
        ("method", Value::from(method)),
        ("args", Value::from_object(Arguments(arguments.collect()))),
        ("form", Value::from_object(Arguments(form))),
    ])
}

/// The parameters of the query, the first of each name: `request.args.q`,
/// `request.args.get("q", "")`. What is not there is null, which is shown as nothing.
#[derive(Debug)]
struct Arguments(Vec<(String, String)>);

impl Arguments {
    fn find(&self, name: &str) -> Option<Value> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| Value::from(value.as_str()))
    }
}

impl Object for Arguments {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(self.find(key.as_str()?).unwrap_or_else(|| Value::from(())))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.0 {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        Enumerator::Values(names.into_iter().map(Value::from).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => {
                let (name, default): (&str, Option<Value>) = from_args(args)?;
                Ok(self
                    .find(name)
                    .or(default)
                    .unwrap_or_else(|| Value::from(())))
            }
            "getlist" => {
                let (name,): (&str,) = from_args(args)?;
                let all = self.0.iter().filter(|(known, _)| known == name);
                Ok(all.map(|(_, value)| Value::from(value.as_str())).collect())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
