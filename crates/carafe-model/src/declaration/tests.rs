//! Declarations as people write them, and every mistake that is looked for.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::parse;
use crate::deprecation::Deprecation;
use crate::field::Set;
use crate::key::KeyKind;
use crate::kind::{Kind, OnDelete};
use crate::problem::{Problem, render};
use crate::resource::{
    AfterCreate, Column, Delete, Deleted, Lists, Method, Order, Put, Resource, Strictness,
};
use crate::schema::{Cors, Limits, Rate, Schema};
use crate::value::Value;

const SMALLEST: &str = r#"
[resources.notes.fields]
title   = { type = "string", max_length = 200 }
content = { type = "text" }
"#;

const NOTES: &str = r#"
name = "Notes"

[api]
input = "lenient"

[resources.notes]
search = ["title", "content"]
order  = ["-created_at"]
put    = "merge"
delete = "hard"
flash  = { created = "Note created successfully.", updated = "Note updated.", deleted = "Note deleted." }
reply  = { deleted = "Note deleted successfully" }

[resources.notes.fields]
title      = { type = "string", max_length = 200 }
content    = { type = "text" }
is_pinned  = { type = "boolean", default = false, label = "Pin this note" }
created_at = { type = "datetime", set = "create" }
updated_at = { type = "datetime", set = "update" }

[resources.notes.pages]
order = ["-is_pinned", "-created_at"]
"#;

/// Every setting there is.
const EVERYTHING: &str = r##"
name = "Library"
pages = true

[api]
prefix = ["/api/v1", "/api/v2"]
lists = "array"
input = "lenient"
cors = ["https://example.org", "http://localhost:5173"]

[api.deprecated]
"/api/v1" = { since = 2026-01-31, sunset = "2026-12-31T23:59:59Z", link = "https://example.org/v2" }

[limits]
body = "2 MiB"
page_size = 50
documents = 500
request = "1 min"
depth = 32
rate = "100/minute"
write_rate = "10/second"

[resources.people]
key = { field = "id", type = "uuid" }

[resources.people.fields]
name = { type = "string", unique = true }

[resources.books]
kind = "record"
label = "Volume"
label_plural = "Volumes"
key = { field = "isbn", type = "string" }
order = ["-published", "title"]
search = ["title", "summary"]
deprecated = "2026-01-31"
put = "upsert"
delete = "soft"
history = true
unique = [["title", "author"], ["site"]]
methods = { collection = ["GET", "POST", "DELETE"], item = ["GET", "PUT"] }
require_if_match = true
links = true
lists = "page"
input = "strict"
initial = "first/books.json"
flash = { restored = "{label} is back." }
reply = { created = "{label} created", replaced = "{label} replaced", updated = "{label} updated", deleted = "record" }

[resources.books.errors]
not_found = { GET = "Not found", DELETE = "{label} not found" }
taken = { text = "{label} already exists", status = 400 }

[resources.books.pages]
order = ["title"]
per_page = 20
columns = ["isbn", "title", "summary"]
paths = { new = "/add-book" }
after_create = "form"

[resources.books.fields]
title = { type = "string", label = "Name", help = "As on the cover.", placeholder = "Ulysses", min_length = 1, max_length = 200, pattern = '^\S', trim = false }
summary = { type = "text", optional = true }
pages = { type = "integer", min = 1, max = 10_000, index = true }
weight = { type = "number", default = 1.5, min = 0, max = 0x10 }
price = { type = "decimal", scale = 3, default = 9.5, min = 0, max = "99.999" }
in_print = { type = "boolean", default = true }
published = { type = "date", min = 1450-01-01, default = "2000-01-01" }
seen = { type = "datetime", default = 2026-01-31T12:00:00+01:00 }
contact = { type = "email", optional = true }
site = { type = "url" }
code = { type = "uuid", optional = true }
state = { type = "choice", one_of = ["in_stock", { sold = "Sold out" }], default = "in_stock" }
size = { type = "choice", one_of = { s = "Small", l = "Large" } }
author = { type = "reference", to = "people", on_delete = "set_null", optional = true }
secret = { type = "password", min_length = 8 }
extra = { type = "json", default = { b = [1, 2.5, "x\n"], a = true } }
created_at = { type = "datetime", set = "create" }
updated_at = { type = "datetime", set = "update", optional = true }

[resources.copies]
parent = "books"
pages = false

[resources.copies.fields]
shelf = { type = "string" }
"##;

fn good(text: &str) -> Schema {
    parse(text, Path::new("/srv/library"))
        .unwrap_or_else(|problems| panic!("{}", render(&problems, "carafe.toml", text, false)))
}

fn bad(text: &str) -> Vec<Problem> {
    parse(text, Path::new("/srv/library")).expect_err(text)
}

fn order(resource: &Resource, order: &[Order]) -> Vec<String> {
    let step = |order: &Order| {
        let sign = if order.descending { "-" } else { "" };
        format!("{sign}{}", resource.column_name(order.column))
    };
    order.iter().map(step).collect()
}

fn names(resource: &Resource, positions: &[usize]) -> Vec<String> {
    let name = |&position: &usize| resource.fields[position].name.to_string();
    positions.iter().map(name).collect()
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.to_owned()))
}

