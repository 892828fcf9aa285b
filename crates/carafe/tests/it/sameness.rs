//! The same requests to a server over SQLite and one over PostgreSQL get the same answers:
//! status, header fields and body. Only ids may differ, because a refused insert leaves a gap in
//! PostgreSQL; they are compared by which record they stand for.

use std::collections::HashMap;

use carafe_model::key::KeyKind;
use carafe_model::kind::Kind;
use carafe_model::resource::{Pagination, Resource};
use carafe_model::schema::Schema;
use serde_json::{Value, json};

use crate::postgres;
use crate::support::{Reply, TestApp, workspace};

/// Header fields that say something of the record, not of the moment.
const HEADERS: [&str; 13] = [
    "accept-patch",
    "allow",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-location",
    "content-type",
    "etag",
    "link",
    "location",
    "preference-applied",
    "vary",
    "x-total-count",
];

/// Requests of one generated sequence.
const REQUESTS: usize = 700;

const LARGE: &str = r#"
name = "Everything"

[resources.authors]
search = ["name", "bio"]
order = ["-rank", "name"]
history = true
[resources.authors.fields]
name  = { type = "string", max_length = 60, unique = true }
bio   = { type = "text", optional = true }
rank  = { type = "integer", optional = true }
size  = { type = "number", optional = true }
price = { type = "decimal", scale = 3, default = "1.500" }
alive = { type = "boolean", default = true }
born  = { type = "date", optional = true, min = "1800-01-01" }
seen  = { type = "datetime", optional = true }
mail  = { type = "email", optional = true, unique = true }
site  = { type = "url", optional = true }
tag   = { type = "uuid", optional = true }
mood  = { type = "choice", one_of = ["happy", "sad", "Zen"], optional = true }
data  = { type = "json", optional = true }
made  = { type = "datetime", set = "create" }
last  = { type = "datetime", set = "update" }

[resources.shelves]
key = { field = "code", type = "string" }
put = "upsert"
order = ["-label"]
[resources.shelves.fields]
label = { type = "string", max_length = 40, optional = true }
owner = { type = "reference", to = "authors", on_delete = "set_null", optional = true }

[resources.books]
key = { field = "id", type = "uuid" }
search = ["title"]
unique = [["author", "title"]]
[resources.books.fields]
title  = { type = "string" }
author = { type = "reference", to = "authors", on_delete = "cascade" }
shelf  = { type = "reference", to = "shelves", on_delete = "restrict", optional = true }

[resources.remarks]
parent = "authors"
pagination = "cursor"
delete = "hard"
[resources.remarks.fields]
text = { type = "text" }
stars = { type = "integer", min = 1, max = 5, optional = true }

[resources.papers]
kind = "document"
key = { field = "name", type = "string" }
put = "upsert"
history = true
"#;

#[tokio::test]
async fn generated_requests_to_a_large_declaration() {
    for seed in [1, 2, 3] {
        let Some(mut twins) = Twins::of_declaration(LARGE).await else {
            return;
        };
        twins.play(seed).await;
    }
}

#[tokio::test]
async fn generated_requests_to_the_five_applications() {
    for name in ["students", "usernames", "stock", "users", "notes"] {
        let Some(mut twins) = Twins::of_application(name).await else {
            return;
        };
        twins.play(7).await;
    }
}

/// One application over each database.
struct Twins {
    apps: [TestApp; 2],
    schema: Schema,
    /// For each side: the number of a record, by resource and key as the side knows it.
    numbers: [HashMap<(usize, String), usize>; 2],
    /// For each resource the keys of its records, on both sides.
    keys: Vec<Vec<[String; 2]>>,
    /// How often each status has come.
    seen: HashMap<u16, usize>,
}

/// A key in a path, or a reference in a body: that of a record that was made, or a made-up one.
#[derive(Clone)]
enum Place {
    Made { resource: usize, number: usize },
    Other(String),
}

