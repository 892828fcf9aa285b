//! What all pages of one application share, made once at start-up.

use std::path::Path;
use std::sync::Arc;

use carafe_model::resource::{Delete, Method, Resource};
use carafe_model::schema::Schema;
use minijinja::value::Value;

use crate::assets::Assets;
use crate::link::Links;
use crate::pages::named::named;
use crate::pages::own::OwnPages;
use crate::template::{Mistake, TemplateError, Templates};

/// The pages of one application.
#[derive(Debug)]
pub struct Site {
    pub links: Arc<Links>,
    pub templates: Templates,
    /// The application's own pages.
    pub own: OwnPages,
    /// What every template sees as `app`.
    pub(crate) app: Value,
    /// What every template sees as `resources`: those with pages of their own at the root.
    pub(crate) resources: Value,
    /// What templates see as `resource`, by position.
    described: Vec<Value>,
}

impl Site {
    /// Opens the pages of `schema` with the folders `templates`, `pages` and `static` inside
    /// `root`, which is where the declaration is; none has to be there.
    ///
    /// # Errors
    ///
    /// Every template and page that cannot be used, and a folder that cannot be read.
    pub fn open(schema: &Arc<Schema>, root: Option<&Path>) -> Result<Self, TemplateError> {
        let folder = root.map(|root| root.join("static"));
        let assets = Assets::open(folder.as_deref()).map_err(|error| TemplateError {
            mistakes: vec![Mistake {
                file: folder.unwrap_or_default(),
                line: None,
                message: error.to_string(),
            }],
        })?;
        let links = Arc::new(Links {
            schema: schema.clone(),
            assets,
        });
        let (templates, mut mistakes) = Templates::read(root, &links);
        let (own, clashes) = OwnPages::read(schema, &templates, root);
        mistakes.extend(clashes);
        if !mistakes.is_empty() {
            return Err(TemplateError { mistakes });
        }
        let described: Vec<Value> = schema
            .resources
            .iter()
            .map(|resource| describe(&links, resource))
            .collect();
        let at_the_root = schema
            .resources
            .iter()
            .filter(|resource| resource.pages.is_some() && resource.parent.is_none());
        Ok(Self {
            app: named([("name", schema.name.as_str())]),
            resources: at_the_root
                .map(|resource| described[resource.index].clone())
                .collect(),
            described,
            templates,
            own,
            links,
        })
    }

    /// The files under `/static/`.
    #[must_use]
    pub fn assets(&self) -> &Assets {
        &self.links.assets
    }

    pub(crate) fn describe(&self, resource: &Resource) -> Value {
        self.described[resource.index].clone()
    }
}

/// Whether people may make, change and delete records: as the methods of the resource say.
#[must_use]
pub fn offers(resource: &Resource, what: Offer) -> bool {
    let (methods, any) = match what {
        Offer::Create if resource.members.is_some() => {
            (&resource.methods.item, [Method::Post, Method::Put])
        }
        Offer::Create => (&resource.methods.collection, [Method::Post, Method::Post]),
        Offer::Update => (&resource.methods.item, [Method::Put, Method::Patch]),
        Offer::Delete => (&resource.methods.item, [Method::Delete, Method::Delete]),
    };
    methods.iter().any(|method| any.contains(method))
}

/// What a page can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Create,
    Update,
    Delete,
}

fn describe(links: &Links, resource: &Resource) -> Value {
    let fields = resource.fields.iter().map(|field| {
        named([
            ("name", Value::from(field.name.as_str())),
            ("label", Value::from(field.label.as_str())),
            ("help", Value::from(field.help.as_deref())),
            ("required", Value::from(field.is_required())),
        ])
    });
    let members = resource.members.as_ref().map(|members| {
        named([
            ("label", members.label.as_str()),
            ("value", members.value.label.as_str()),
        ])
    });
    named([
        ("name", Value::from(resource.name.as_str())),
        ("members", members.unwrap_or_default()),
        ("label", Value::from(resource.label.as_str())),
        ("label_plural", Value::from(resource.label_plural.as_str())),
        ("key", Value::from(resource.key.field.as_str())),
        ("document", Value::from(resource.members.is_some())),
        ("fields", fields.collect()),
        ("url", Value::from(links.list(resource, None))),
        ("api_url", Value::from(links.api(resource))),
        ("searchable", Value::from(!resource.search.is_empty())),
        ("can_create", Value::from(offers(resource, Offer::Create))),
        ("can_update", Value::from(offers(resource, Offer::Update))),
        ("can_delete", Value::from(offers(resource, Offer::Delete))),
        (
            "can_restore",
            Value::from(resource.delete == Delete::Soft && offers(resource, Offer::Delete)),
        ),
    ])
}