#[test]
fn the_smallest_application_has_its_defaults() {
    let schema = good(SMALLEST);
    assert_eq!(schema.name, "library");
    assert_eq!(schema.prefixes, ["/api"]);
    assert_eq!(schema.cors, Cors::None);
    assert!(schema.pages);
    assert_eq!(schema.limits, Limits::default());
    let notes = schema.resource("notes").expect("declared");
    assert_eq!(
        (notes.label.as_str(), notes.label_plural.as_str()),
        ("Note", "Notes")
    );
    assert_eq!(
        (notes.key.field.as_str(), notes.key.kind),
        ("id", KeyKind::Integer)
    );
    assert_eq!(order(notes, &notes.order), ["id"]);
    assert_eq!((notes.put, notes.delete), (Put::Replace, Delete::Soft));
    assert_eq!(
        (notes.lists, notes.input),
        (Lists::Page, Strictness::Strict)
    );
    assert_eq!(notes.reply.deleted, Deleted::Nothing);
    assert_eq!(notes.flash.restored, "Note restored.");
    assert!(notes.unique.is_empty() && notes.search.is_empty() && notes.referrers.is_empty());
    assert!(!notes.history && !notes.links && !notes.require_if_match);
    let [title, content] = notes.fields.as_slice() else {
        panic!("two fields in the order of the file");
    };
    assert_eq!((title.name.as_str(), &title.kind), ("title", &Kind::String));
    assert_eq!(title.rules.length_max, Some(200));
    assert!(title.is_required() && title.rules.trim);
    assert_eq!(
        (content.label.as_str(), &content.kind),
        ("Content", &Kind::Text)
    );
    let pages = notes.pages.as_ref().expect("pages are on");
    assert_eq!(pages.new_path, "/notes/new");
    assert_eq!(
        (pages.per_page, pages.after_create),
        (10, AfterCreate::Record)
    );
    assert_eq!(pages.columns, [Column::Field(0)]);
}

#[test]
fn the_notes_have_their_habits() {
    let schema = good(NOTES);
    let notes = &schema.resources[0];
    assert_eq!(schema.name, "Notes");
    assert_eq!(notes.input, Strictness::Lenient);
    assert_eq!(names(notes, &notes.search), ["title", "content"]);
    assert_eq!(order(notes, &notes.order), ["-created_at", "-id"]);
    assert_eq!((notes.put, notes.delete), (Put::Merge, Delete::Hard));
    assert_eq!(notes.flash.created, "Note created successfully.");
    assert_eq!(
        notes.reply.deleted,
        Deleted::Message("Note deleted successfully".to_owned())
    );
    assert_eq!(notes.fields[2].label, "Pin this note");
    assert_eq!(notes.fields[2].default, Some(Value::Boolean(false)));
    assert_eq!(notes.fields[3].set, Some(Set::Create));
    assert_eq!(notes.fields[4].set, Some(Set::Update));
    let pages = notes.pages.as_ref().expect("pages are on");
    assert_eq!(
        order(notes, &pages.order),
        ["-is_pinned", "-created_at", "-id"]
    );
    assert_eq!(pages.columns, [0, 2, 3, 4].map(Column::Field));
}

#[test]
fn the_application_says_how_it_is_served() {
    let schema = good(EVERYTHING);
    assert_eq!(schema.prefixes, ["/api/v1", "/api/v2"]);
    let origins = ["https://example.org", "http://localhost:5173"].map(str::to_owned);
    assert_eq!(schema.cors, Cors::Origins(origins.to_vec()));
    let deprecation = Deprecation {
        since: 1_769_817_600,
        sunset: Some(1_798_761_599),
        link: Some("https://example.org/v2".to_owned()),
    };
    assert_eq!(schema.deprecation_of("/api/v1"), Some(&deprecation));
    assert_eq!(schema.deprecation_of("/api/v2"), None);
    let limits = Limits {
        body_bytes_max: 2 * 1024 * 1024,
        per_page_max: 50,
        documents_max: 500,
        request_time_max: Duration::from_secs(60),
        json_depth_max: 32,
        rate: Some(Rate {
            requests: 100,
            period: Duration::from_secs(60),
        }),
        write_rate: Some(Rate {
            requests: 10,
            period: Duration::from_secs(1),
        }),
    };
    assert_eq!(schema.limits, limits);
    let found: Vec<_> = schema
        .resources
        .iter()
        .map(|r| (r.index, r.name.as_str()))
        .collect();
    assert_eq!(found, [(0, "people"), (1, "books"), (2, "copies")]);
}

#[test]
fn a_resource_says_how_it_behaves() {
    let schema = good(EVERYTHING);
    let books = schema.resource("books").expect("declared");
    assert_eq!(
        (books.label.as_str(), books.label_plural.as_str()),
        ("Volume", "Volumes")
    );
    assert_eq!(
        (books.key.field.as_str(), books.key.kind),
        ("isbn", KeyKind::String)
    );
    assert_eq!(order(books, &books.order), ["-published", "title", "isbn"]);
    let deprecated = books.deprecated.as_ref().expect("declared");
    assert_eq!((deprecated.since, deprecated.sunset), (1_769_817_600, None));
    assert_eq!(books.put, Put::Upsert);
    let unique: Vec<_> = books.unique.iter().map(|set| names(books, set)).collect();
    assert_eq!(unique, [vec!["site"], vec!["title", "author"]]);
    assert!(books.fields[books.position("site").expect("declared")].unique);
    assert_eq!(
        books.methods.collection,
        [Method::Get, Method::Post, Method::Delete]
    );
    assert_eq!(books.methods.item, [Method::Get, Method::Put]);
    assert!(books.history && books.links && books.require_if_match);
    assert_eq!(
        (books.lists, books.input),
        (Lists::Page, Strictness::Strict)
    );
    assert_eq!(
        books.initial.as_deref(),
        Some(Path::new("/srv/library/first/books.json"))
    );
    assert_eq!(books.flash.restored, "Volume is back.");
    assert_eq!(books.flash.created, "Volume created.");
    assert_eq!(books.reply.replaced.as_deref(), Some("Volume replaced"));
    assert_eq!(books.reply.deleted, Deleted::Record);
    assert_eq!(
        books.errors.not_found(Method::Delete),
        Some("Volume not found")
    );
    assert_eq!(books.errors.not_found(Method::Put), None);
    assert_eq!(books.errors.taken.as_deref(), Some("Volume already exists"));
    assert_eq!(books.errors.taken_status, Some(400));
    let pages = books.pages.as_ref().expect("pages are on");
    assert_eq!(order(books, &pages.order), ["title", "isbn"]);
    assert_eq!(
        pages.columns,
        [Column::Key, Column::Field(0), Column::Field(1)]
    );
    assert_eq!((pages.per_page, pages.new_path.as_str()), (20, "/add-book"));
    assert_eq!(pages.after_create, AfterCreate::Form);
}