impl Twins {
    async fn of_declaration(text: &str) -> Option<Self> {
        let schema = carafe_model::declaration::parse(text, std::path::Path::new("large")).unwrap();
        if !postgres::is_there() {
            return None;
        }
        let apps = [
            TestApp::new_on_sqlite(text).await,
            TestApp::new_on_postgres(text).await,
        ];
        Some(Self::new(apps, schema))
    }

    async fn of_application(name: &str) -> Option<Self> {
        let folder = workspace().join("apps").join(name);
        let text = std::fs::read_to_string(folder.join("carafe.toml")).unwrap();
        let schema = carafe_model::declaration::parse(&text, &folder).unwrap();
        if !postgres::is_there() {
            return None;
        }
        let apps = [
            TestApp::of_on_sqlite(name).await,
            TestApp::of_on_postgres(name).await,
        ];
        Some(Self::new(apps, schema))
    }

    fn new(apps: [TestApp; 2], schema: Schema) -> Self {
        let keys = schema.resources.iter().map(|_| Vec::new()).collect();
        Self {
            apps,
            schema,
            numbers: Default::default(),
            keys,
            seen: HashMap::new(),
        }
    }

    /// Sends a generated sequence of requests to both. Most of what can come of one must have
    /// come, or else the sequence says nothing.
    async fn play(&mut self, seed: u64) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for step in 0..REQUESTS {
            if dice.one_in(9) {
                self.apps.iter().for_each(TestApp::tick);
            }
            let asked = self.request(&mut dice);
            self.send(&asked, &format!("seed {seed}, step {step}"))
                .await;
        }
        // In the end everything that is there.
        for index in 0..self.schema.resources.len() {
            let asked = Asked::get(self.path(index, None, &mut dice), index);
            let step = format!("seed {seed}, all of {index}");
            self.send(&asked, &step).await;
        }
        for status in [200, 201, 400, 404] {
            let count = self.seen.get(&status).copied().unwrap_or(0);
            assert!(
                count > REQUESTS / 50,
                "{status}: {count} of {:?}",
                self.seen
            );
        }
    }

    async fn send(&mut self, asked: &Asked, step: &str) {
        let mut replies = Vec::new();
        for side in [0, 1] {
            let path: String = asked
                .path
                .iter()
                .map(|part| self.text(part, side))
                .collect();
            let mut request = self.apps[side].request(asked.method, &path);
            for (name, value) in &asked.headers {
                request = request.header(name, value);
            }
            let query: Vec<(&str, String)> = asked
                .query
                .iter()
                .map(|(name, value)| (name.as_str(), self.text(value, side)))
                .collect();
            let pairs: Vec<(&str, &str)> = query
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            request = request.query(&pairs);
            if let Some(body) = &asked.body {
                let body = self.body(body, side);
                request = match asked.headers.iter().any(|(name, _)| name == "content-type") {
                    true => request.body(body.to_string()),
                    false => request.json(body),
                };
            }
            replies.push(request.send().await);
        }
        *self.seen.entry(replies[0].status).or_default() += 1;
        self.learn(asked, &replies);
        let [one, other] = [0, 1].map(|side| self.shown(asked, side, &replies[side]));
        let sent = format!(
            "{} {}",
            asked.method,
            asked
                .path
                .iter()
                .map(|part| self.text(part, 0))
                .collect::<String>()
        );
        assert!(replies[0].status < 500, "{step}: {sent}: {one}");
        let lines = one.lines().zip(other.lines());
        let different = { lines }.find(|(one, other)| one != other);
        let query = asked.query.iter();
        let query: Vec<_> = query
            .map(|(name, value)| (name, self.text(value, 0)))
            .collect();
        let body = asked.body.as_ref().map(|body| self.body(body, 0));
        assert!(
            one == other,
            "{step}: {sent} {query:?} {body:?}: {different:#?}"
        );
    }

    /// Notes the keys of a new record.
    fn learn(&mut self, asked: &Asked, replies: &[Reply]) {
        if !replies
            .iter()
            .all(|reply| reply.status == 201 && reply.has("location"))
        {
            return;
        }
        let keys = [0, 1].map(|side: usize| {
            let location = replies[side].header("location");
            location.rsplit('/').next().unwrap_or_default().to_owned()
        });
        self.note(asked.resource, keys);
    }

    fn note(&mut self, resource: usize, keys: [String; 2]) {
        let number = self.keys[resource].len();
        for side in [0, 1] {
            self.numbers[side].insert((resource, keys[side].clone()), number);
        }
        self.keys[resource].push(keys);
    }

    fn text(&self, place: &Place, side: usize) -> String {
        match place {
            Place::Made { resource, number } => self.keys[*resource][*number][side].clone(),
            Place::Other(text) => text.clone(),
        }
    }

    fn body(&self, body: &Body, side: usize) -> Value {
        let mut json = body.json.clone();
        for (name, place) in &body.references {
            let text = self.text(place, side);
            json[name] = match text.parse::<i64>() {
                Ok(id) => json!(id),
                Err(_) => json!(text),
            };
        }
        json
    }

    /// An answer in which ids are replaced by the numbers of their records.
    fn shown(&self, asked: &Asked, side: usize, reply: &Reply) -> String {
        let mut shown = format!("{}\n", reply.status);
        let text = reply.text();
        let body = match serde_json::from_str::<Value>(&text) {
            Ok(mut json) => {
                self.rename(&mut json, &self.schema.resources[asked.resource], side);
                json.to_string()
            }
            Err(_) => without_tokens(&self.rename_paths(&text, side)),
        };
        for name in HEADERS {
            let value = self.rename_paths(reply.header(name), side);
            let value = match name == "etag" {
                true => shown_tag(&value, &self.schema.resources[asked.resource]),
                false => value,
            };
            let value = without_cursor(&value);
            if !value.is_empty() {
                shown.push_str(&format!("{name}: {value}\n"));
            }
        }
        shown + &body
    }

    fn rename(&self, json: &mut Value, resource: &Resource, side: usize) {
        match json {
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    let target = match name == resource.key.field.as_str() {
                        true => Some(resource.index),
                        false => resource.position(name).and_then(|position| {
                            match &resource.fields[position].kind {
                                Kind::Reference(reference) => Some(reference.index),
                                _ => None,
                            }
                        }),
                    };
                    let known = target.and_then(|target| {
                        let key = value.as_str().map_or(value.to_string(), str::to_owned);
                        self.numbers[side].get(&(target, key))
                    });
                    match (known, name.as_str()) {
                        (Some(number), _) => *value = json!(format!("#{number}")),
                        (None, "next" | "instance") if value.is_string() => *value = json!("…"),
                        (None, _) => self.rename(value, resource, side),
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.rename(item, resource, side);
                }
            }
            Value::String(text) => *text = self.rename_paths(text, side),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// `/notes/7` becomes `/notes/#6`.
    fn rename_paths(&self, text: &str, side: usize) -> String {
        let text = text.replace(&self.apps[side].base, "");
        let mut shown = String::new();
        let mut before = String::new();
        for (position, part) in text.split('/').enumerate() {
            if position > 0 {
                shown.push('/');
            }
            let end = part
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
                .unwrap_or(part.len());
            let resource = self.schema.resource(&before);
            let number = resource.and_then(|resource| {
                self.numbers[side].get(&(resource.index, part[..end].to_owned()))
            });
            match number {
                Some(number) => shown.push_str(&format!("#{number}{}", &part[end..])),
                None => shown.push_str(part),
            }
            before = part
                .rsplit([' ', '"', '<', '>', '='])
                .next()
                .unwrap_or_default()
                .to_owned();
        }
        shown
    }

    fn request(&self, dice: &mut Dice) -> Asked {
        let resource = &self.schema.resources[dice.below(self.schema.resources.len())];
        let index = resource.index;
        let is_document = resource.members.is_some();
        let mut asked = Asked::get(self.path(index, None, dice), index);
        match dice.below(14) {
            12 | 13 => {
                asked.headers = vec![("accept".to_owned(), "text/html".to_owned())];
                let key = dice.one_in(2).then(|| self.any_key(index, dice));
                asked.path = self.path(index, key, dice);
                // Pages are at the root.
                asked.path[0] = Place::Other(String::new());
                if dice.one_in(3) {
                    asked.query = self.query(resource, dice);
                }
            }
            0..=2 => {
                asked.method = "POST";
                asked.body = Some(self.input(resource, dice, false));
                if is_document || resource.key.kind == KeyKind::String {
                    asked.path = self.path(index, Some(self.any_key(index, dice)), dice);
                    if !is_document {
                        asked.method = "PUT";
                    }
                }
                if dice.one_in(6) {
                    asked
                        .headers
                        .push(("prefer".to_owned(), "return=minimal".to_owned()));
                }
                if dice.one_in(8) && asked.method == "POST" {
                    let key = format!("\"key-{}\"", dice.below(5));
                    asked.headers.push(("idempotency-key".to_owned(), key));
                }
            }
            3..=6 => {
                asked.query = self.query(resource, dice);
            }
            7 => asked.path = self.path(index, Some(self.any_key(index, dice)), dice),
            8 => {
                asked.method = "PATCH";
                asked.path = self.path(index, Some(self.any_key(index, dice)), dice);
                asked.body = Some(self.input(resource, dice, true));
                if dice.one_in(4) {
                    asked
                        .headers
                        .push(("if-match".to_owned(), "\"1.0\"".to_owned()));
                }
                if dice.one_in(6) && resource.delete == carafe_model::resource::Delete::Soft {
                    asked.query = vec![("deleted".to_owned(), Place::Other("only".to_owned()))];
                    asked.body = Some(Body::of(json!({ "deleted_at": null })));
                }
            }
            9 => {
                asked.method = "PUT";
                asked.path = self.path(index, Some(self.any_key(index, dice)), dice);
                asked.body = Some(self.input(resource, dice, false));
            }
            10 => {
                asked.method = "DELETE";
                asked.path = self.path(index, Some(self.any_key(index, dice)), dice);
            }
            _ => {
                asked.path = self.path(index, Some(self.any_key(index, dice)), dice);
                let field = &resource.fields[dice.below(resource.fields.len())];
                let ends = [
                    "history".to_owned(),
                    field.name.to_string(),
                    "nothing".to_owned(),
                ];
                let end = format!("/{}", dice.choose(&ends));
                asked.path.push(Place::Other(end));
            }
        }
        asked
    }

    /// The path of a collection or a record, with that of its parent before it.
    fn path(&self, index: usize, key: Option<Place>, dice: &mut Dice) -> Vec<Place> {
        let resource = &self.schema.resources[index];
        let text = |text: String| Place::Other(text);
        let mut path = vec![text(self.schema.prefixes[0].clone())];
        if let Some(parent) = &resource.parent {
            path.push(text(format!("/{}/", parent.resource)));
            path.push(self.any_key(parent.index, dice));
        }
        path.push(text(format!("/{}", resource.name)));
        if let Some(key) = key {
            path.push(text("/".to_owned()));
            path.push(key);
        }
        path
    }

    fn any_key(&self, index: usize, dice: &mut Dice) -> Place {
        let (made, resource) = (self.keys[index].len(), &self.schema.resources[index]);
        if made > 0 && !dice.one_in(8) {
            // The last ones more often: they are there.
            let number = made - 1 - dice.below(made.min(12));
            return Place::Made {
                resource: index,
                number,
            };
        }
        Place::Other(match resource.key.kind {
            KeyKind::String => dice
                .choose(&["a", "b", "c", "%C3%A9", "x%2Fy", "Z"])
                .to_string(),
            KeyKind::Integer => dice.choose(&["0", "999999", "x", "-1"]).to_string(),
            KeyKind::Uuid => dice
                .choose(&["x", "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10"])
                .to_string(),
        })
    }

    fn input(&self, resource: &Resource, dice: &mut Dice, partial: bool) -> Body {
        if resource.members.is_some() {
            let names = ["apple", "pear", "é", "a b"];
            let mut json = json!({});
            for _ in 0..dice.below(4) {
                json[*dice.choose(&names)] = dice
                    .choose(&[json!(1), json!(-3), json!("x"), Value::Null, json!(2.5)])
                    .clone();
            }
            return Body::of(json);
        }
        let mut body = Body::of(json!({}));
        for field in &resource.fields {
            if field.set.is_some() || dice.one_in(if partial || field.optional { 2 } else { 30 }) {
                continue;
            }
            if let Kind::Reference(reference) = &field.kind {
                let place = self.any_key(reference.index, dice);
                body.references.push((field.name.to_string(), place));
                continue;
            }
            body.json[field.name.as_str()] = value(&field.kind, dice);
        }
        if dice.one_in(5) {
            let field = dice.choose(&resource.fields);
            body.json[field.name.as_str()] = junk(dice);
        }
        if dice.one_in(15) {
            body.json["unheard_of"] = json!(1);
        }
        body
    }

    fn query(&self, resource: &Resource, dice: &mut Dice) -> Vec<(String, Place)> {
        let mut query: Vec<(String, Place)> = Vec::new();
        let mut add = |name: String, value: String| query.push((name, Place::Other(value)));
        let fields: Vec<_> = resource
            .fields
            .iter()
            .filter(|field| !matches!(field.kind, Kind::Reference(_) | Kind::Json | Kind::Password))
            .collect();
        for _ in 0..dice.below(3) {
            if fields.is_empty() || resource.members.is_some() {
                break;
            }
            let field = dice.choose(&fields);
            let operators = [
                "",
                "__ne",
                "__lt",
                "__lte",
                "__gt",
                "__gte",
                "__in",
                "__contains",
                "__isnull",
            ];
            let operator = dice.choose(&operators);
            let text = |value: Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let value = match *operator {
                "__isnull" => dice.choose(&["true", "false"]).to_string(),
                "__in" => format!(
                    "{},{}",
                    text(value(&field.kind, dice)),
                    text(value(&field.kind, dice))
                ),
                _ => text(value(&field.kind, dice)),
            };
            add(format!("{}{operator}", field.name), value);
        }
        if dice.one_in(2) && !fields.is_empty() {
            let sign = dice.choose(&["", "-"]);
            add(
                "sort".to_owned(),
                format!("{sign}{}", dice.choose(&fields).name),
            );
        }
        if dice.one_in(3) && !resource.search.is_empty() {
            add(
                "q".to_owned(),
                dice.choose(&[
                    "a", "ÉC", "of", "100%", "_", "ss", "ß", "zz", "\u{FFFD}", "i\u{307}",
                ])
                .to_string(),
            );
        }
        if dice.one_in(3) {
            add(
                "per_page".to_owned(),
                dice.choose(&["1", "3", "100", "0", "x"]).to_string(),
            );
        }
        if dice.one_in(4) && resource.pagination == Pagination::Page {
            add(
                "page".to_owned(),
                dice.choose(&["1", "2", "3", "50"]).to_string(),
            );
        }
        if dice.one_in(8) {
            add("deleted".to_owned(), "only".to_owned());
        }
        if dice.one_in(8) && !fields.is_empty() {
            add("fields".to_owned(), dice.choose(&fields).name.to_string());
        }
        query
    }
}

