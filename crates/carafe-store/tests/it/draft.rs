//! Schemas without a declaration.

use std::sync::Arc;

use carafe_model::field::{Field, Rules};
use carafe_model::key::{Key, KeyKind, KeySpec};
use carafe_model::kind::{Kind, OnDelete, Reference};
use carafe_model::name::Name;
use carafe_model::resource::{
    AfterCreate, Column, Delete, Errors, Flash, Lists, Methods, Order, Pages, Pagination, Parent,
    Put, Referrer, Reply, Resource, Strictness,
};
use carafe_model::schema::{Cors, Limits, Schema};
use carafe_model::value::Value;

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn key(text: &str) -> Key {
    Key::Text(text.to_owned())
}

pub(crate) fn field(field: &str, kind: Kind) -> Field {
    Field {
        name: name(field),
        label: field.to_owned(),
        help: None,
        placeholder: None,
        was: None,
        kind,
        optional: false,
        default: None,
        set: None,
        unique: false,
        index: false,
        rules: Rules::default(),
    }
}

pub(crate) fn optional(mut field: Field) -> Field {
    field.optional = true;
    field
}

pub(crate) fn unique(mut field: Field) -> Field {
    field.unique = true;
    field
}

pub(crate) fn with_default(mut field: Field, default: Value) -> Field {
    field.default = Some(default);
    field
}

pub(crate) fn reference(name: &str, to: &str, on_delete: OnDelete) -> Field {
    let reference = Reference {
        to: self::name(to),
        index: 0,
        key: KeyKind::Integer,
        on_delete,
    };
    field(name, Kind::Reference(reference))
}

/// A resource to be: names are looked up when the schema is made.
pub(crate) struct Draft {
    resource: Resource,
    order: Vec<&'static str>,
    pages_order: Vec<&'static str>,
    search: Vec<&'static str>,
    unique: Vec<Vec<&'static str>>,
    parent: Option<&'static str>,
}

pub(crate) fn resource(resource: &str, fields: Vec<Field>) -> Draft {
    let resource = Resource {
        index: 0,
        name: name(resource),
        label: resource.to_owned(),
        was: None,
        label_plural: resource.to_owned(),
        key: KeySpec {
            field: name("id"),
            kind: KeyKind::Integer,
        },
        parent: None,
        members: None,
        fields,
        order: Vec::new(),
        search: Vec::new(),
        put: Put::Replace,
        delete: Delete::Soft,
        history: false,
        unique: Vec::new(),
        methods: Methods::default(),
        require_if_match: false,
        links: false,
        lists: Lists::Page,
        pagination: Pagination::Page,
        input: Strictness::Strict,
        initial: None,
        pages: None,
        flash: Flash {
            created: String::new(),
            updated: String::new(),
            deleted: String::new(),
            restored: String::new(),
        },
        reply: Reply::default(),
        errors: Errors::default(),
        deprecated: None,
        referrers: Vec::new(),
    };
    Draft {
        resource,
        order: Vec::new(),
        pages_order: Vec::new(),
        search: Vec::new(),
        unique: Vec::new(),
        parent: None,
    }
}

impl Draft {
    pub(crate) fn was(mut self, was: &str) -> Self {
        self.resource.was = Some(name(was));
        self
    }

    pub(crate) fn hard(mut self) -> Self {
        self.resource.delete = Delete::Hard;
        self
    }

    pub(crate) fn history(mut self) -> Self {
        self.resource.history = true;
        self
    }

    pub(crate) fn key(mut self, field: &str, kind: KeyKind) -> Self {
        self.resource.key = KeySpec {
            field: name(field),
            kind,
        };
        self
    }

    pub(crate) fn order(mut self, order: &[&'static str]) -> Self {
        self.order = order.to_vec();
        self
    }

    pub(crate) fn pages_order(mut self, order: &[&'static str]) -> Self {
        self.pages_order = order.to_vec();
        self
    }

    pub(crate) fn search(mut self, fields: &[&'static str]) -> Self {
        self.search = fields.to_vec();
        self
    }

    pub(crate) fn unique(mut self, fields: &[&'static str]) -> Self {
        self.unique.push(fields.to_vec());
        self
    }

    pub(crate) fn parent(mut self, field: &'static str) -> Self {
        self.parent = Some(field);
        self
    }
}

pub(crate) fn schema(drafts: Vec<Draft>) -> Arc<Schema> {
    let keys: Vec<(Name, KeyKind)> = drafts
        .iter()
        .map(|draft| (draft.resource.name.clone(), draft.resource.key.kind))
        .collect();
    let mut resources: Vec<Resource> = drafts
        .into_iter()
        .enumerate()
        .map(|(index, draft)| resolve(draft, index, &keys))
        .collect();
    for child in 0..resources.len() {
        for position in 0..resources[child].fields.len() {
            if let Kind::Reference(reference) = resources[child].fields[position].kind.clone() {
                resources[reference.index].referrers.push(Referrer {
                    resource: child,
                    field: position,
                    on_delete: reference.on_delete,
                });
            }
        }
    }
    Arc::new(Schema {
        name: "Test".to_owned(),
        prefixes: vec!["/api".to_owned()],
        deprecated_prefixes: Vec::new(),
        cors: Cors::default(),
        pages: true,
        limits: Limits::default(),
        resources,
    })
}

fn resolve(draft: Draft, index: usize, keys: &[(Name, KeyKind)]) -> Resource {
    let mut resource = draft.resource;
    resource.index = index;
    for field in &mut resource.fields {
        if let Kind::Reference(reference) = &mut field.kind {
            reference.index = keys
                .iter()
                .position(|(name, _)| *name == reference.to)
                .expect("a target");
            reference.key = keys[reference.index].1;
        }
    }
    let position = |name: &&str| resource.position(name).expect("a field");
    let search = draft.search.iter().map(position).collect();
    let single = resource
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.unique);
    let unique = single
        .map(|(position, _)| vec![position])
        .chain(
            draft
                .unique
                .iter()
                .map(|set| set.iter().map(position).collect()),
        )
        .collect();
    (resource.search, resource.unique) = (search, unique);
    resource.order = order(&resource, &draft.order);
    resource.pages = (!draft.pages_order.is_empty()).then(|| Pages {
        order: order(&resource, &draft.pages_order),
        per_page: 10,
        columns: Vec::new(),
        new_path: String::new(),
        after_create: AfterCreate::Record,
    });
    resource.parent = draft.parent.map(|field| {
        let field = resource.position(field).expect("a field");
        let Kind::Reference(reference) = &resource.fields[field].kind else {
            panic!("a parent is referred to");
        };
        Parent {
            resource: reference.to.clone(),
            index: reference.index,
            field,
        }
    });
    resource
}

/// `-created_at` and the like, with the key at its end.
pub(crate) fn order(resource: &Resource, names: &[&str]) -> Vec<Order> {
    let mut order: Vec<Order> = names
        .iter()
        .map(|name| Order {
            column: resource
                .column(name.trim_start_matches('-'))
                .expect("a column"),
            descending: name.starts_with('-'),
        })
        .collect();
    if !order.iter().any(|step| step.column == Column::Key) {
        let descending = order.last().is_some_and(|step| step.descending);
        order.push(Order {
            column: Column::Key,
            descending,
        });
    }
    order
}