#[test]
fn a_field_says_what_it_takes() {
    let schema = good(EVERYTHING);
    let books = schema.resource("books").expect("declared");
    let field = |name: &str| &books.fields[books.position(name).expect(name)];
    let title = field("title");
    assert_eq!(title.label, "Name");
    assert_eq!(title.help.as_deref(), Some("As on the cover."));
    assert_eq!(title.placeholder.as_deref(), Some("Ulysses"));
    assert_eq!((title.rules.length_min, title.rules.trim), (Some(1), false));
    assert!(title.read_text(" x").is_err(), "the pattern holds");
    assert!(field("pages").index);
    assert_eq!(field("pages").rules.max, Some(Value::Integer(10_000)));
    assert_eq!(field("weight").rules.max, Some(Value::Number(16.0)));
    assert_eq!(field("price").kind, Kind::Decimal { scale: 3 });
    assert_eq!(field("price").default, Some(Value::Integer(9500)));
    assert_eq!(field("price").rules.max, Some(Value::Integer(99_999)));
    assert_eq!(field("published").rules.min, text("1450-01-01"));
    assert_eq!(field("seen").default, text("2026-01-31T11:00:00.000000Z"));
    assert_eq!(
        field("extra").default,
        text(r#"{"b":[1,2.5,"x\n"],"a":true}"#)
    );
    assert_eq!(field("state").default, text("in_stock"));
    let choices = |name: &str| match &field(name).kind {
        Kind::Choice(choices) => choices
            .iter()
            .map(|choice| format!("{}={}", choice.value, choice.label))
            .collect::<Vec<_>>(),
        kind => panic!("{kind:?}"),
    };
    assert_eq!(choices("state"), ["in_stock=In stock", "sold=Sold out"]);
    assert_eq!(choices("size"), ["s=Small", "l=Large"]);
    let Kind::Reference(author) = &field("author").kind else {
        panic!("a reference");
    };
    assert_eq!(
        (author.to.as_str(), author.index, author.key),
        ("people", 0, KeyKind::Uuid)
    );
    assert_eq!(author.on_delete, OnDelete::SetNull);
}

#[test]
fn a_sub_resource_refers_to_its_parent() {
    let schema = good(EVERYTHING);
    let copies = schema.resource("copies").expect("declared");
    let parent = copies.parent.as_ref().expect("declared");
    assert_eq!(
        (parent.resource.as_str(), parent.index, parent.field),
        ("books", 1, 0)
    );
    let field = &copies.fields[0];
    assert_eq!(
        (field.name.as_str(), field.label.as_str()),
        ("book", "Book")
    );
    assert!(field.is_required());
    assert!(copies.pages.is_none());
    let Kind::Reference(reference) = &field.kind else {
        panic!("a reference");
    };
    assert_eq!(
        (reference.key, reference.on_delete),
        (KeyKind::String, OnDelete::Cascade)
    );
    let books = schema.resource("books").expect("declared");
    assert_eq!(books.referrers.len(), 1);
    assert_eq!(
        (books.referrers[0].resource, books.referrers[0].field),
        (2, 0)
    );
    assert_eq!(books.referrers[0].on_delete, OnDelete::Cascade);
}

#[test]
fn a_declared_reference_to_the_parent_is_taken() {
    let schema = good(
        r#"
        [resources.users.fields]
        name = { type = "string" }
        [resources.emails]
        parent = "users"
        unique = [["owner", "address"]]
        [resources.emails.fields]
        address = { type = "email" }
        owner = { type = "reference", to = "users" }
        "#,
    );
    let emails = &schema.resources[1];
    assert_eq!(emails.parent.as_ref().map(|parent| parent.field), Some(1));
    assert_eq!(emails.fields.len(), 2);
    assert_eq!(emails.unique, [[1, 0]]);
}

#[test]
fn pages_can_be_turned_off() {
    let schema = good(&format!("pages = false\n{SMALLEST}"));
    assert!(!schema.pages && schema.resources[0].pages.is_none());
    let schema = good(&format!("[resources.notes]\npages = false\n{SMALLEST}"));
    assert!(schema.pages && schema.resources[0].pages.is_none());
}

#[test]
fn a_list_shows_what_tells_records_apart() {
    let cases: [(&str, &[Column]); 4] = [
        ("secret = { type = 'json' }", &[Column::Key]),
        ("body = { type = 'text' }", &[Column::Field(0)]),
        (
            "rank = { type = 'integer' }\nbody = { type = 'text' }",
            &[Column::Field(1), Column::Field(0)],
        ),
        (
            "body = { type = 'text' }\nname = { type = 'string' }",
            &[Column::Field(1)],
        ),
    ];
    for (fields, expected) in cases {
        let schema = good(&format!("[resources.tags.fields]\n{fields}\n"));
        let pages = schema.resources[0].pages.as_ref().expect("pages are on");
        assert_eq!(pages.columns, expected, "{fields}");
    }
    let schema = good(&format!(
        "[resources.parts]\nparent = \"notes\"\n[resources.parts.fields]\nname = {{ type = \"string\" }}\n{SMALLEST}"
    ));
    let parts = schema.resources.iter().find(|part| part.parent.is_some());
    let parts = parts.expect("parts have a parent");
    let pages = parts.pages.as_ref().expect("pages are on");
    let shown = pages.columns.iter().map(|column| match column {
        Column::Key => "id",
        Column::Field(position) => parts.fields[*position].name.as_str(),
    });
    assert_eq!(shown.collect::<Vec<_>>(), ["name"], "not the parent");
}

#[test]
fn small_variants_mean_what_they_say() {
    let schema = good(&format!("[api]\nprefix = \"\"\ncors = [\"*\"]\n{SMALLEST}"));
    assert_eq!(
        (schema.prefixes, schema.cors),
        (vec![String::new()], Cors::Any)
    );
    let schema = good(&format!(
        "[limits]\nbody = 2048\nrequest = 5\npage_size = 5\n{SMALLEST}"
    ));
    assert_eq!(schema.limits.body_bytes_max, 2048);
    assert_eq!(schema.limits.request_time_max, Duration::from_secs(5));
    let pages = schema.resources[0].pages.as_ref().expect("pages are on");
    assert_eq!(pages.per_page, 5, "no more than the limit");
    let errors = "[resources.notes.errors]\nnot_found = \"{label} is gone\"\ntaken = \"Taken\"\n";
    let schema = good(&format!("{errors}{SMALLEST}"));
    let errors = &schema.resources[0].errors;
    assert_eq!(errors.not_found(Method::Patch), Some("Note is gone"));
    assert_eq!(
        (errors.taken.as_deref(), errors.taken_status),
        (Some("Taken"), None)
    );
}

#[test]
fn references_may_go_round() {
    let schema = good(
        r#"
        [resources.a.fields]
        b = { type = "reference", to = "b", on_delete = "cascade" }
        a = { type = "reference", to = "a", optional = true }
        [resources.b.fields]
        a = { type = "reference", to = "a", on_delete = "cascade" }
        "#,
    );
    assert_eq!(schema.resources[0].referrers.len(), 2);
}

/// A fragment of a declaration, the line and column of its one mistake, and its message.
type Case = (&'static str, (usize, usize), &'static str, &'static str);

fn check(cases: &[Case], frame: impl Fn(&str) -> String) {
    for (fragment, position, message, hint) in cases {
        let text = frame(fragment);
        let problems = bad(&text);
        let report = render(&problems, "carafe.toml", &text, false);
        let [problem] = problems.as_slice() else {
            panic!("{fragment}: one mistake\n{report}");
        };
        assert_eq!(problem.position(&text), *position, "{fragment}\n{report}");
        assert!(problem.message.contains(message), "{fragment}\n{report}");
        let found = problem.hint.as_deref().unwrap_or_default();
        assert!(found.contains(hint), "{fragment}\n{report}");
        assert_eq!(hint.is_empty(), found.is_empty(), "{fragment}\n{report}");
        assert!(!problem.label.is_empty(), "{fragment}\n{report}");
    }
}

#[test]
fn mistakes_of_the_application_are_explained() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("nam = 'x'", (1, 1), "no setting `nam`", "did you mean `name`"),
        ("name = 5", (1, 8), "`name` must be text", "name = \"…\""),
        ("name = ' '", (1, 8), "is empty", ""),
        ("port = 8080", (1, 1), "belongs to the place", "flag"),
        ("[server]\nport = 1", (1, 2), "belongs to the place", "environment"),
        ("secret_key = 'x'", (1, 1), "belongs to the place", "--help"),
        ("prefix = '/v1'", (1, 1), "setting of `api`", "[api]"),
        ("[tags.fields]\na = { type = 'string' }", (1, 2), "outside `resources`", "[resources.tags.fields]"),
        ("accounts = { resource = 'notes' }", (1, 1), "not supported yet", "later release"),
        ("pages = 'off'", (1, 9), "true or false", "pages = true"),
        ("api = 1", (1, 7), "must be a table", "prefix"),
        ("[api]\nprefix = 1", (2, 10), "a path, or a list", "/api"),
        ("[api]\nprefix = []", (2, 10), "lists no paths", "\"\""),
        ("[api]\nprefix = 'api'", (2, 10), "start with `/`", "\"/api\""),
        ("[api]\nprefix = '/api/'", (2, 10), "end with `/`", "\"/api\""),
        ("[api]\nprefix = '/'", (2, 10), "end with `/`", "\"\""),
        ("[api]\nprefix = '/a b'", (2, 10), "letters", ""),
        ("[api]\nprefix = ['/a', '/a']", (2, 17), "twice", ""),
        ("[api]\nprefix = '/docs'", (2, 10), "Carafe's own", ""),
        ("[api]\nlists = 'arrays'", (2, 9), "cannot be \"arrays\"", "\"array\""),
        ("[api]\ninput = 'Strict'", (2, 9), "cannot be", "\"strict\""),
        ("[api]\ncors = '*'", (2, 8), "must be a list", "cors = ["),
        ("[api]\ncors = ['*', 'https://a.org']", (2, 9), "stands alone", "[\"*\"]"),
        ("[api]\ncors = ['https://a.org/x']", (2, 9), "without a path", "\"https://a.org\""),
        ("[api]\ncors = ['example.org']", (2, 9), "https://", "https://example.org"),
        ("[api.deprecated]\n'/ap' = '2026-01-31'", (2, 1), "no prefix `/ap`", "\"/api\""),
        ("[api.deprecated]\n'/old/paths' = '2026-01-31'", (2, 1), "no prefix", "api.prefix"),
        ("api.deprecated = true", (1, 18), "must be a table", "/api/v1"),
        ("[limits]\nbody = '1 giga'", (2, 8), "must be a size", "1 MiB"),
        ("[limits]\nbody = '1 B'", (2, 8), "from 1 KiB to 1 GiB", ""),
        ("[limits]\nbody = 99999999999999999999999", (2, 8), "from 1 KiB to 1 GiB", ""),
        ("[limits]\nbody = true", (2, 8), "must be a size", "1 MiB"),
        ("[limits]\nrequest = '2 days'", (2, 11), "must be a time", "30s"),
        ("[limits]\nrequest = '1ms'", (2, 11), "from 1s to 1h", ""),
        ("[limits]\npage_size = 0", (2, 13), "from 1 to 10000", ""),
        ("[limits]\ndepth = 1.5", (2, 9), "a whole number", "depth = 10"),
        ("[limits]\nrate = 100", (2, 8), "must be text", "rate = \"100/minute\""),
        ("[limits]\nrate = '100/fortnight'", (2, 8), "a number a second", "100/minute"),
        ("[limits]\nwrite_rate = '0/s'", (2, 14), "from 1 to 1000000", ""),
        ("[limits]\nbodysize = 1", (2, 1), "no setting `bodysize`", "body"),
        ("resources.api.fields.a.type = 'string'", (1, 11), "Carafe's own", "another name"),
        ("resources.total.fields.a.type = 'string'", (1, 11), "a list has a member", "another name"),
        ("resources.sqlite_a.fields.a.type = 'string'", (1, 11), "SQLite", "another name"),
        ("resources.Blog-Posts.fields.a.type = 'string'", (1, 11), "small letter", "blog_posts"),
        ("resources.a__b.fields.a.type = 'string'", (1, 11), "`__`", "a_b"),
        ("resources.a = 1", (1, 15), "must be a table", "fields"),
        ("resources.a.label = 'A'", (1, 11), "has no fields", "[resources.a.fields]"),
        ("resources.a.fields = {}", (1, 13), "has no fields", "[resources.a.fields]"),
        ("name = \nport = 1", (1, 8), "not TOML", ""),
        ("name = 'a'\nname = 'b'", (2, 1), "`name` is declared twice", ""),
    ];
    check(cases, |fragment| format!("{fragment}\n{SMALLEST}"));
}

