//! Resources, records and a site for tests, without a database.

use std::sync::Arc;

use carafe_model::field::{Field, Rules, Set};
use carafe_model::key::{Key, KeyKind, KeySpec};
use carafe_model::kind::{Choice, Kind};
use carafe_model::name::Name;
use carafe_model::record::Record;
use carafe_model::resource::{
    AfterCreate, Column, Delete, Errors, Flash, Lists, Methods, Order, Pages, Pagination, Put,
    Reply, Resource, Strictness,
};
use carafe_model::schema::{Cors, Limits, Schema};
use carafe_model::value::Value as Stored;
use minijinja::value::Value;

use crate::assets::Assets;
use crate::link::Links;
use crate::pages::site::Site;
use crate::pages::view::{Headings, RecordView, Shared};

pub(crate) fn field(name: &str, kind: Kind) -> Field {
    let name = Name::parse(name).unwrap();
    Field {
        label: name.to_label(),
        name,
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

fn optional(name: &str, kind: Kind) -> Field {
    Field {
        optional: true,
        ..field(name, kind)
    }
}

fn resource(index: usize, name: &str, label: &str, fields: Vec<Field>) -> Resource {
    let order = vec![Order {
        column: Column::Key,
        descending: false,
    }];
    Resource {
        index,
        name: Name::parse(name).unwrap(),
        label: label.to_owned(),
        was: None,
        label_plural: format!("{label}s"),
        key: KeySpec {
            field: Name::parse("id").unwrap(),
            kind: KeyKind::Integer,
        },
        parent: None,
        members: None,
        order: order.clone(),
        search: vec![0],
        put: Put::Replace,
        delete: Delete::Hard,
        history: false,
        unique: Vec::new(),
        methods: Methods::default(),
        require_if_match: false,
        links: false,
        lists: Lists::Page,
        pagination: Pagination::Page,
        input: Strictness::Strict,
        initial: None,
        pages: Some(Pages {
            order,
            per_page: 10,
            columns: (0..fields.len()).map(Column::Field).collect(),
            new_path: format!("/{name}/new"),
            after_create: AfterCreate::Record,
        }),
        fields,
        flash: Flash {
            created: format!("{label} created successfully."),
            updated: format!("{label} updated."),
            deleted: format!("{label} deleted."),
            restored: format!("{label} restored."),
        },
        reply: Reply::default(),
        errors: Errors::default(),
        deprecated: None,
        referrers: Vec::new(),
    }
}

/// Notes at 0, and at 1 a resource with fields of many kinds.
pub(crate) fn schema() -> Arc<Schema> {
    let mut title = field("title", Kind::String);
    title.rules.length_max = Some(200);
    let pinned = Field {
        default: Some(Stored::Boolean(false)),
        label: "Pin this note".to_owned(),
        ..field("is_pinned", Kind::Boolean)
    };
    let created = Field {
        set: Some(Set::Create),
        ..field("created_at", Kind::Datetime)
    };
    let notes = vec![
        title.clone(),
        field("content", Kind::Text),
        pinned,
        created.clone(),
    ];
    let rank = Field {
        default: Some(Stored::Integer(3)),
        ..field("rank", Kind::Integer)
    };
    let choices = ["red", "green"].map(|value| Choice {
        value: value.to_owned(),
        label: value.to_uppercase(),
    });
    let kitchen = vec![
        Field {
            help: Some("A few words.".to_owned()),
            placeholder: Some("Milk".to_owned()),
            ..title
        },
        field("content", Kind::Text),
        field("done", Kind::Boolean),
        optional("maybe", Kind::Boolean),
        rank,
        optional("amount", Kind::Decimal { scale: 2 }),
        optional("due", Kind::Date),
        optional("at", Kind::Datetime),
        optional("mail", Kind::Email),
        optional("site", Kind::Url),
        optional("colour", Kind::Choice(choices.to_vec())),
        optional("secret", Kind::Password),
        optional("extra", Kind::Json),
        created,
    ];
    Arc::new(Schema {
        name: "Notes & more".to_owned(),
        prefixes: vec!["/api".to_owned()],
        deprecated_prefixes: Vec::new(),
        cors: Cors::None,
        pages: true,
        limits: Limits::default(),
        resources: vec![
            resource(0, "notes", "Note", notes),
            resource(1, "things", "Thing", kitchen),
        ],
    })
}

/// The resource with fields of many kinds, and its position.
pub(crate) fn kitchen() -> (Arc<Schema>, usize) {
    (schema(), 1)
}

pub(crate) fn kitchen_record(resource: &Resource) -> Record {
    let text = |text: &str| Stored::Text(text.to_owned());
    let values = resource
        .fields
        .iter()
        .map(|field| match field.name.as_str() {
            "title" => text("A <b>bold</b> \"title\"\u{80}"),
            "content" => text("First line\nsecond & last"),
            "done" => Stored::Boolean(true),
            "rank" => Stored::Integer(7),
            "amount" => Stored::Integer(-1250),
            "due" => text("2026-01-31"),
            "at" => text("2026-01-02T03:04:05.123456Z"),
            "mail" => text("ann+\"x\"@example.org"),
            "site" => text("javascript:alert(1)"),
            "colour" => text("green"),
            "secret" => text("hash"),
            "extra" => text("{\"a\":[1,2]}"),
            "created_at" => text("2026-01-02T03:04:05.000000Z"),
            _ => Stored::Null,
        });
    Record {
        key: Key::Integer(9),
        version: 4,
        id: 9,
        deleted_at: None,
        values: values.collect(),
    }
}

pub(crate) fn note_record(id: i64, title: &str) -> Record {
    let text = |text: &str| Stored::Text(text.to_owned());
    Record {
        key: Key::Integer(id),
        version: 1,
        id,
        deleted_at: None,
        values: vec![
            text(title),
            text("Content"),
            Stored::Boolean(false),
            text("2026-01-02T03:04:05.000000Z"),
        ],
    }
}

pub(crate) fn links() -> Arc<Links> {
    Arc::new(Links {
        schema: schema(),
        assets: Assets::open(None).unwrap(),
    })
}

pub(crate) fn site() -> Site {
    Site::open(&schema(), None).unwrap()
}

/// `record` of the resource at `index` as a template sees it.
pub(crate) fn view(links: &Arc<Links>, index: usize, record: Record) -> Value {
    Value::from_object(RecordView {
        shared: Arc::new(Shared {
            links: links.clone(),
            resource: index,
            parent: None,
            headings: Headings::new(),
        }),
        record,
    })
}

pub(crate) fn note_view() -> Value {
    view(&links(), 0, note_record(7, "Milk"))
}