/// What few fields take.
fn junk(dice: &mut Dice) -> Value {
    let texts = [
        "",
        "x\u{0}",
        "no mail",
        "2026-02-30",
        "ftp://x",
        "1.2345678",
    ];
    let others = [Value::Null, json!([]), json!(1e300), json!(true)];
    match dice.one_in(2) {
        true => json!(dice.choose(&texts)),
        false => dice.choose(&others).clone(),
    }
}

/// A value that a field of this kind takes.
fn value(kind: &Kind, dice: &mut Dice) -> Value {
    let choices: Vec<Value> = match kind {
        Kind::String | Kind::Text => [
            "Alpha",
            "alpha",
            "Éclair",
            "e\u{301}clair",
            "Straße",
            "zebra of",
            "Ünder",
            "100% _",
            "\u{1F600}",
            "Σίσυφος",
            " padded ",
            "10",
            "9",
        ]
        .map(|text| json!(text))
        .into(),
        Kind::Integer => vec![
            json!(0),
            json!(-5),
            json!(3),
            json!(40),
            json!(i64::MAX),
            json!(i64::MIN),
        ],
        Kind::Number => vec![
            json!(0.1),
            json!(-0.0),
            json!(3),
            json!(1e-300),
            json!(1.7976931348623157e308),
            json!(12345678.9),
        ],
        Kind::Decimal { .. } => vec![
            json!("1.5"),
            json!("-0.001"),
            json!("999999999999.999"),
            json!(7),
        ],
        Kind::Boolean => vec![json!(true), json!(false)],
        Kind::Date => vec![
            json!("2026-01-31"),
            json!("1999-12-31"),
            json!("0001-01-01"),
            json!("9999-12-31"),
        ],
        Kind::Datetime => vec![
            json!("2026-01-31T12:00:00Z"),
            json!("2026-01-31T12:00:00.123456+02:00"),
            json!("0001-01-01T00:00:00Z"),
            json!("9999-12-31T23:59:59.999999Z"),
        ],
        Kind::Email => vec![json!("ann@example.org"), json!("bob@example.org")],
        Kind::Url => vec![
            json!("https://example.org/é"),
            json!("https://example.org/"),
        ],
        Kind::Uuid => vec![
            json!("01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10"),
            json!("01939F3E-0B7A-7C3E-9D1B-2F6D4C5E8A11"),
            json!("ffffffff-0000-4000-8000-000000000000"),
        ],
        Kind::Choice(choices) => choices.iter().map(|choice| json!(choice.value)).collect(),
        Kind::Json => vec![
            json!({ "b": 1, "a": [1.50, null, "é"] }),
            json!([]),
            json!(9007199254740993_i64),
            json!("text"),
        ],
        Kind::Password => vec![json!("a good password")],
        Kind::Reference(_) => vec![Value::Null],
    };
    dice.choose(&choices).clone()
}