#[test]
fn mistakes_of_a_resource_are_explained() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("ordr = ['a']", (2, 1), "no setting `ordr`", "`order`"),
        ("zzzzzz = 1", (2, 1), "no setting `zzzzzz`", "the settings are"),
        ("body = { type = 'text' }", (2, 1), "among the settings", "[resources.things.fields]"),
        ("kind = 'records'", (2, 8), "cannot be", "\"record\""),
        ("access = { read = 'anyone' }", (2, 1), "not supported yet", "later release"),
        ("members = {}", (2, 1), "are of documents", "kind = \"document\""),
        ("key = 'uuid'", (2, 7), "must be a table", "type = \"uuid\""),
        ("key = { type = 'int' }", (2, 16), "cannot be", "it is one of"),
        ("key = { field = 'ID' }", (2, 17), "small letter", "`id`"),
        ("key = { field = 'a' }", (4, 1), "`a` is the key", "leave it out"),
        ("key = { field = 'deleted_at' }", (2, 17), "deleted", "removed_at"),
        ("key = { field = 'url' }\nlinks = true", (1, 12), "own address", ""),
        ("parent = 'user'", (2, 10), "no resource `user`", "`users`"),
        ("parent = 'things'", (2, 10), "its own parent", "reference"),
        ("parent = 'emails'", (2, 10), "has a parent itself", "reference"),
        ("order = 'a'", (2, 9), "must be a list", "-created_at"),
        ("order = ['secre']", (2, 10), "no field `secre`", "`secret`"),
        ("order = ['-a', 'a']", (2, 16), "twice in an order", ""),
        ("order = ['id', 'a']", (2, 16), "after the key", ""),
        ("order = ['secret']", (2, 10), "cannot be sorted", ""),
        ("order = [1]", (2, 10), "a list of texts", "order = ["),
        ("search = ['n']", (2, 11), "cannot be searched", "string, text"),
        ("search = ['secret']", (2, 11), "cannot be searched", "string, text"),
        ("search = ['id']", (2, 11), "is the key", ""),
        ("search = ['a', 'a']", (2, 16), "stands twice", ""),
        ("put = 'upsert'", (2, 7), "given by the server", "uuid"),
        ("deprecated = true", (2, 14), "the day since when", "deprecated = \"2026-01-31\""),
        ("deprecated = 'soon'", (2, 14), "must be a day", "2026-01-31"),
        ("deprecated = '2026-02-30'", (2, 14), "must be a day", "2026-01-31"),
        ("deprecated = { sunset = '2027-01-31' }", (2, 1), "since when", "since = "),
        ("deprecated = { since = 1 }", (2, 24), "must be text", "2026-01-31"),
        ("deprecated = { since = '2026-01-31', sunset = '2026-01-30' }", (2, 47), "before `since`", ""),
        ("deprecated = { since = '2026-01-31', link = 'v2.html' }", (2, 45), "must be a URL", "https://"),
        ("deprecated = { since = '2026-01-31', link = '/a>b' }", (2, 45), "must be a URL", "https://"),
        ("deprecated = { since = '2026-01-31', until = '' }", (2, 38), "no setting `until`", "`sunset`"),
        ("put = 'patch'", (2, 7), "cannot be", "it is one of"),
        ("delete = 'soff'", (2, 10), "cannot be", "\"soft\""),
        ("history = 1", (2, 11), "true or false", "history = true"),
        ("unique = ['a', 'n']", (2, 10), "list of lists", "[["),
        ("unique = [['a', 'n'], ['n', 'a']]", (2, 23), "unique twice", ""),
        ("unique = [['u']]", (2, 11), "unique twice", ""),
        ("unique = [['a', 'a']]", (2, 17), "stands twice", ""),
        ("unique = [[]]", (2, 11), "from 1 to 16", ""),
        ("unique = [['secret', 'a']]", (2, 12), "cannot be unique", ""),
        ("unique = [['id', 'a']]", (2, 12), "is the key", ""),
        ("methods = ['GET']", (2, 11), "must be a table", "collection"),
        ("methods = { item = ['get'] }", (2, 21), "cannot be", "\"GET\""),
        ("methods = { item = ['HEAD'] }", (2, 21), "not declared", "comes with GET"),
        ("methods = { collection = ['PUT'] }", (2, 27), "cannot be", "\"POST\""),
        ("methods = { item = ['GET', 'GET'] }", (2, 28), "stands twice", ""),
        ("initial = ''", (2, 11), "no path", ""),
        ("flash = { creatd = 'x' }", (2, 11), "no setting `creatd`", "`created`"),
        ("flash = { created = '{lable}' }", (2, 21), "stands for nothing", "{label}"),
        ("reply = { deleted = true }", (2, 21), "must be text", "deleted = "),
        ("errors = { taken = { status = 422 } }", (2, 31), "409 or 400", ""),
        ("errors = { taken = { status = '400' } }", (2, 31), "must be a status", "400"),
        ("errors = { not_found = { get = 'x' } }", (2, 26), "no method", "GET"),
        ("pages = 1", (2, 9), "a table, or false", "false"),
        ("pages = { columns = [] }", (2, 21), "lists no fields", "leave"),
        ("pages = { columns = ['secret'] }", (2, 22), "never shown", ""),
        ("pages = { per_page = 101 }", (2, 22), "from 1 to 100", ""),
        ("pages = { after_create = 'list' }", (2, 26), "cannot be", "it is one of"),
        ("pages = { paths = { new = 'add' } }", (2, 27), "start with `/`", "\"/add\""),
        ("pages = { paths = { new = '/docs/add' } }", (2, 27), "Carafe's own", ""),
        ("pages = { paths = { new = '/api/add' } }", (2, 27), "within the API", ""),
        ("pages = { paths = { new = '/users/add' } }", (2, 27), "the resource `users`", ""),
        ("pages = { paths = { new = '/things' } }", (2, 27), "the resource `things`", ""),
        ("pages = { paths = { edit = '/x' } }", (2, 21), "no setting `edit`", "new"),
    ];
    check(cases, |fragment| {
        format!(
            "[resources.things]\n{fragment}\n[resources.things.fields]\na = {{ type = 'string' }}
n = {{ type = 'integer' }}\nu = {{ type = 'string', unique = true }}
secret = {{ type = 'password' }}
[resources.users.fields]\nname = {{ type = 'string' }}
[resources.emails]\nparent = 'users'\n[resources.emails.fields]\naddress = {{ type = 'email' }}\n"
        )
    });
}

#[test]
fn mistakes_of_a_field_are_explained() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("'string'", (2, 5), "must be a table", "{ type = \"string\" }"),
        ("1", (2, 5), "must be a table", "type"),
        ("{ max_length = 1 }", (2, 1), "needs a `type`", "\"string\""),
        ("{ one_of = ['a'] }", (2, 1), "needs a `type`", "\"choice\""),
        ("{ type = 'strin' }", (2, 14), "no type \"strin\"", "\"string\""),
        ("{ type = 'int' }", (2, 14), "no type", "\"integer\""),
        ("{ type = 'ForeignKey' }", (2, 14), "no type", "\"reference\""),
        ("{ type = 'zzz' }", (2, 14), "no type", "it is one of"),
        ("{ type = 1 }", (2, 14), "must be text", "\"string\""),
        ("{ type = 'string', required = true }", (2, 24), "no setting `required`", "optional"),
        ("{ type = 'string', maxlength = 1 }", (2, 24), "no setting", "max_length"),
        ("{ type = 'string', optionl = true }", (2, 24), "no setting", "`optional`"),
        ("{ type = 'string', read = 'user' }", (2, 24), "not supported yet", "later release"),
        ("{ type = 'string', write = 'user' }", (2, 24), "not supported yet", "later release"),
        ("{ type = 'reference', to = 'users', set = 'actor' }", (2, 41), "`set` is for", ""),
        ("{ type = 'datetime', set = 'actor' }", (2, 32), "not supported yet", "later release"),
        ("{ type = 'datetime', set = 'created' }", (2, 32), "cannot be", "\"create\""),
        ("{ type = 'string', set = 'create' }", (2, 24), "`set` is for a `datetime`", ""),
        ("{ type = 'datetime', set = 'create', default = 2026-01-01T00:00:00Z }", (2, 42), "no use for a `default`", "leave out"),
        ("{ type = 'datetime', set = 'create', optional = false }", (2, 42), "cannot be required", "leave out"),
        ("{ type = 'string', optional = 'yes' }", (2, 35), "true or false", "optional = true"),
        ("{ type = 'string', label = '' }", (2, 32), "is empty", ""),
        ("{ type = 'integer', min_length = 1 }", (2, 25), "`min_length` is for text", "`min`"),
        ("{ type = 'string', min = 1 }", (2, 24), "`min` is for numbers", "`min_length`"),
        ("{ type = 'string', one_of = ['a'] }", (2, 24), "for a `choice`", "\"choice\""),
        ("{ type = 'integer', to = 'users' }", (2, 25), "for a `reference`", "\"reference\""),
        ("{ type = 'number', scale = 2 }", (2, 24), "for a `decimal`", "\"decimal\""),
        ("{ type = 'password', unique = true }", (2, 26), "all but passwords", ""),
        ("{ type = 'password', index = true }", (2, 26), "all but passwords", ""),
        ("{ type = 'password', default = 'x' }", (2, 26), "all but passwords", ""),
        ("{ type = 'boolean', trim = true }", (2, 25), "for text", ""),
        ("{ type = 'string', min_length = 3, max_length = 2 }", (2, 37), "is more than `max_length`", ""),
        ("{ type = 'string', max_length = 0 }", (2, 37), "at least 1", ""),
        ("{ type = 'string', max_length = -1 }", (2, 37), "from 0", ""),
        ("{ type = 'integer', min = 3, max = 2 }", (2, 31), "is more than `max`", ""),
        ("{ type = 'decimal', min = 3.5, max = '3.49' }", (2, 31), "is more than `max`", ""),
        ("{ type = 'date', min = 2026-02-01, max = '2026-01-01' }", (2, 28), "is more than `max`", ""),
        ("{ type = 'integer', min = 1.5 }", (2, 31), "no value of the field", ""),
        ("{ type = 'number', max = inf }", (2, 30), "no value of the field", ""),
        ("{ type = 'decimal', max = 1.234 }", (2, 31), "no value of the field", ""),
        ("{ type = 'decimal', scale = 19 }", (2, 33), "from 0 to 18", ""),
        ("{ type = 'string', pattern = '(?=a)' }", (2, 34), "linear time", "what is allowed"),
        ("{ type = 'string', pattern = '(a' }", (2, 34), "unclosed group", ""),
        ("{ type = 'string', pattern = '(?i)a' }", (2, 34), "inline flags", "[aA]"),
        ("{ type = 'integer', default = 'x' }", (2, 35), "breaks the field's own rules", ""),
        ("{ type = 'integer', default = 99999999999999999999 }", (2, 35), "64 bits", ""),
        ("{ type = 'string', default = 'abc', max_length = 2 }", (2, 34), "at most 2 characters", ""),
        ("{ type = 'string', default = '' }", (2, 34), "is required", "optional = true"),
        ("{ type = 'string', default = '', optional = true }", (2, 34), "empty `default`", "null"),
        ("{ type = 'string', default = ['a'] }", (2, 34), "must be text", ""),
        ("{ type = 'datetime', default = 2026-01-01 }", (2, 36), "date and time", ""),
        ("{ type = 'json', default = [nan] }", (2, 32), "must be JSON", ""),
        ("{ type = 'choice' }", (2, 1), "needs `one_of`", "one_of = ["),
        ("{ type = 'choice', one_of = [] }", (2, 33), "lists no values", ""),
        ("{ type = 'choice', one_of = 'a' }", (2, 33), "must be a list", "one_of = ["),
        ("{ type = 'choice', one_of = [1] }", (2, 34), "list of texts", "one_of = ["),
        ("{ type = 'choice', one_of = ['a', 'a'] }", (2, 39), "stands twice", ""),
        ("{ type = 'choice', one_of = [' a'] }", (2, 34), "cannot be chosen", ""),
        ("{ type = 'choice', one_of = ['a'], default = 'b' }", (2, 50), "must be one of a", ""),
        ("{ type = 'reference' }", (2, 1), "needs `to`", "to = "),
        ("{ type = 'reference', to = 'usrs' }", (2, 32), "no resource `usrs`", "`users`"),
        ("{ type = 'reference', to = 'tags' }", (2, 32), "no resource `tags`", "[resources.tags.fields]"),
        ("{ type = 'reference', to = 'users', on_delete = 'set_null' }", (2, 53), "can be null", "optional = true"),
        ("{ type = 'reference', to = 'users', on_delete = 'delete' }", (2, 53), "cannot be", "it is one of"),
        ("{ type = 'string' }\nA = { type = 'string' }", (3, 1), "small letter", "`a`"),
        ("{ type = 'string' }\nid = { type = 'integer' }", (3, 1), "is the key", "leave it out"),
        ("{ type = 'string' }\ndeleted_at = { type = 'date' }", (3, 1), "deleted", "removed_at"),
    ];
    check(cases, |fragment| {
        format!(
            "[resources.things.fields]\nf = {fragment}\n[resources.users.fields]\nname = {{ type = 'string' }}\n"
        )
    });
}