/// An entity tag without what ids are hashed into: a list's is the hash of its bytes, and that of
/// a record whose key clients name has the id behind the version.
fn shown_tag(tag: &str, resource: &Resource) -> String {
    if tag.starts_with("W/") {
        return "W/".to_owned();
    }
    match (tag.split_once('.'), resource.key.kind) {
        (Some((version, _)), KeyKind::String) => version.to_owned(),
        (_, KeyKind::String | KeyKind::Integer | KeyKind::Uuid) => tag.to_owned(),
    }
}

/// A page without what is another each time: what protects its forms, and the number of the
/// request.
fn without_tokens(page: &str) -> String {
    let mut page = page.to_owned();
    for (start, end) in [("name=\"csrf_token\"", '>'), ("give the number ", '.')] {
        let mut parts = page.split(start);
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            shown.push_str(&part[part.find(end).unwrap_or(0)..]);
        }
        page = shown;
    }
    page
}

/// `cursor=…` without what is behind it.
fn without_cursor(text: &str) -> String {
    let mut parts = text.split("cursor=");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['&', '>']).unwrap_or(part.len());
        shown.push_str("cursor=…");
        shown.push_str(&part[end..]);
    }
    shown
}

/// A request that is not sent yet.
struct Asked {
    method: &'static str,
    path: Vec<Place>,
    query: Vec<(String, Place)>,
    headers: Vec<(String, String)>,
    body: Option<Body>,
    resource: usize,
}

impl Asked {
    fn get(path: Vec<Place>, resource: usize) -> Self {
        Self {
            method: "GET",
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            resource,
        }
    }
}

/// A JSON object, and the members of it that refer to records.
struct Body {
    json: Value,
    references: Vec<(String, Place)>,
}

impl Body {
    fn of(json: Value) -> Self {
        Self {
            json,
            references: Vec::new(),
        }
    }
}

/// Numbers that look thrown, and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }
}