#[test]
fn mistakes_between_resources_are_explained() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("", (1, 1), "no resources", "[resources.notes.fields]"),
        ("[resources]", (1, 2), "no resources", "[resources.notes.fields]"),
        ("[resources.a]\nlinks = true\n[resources.a.fields]\nurl = { type = 'url' }", (4, 1), "own address", "website"),
        ("[resources.a.fields]\nb = { type = 'string' }\n[resources.b]\nparent = 'a'\n[resources.b.fields]\nc = { type = 'string' }", (2, 1), "path of a sub-resource", ""),
        ("[resources.a.fields]\nb = { type = 'string' }\n[resources.edit]\nparent = 'a'\n[resources.edit.fields]\nc = { type = 'string' }", (3, 12), "has a page at that path", ""),
        ("[resources.users.fields]\nb = { type = 'string' }\n[resources.c]\nparent = 'users'\n[resources.c.fields]\nuser = { type = 'string' }", (6, 1), "reference to the parent", "to = \"users\""),
        ("[resources.users.fields]\nb = { type = 'string' }\n[resources.c]\nparent = 'users'\n[resources.c.fields]\nuser = { type = 'reference', to = 'users', optional = true }", (6, 1), "which its path names", "leave out"),
        ("[resources.users.fields]\nb = { type = 'string' }\n[resources.c]\nparent = 'users'\n[resources.c.fields]\nx = { type = 'reference', to = 'users' }\ny = { type = 'reference', to = 'users' }", (7, 1), "two fields refer", "`user`"),
        ("[resources.a]\nwas = 'b'\n[resources.a.fields]\nx = { type = 'string' }\n[resources.b.fields]\nx = { type = 'string' }", (1, 12), "there is a resource `b` still", "`was`"),
        ("[resources.a.fields]\nx = { type = 'string', was = 'x' }", (2, 1), "always called so", "`was`"),
        ("[resources.a.fields]\nx = { type = 'string', was = 'w' }\ny = { type = 'string', was = 'w' }", (3, 1), "two fields say", "`was`"),
        ("[resources.a.fields]\nx = { type = 'string', was = '7' }", (2, 30), "cannot be a name", "n7"),
        ("api.prefix = ['/api', '/api/v1']\n[resources.v1.fields]\na = { type = 'string' }", (2, 12), "path of the prefix", ""),
        ("api.prefix = '/notes'\n[resources.notes.fields]\na = { type = 'string' }", (2, 12), "path of the prefix", ""),
        ("[resources.a]\npages.paths.new = '/add'\n[resources.a.fields]\nx = { type = 'string' }\n[resources.b]\npages.paths.new = '/add'\n[resources.b.fields]\nx = { type = 'string' }", (6, 19), "another form", ""),
    ];
    check(cases, str::to_owned);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = r#"name = "Notes"
port = 8080

[resources.notes]
search = ["titel"]
order = ["-created_at", "created_at"]

[resources.notes.fields]
title = { type = "string", max_lenght = 200 }
created_at = { type = "datetime", set = "create" }
author = { type = "reference", to = "user" }

[resources.users.fields]
age = { type = "integer", min = 10, max = 1 }
"#;
    insta::assert_snapshot!(render(&bad(text), "carafe.toml", text, false), @r#"
    error: `port` belongs to the place that a server runs in, not to this file
     --> carafe.toml:2:1
      |
    2 | port = 8080
      | ^^^^ not a setting of the application
      |
      = help: give it as a flag or in the environment; `carafe serve --help` names both

    error: `notes` has no field `titel`
     --> carafe.toml:5:11
      |
    5 | search = ["titel"]
      |           ^^^^^^^ no such field
      |
      = help: did you mean `title`?

    error: the same column stands twice in an order
     --> carafe.toml:6:25
      |
    6 | order = ["-created_at", "created_at"]
      |          -------------  ^^^^^^^^^^^^ again
      |          |
      |          first here

    error: `resources.notes.fields.title` has no setting `max_lenght`
     --> carafe.toml:9:28
      |
    9 | title = { type = "string", max_lenght = 200 }
      |                            ^^^^^^^^^^ unknown setting
      |
      = help: did you mean `max_length`?

    error: there is no resource `user`
      --> carafe.toml:11:37
       |
    11 | author = { type = "reference", to = "user" }
       |                                     ^^^^^^ no such resource
       |
       = help: did you mean `users`?

    error: `min` is more than `max`: nothing could be accepted
      --> carafe.toml:14:33
       |
    14 | age = { type = "integer", min = 10, max = 1 }
       |                                 ^^        - the most
       |                                 |
       |                                 more than the most
    "#);
}

#[test]
fn after_a_fault_of_syntax_only_what_was_read_is_judged() {
    let text = "prot = 1\n[resources.notes]\norder = ['b']\n[resources.notes.fields]\na = { type = \nb = { type = 'string' }\n";
    let messages: Vec<String> = bad(text)
        .into_iter()
        .map(|problem| problem.message)
        .collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("no setting `prot`"), "{messages:?}");
    assert!(messages[1].contains("not TOML"), "{messages:?}");
}

#[test]
fn the_name_is_the_folders() {
    let name = |folder: &str| parse(SMALLEST, Path::new(folder)).expect("good").name;
    assert_eq!(name("/home/ann/my-notes/"), "my-notes");
    assert_eq!(name("/"), "Carafe");
}

fn check_any(text: &str) {
    if let Err(problems) = parse(text, Path::new("/srv/library")) {
        assert!(!problems.is_empty());
        assert!(!render(&problems, "carafe.toml", text, true).is_empty());
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text: String) {
        check_any(&text);
    }

    #[test]
    fn no_declaration_is_too_strange(text in r#"([a-c_.= \[\]{},"'0-9\n-]|resources|fields|type|string|key){0,60}"#) {
        check_any(&text);
    }

    #[test]
    fn a_mutated_declaration_is_judged(
        edits in proptest::collection::vec((0_usize..4000, 0_usize..12, "[a-z0-9 =.\"'{}\\[\\],\n-]{0,4}"), 1..6),
    ) {
        let mut text = EVERYTHING.to_owned();
        for (at, length, replacement) in edits {
            let start = text.floor_char_boundary(at % text.len());
            let end = text.floor_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &replacement);
        }
        check_any(&text);
    }

    #[test]
    fn a_declaration_without_some_lines_is_judged(removed in proptest::collection::vec(0_usize..100, 1..8)) {
        let lines = EVERYTHING.lines().enumerate();
        let kept = lines.filter(|(index, _)| !removed.contains(index));
        let text = kept.map(|(_, line)| format!("{line}\n")).collect::<String>();
        check_any(&text);
    }
}

#[test]
fn a_document_resource_has_members_in_place_of_fields() {
    let text = r#"
        [resources.stock]
        kind    = "document"
        label   = "Collection"
        key     = { field = "collection", type = "string" }
        members = { label = "Member", value = { type = "integer", min = 0, label = "Qty" } }
        put     = "upsert"
        reply   = { created = "{label} created" }
        errors  = { not_found = { GET = "Not found", DELETE = "{label} not found" } }

        [resources.settings]
        kind = "document"
        "#;
    let schema = parse(text, Path::new("/app")).unwrap();
    let stock = &schema.resources[0];
    let members = stock.members.as_ref().unwrap();
    assert_eq!(stock.fields.len(), 1);
    assert_eq!(stock.reply.created.as_deref(), Some("Collection created"));
    assert_eq!(members.reply.created.as_deref(), Some("Member created"));
    assert_eq!(
        stock.errors.not_found(Method::Delete),
        Some("Collection not found")
    );
    assert_eq!(
        members.errors.not_found(Method::Delete),
        Some("Member not found")
    );
    assert_eq!(
        (members.name.as_str(), members.value.name.as_str()),
        ("member", "qty")
    );
    assert!(stock.methods.item.contains(&Method::Post));
    assert_eq!(stock.methods.collection, [Method::Get]);
    let settings = &schema.resources[1];
    let members = settings.members.as_ref().unwrap();
    assert_eq!(
        (settings.key.field.as_str(), settings.key.kind),
        ("name", KeyKind::String)
    );
    assert_eq!(members.value.kind, Kind::Json);
}

#[test]
fn what_a_document_cannot_have_is_refused_with_the_reason() {
    #[rustfmt::skip]
    let cases = [
        ("fields = { title = { type = 'string' } }", "has no `fields`", "write `members`"),
        ("key = { type = 'integer' }", "clients name documents", "type = \"string\""),
        ("lists = 'array'", "has no `lists`", "a map of all"),
        ("links = true", "has no `links`", "that clients give them"),
        ("search = ['a']", "has no `search`", "no string fields"),
        ("members = { valeu = {} }", "no setting `valeu`", "`value`"),
        ("members = { value = { type = 'integer', optional = true } }", "has no `optional`", "it is not there"),
        ("members = { value = { type = 'password' } }", "cannot be a reference or a password", "with `fields`"),
        ("methods = { collection = ['POST'] }", "cannot be", "GET"),
    ];
    for (line, message, hint) in cases {
        let text = format!("[resources.things]\nkind = 'document'\n{line}");
        let problems = parse(&text, Path::new("/app")).unwrap_err();
        let found = problems.iter().any(|problem| {
            problem.message.contains(message)
                && problem
                    .hint
                    .as_deref()
                    .is_some_and(|text| text.contains(hint))
        });
        assert!(found, "{line}: {problems:#?}");
    }
    let text = "[resources.a]\nkind = 'document'\n[resources.b]\nparent = 'a'\nfields = { x = { type = 'string' } }";
    let problems = parse(text, Path::new("/app")).unwrap_err();
    assert!(
        problems[0].message.contains("cannot be under a document"),
        "{problems:#?}"
    );
}
