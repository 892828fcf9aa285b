//! Any sequence of operations gives what a simple model in memory gives.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::support::{Reply, TestApp};

const DECLARATION: &str = r#"
[resources.books]
search = ["title"]
[resources.books.fields]
title = { type = "string", unique = true }
pages = { type = "integer", optional = true, index = true }
read  = { type = "boolean", default = false }

[resources.tags]
search = ["title"]
delete = "hard"
order  = ["-title"]
[resources.tags.fields]
title = { type = "string" }
pages = { type = "integer", optional = true }
read  = { type = "boolean", default = false }
"#;

/// Few, so that they meet; with capitals, accents and what is a wildcard elsewhere.
const TITLES: [&str; 9] = [
    "a",
    "A",
    "alpha",
    "Alphabet",
    "100%",
    "1_0",
    "ÉTÉ",
    "été",
    "日本語の本",
];

const TEXTS: [&str; 9] = ["a", "A", "ALPHA", "bet", "%", "_", "Ét", "本", "zzz"];

const SORTS: [&str; 6] = [
    "title",
    "-title",
    "pages",
    "-pages,title",
    "read,-pages",
    "-id",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A unique title, soft deletion.
    Books,
    /// Hard deletion.
    Tags,
}

/// What is sent of a field: nothing, null, or a value.
type Sent<T> = Option<Option<T>>;

#[derive(Clone, Debug)]
struct Body {
    title: Sent<&'static str>,
    pages: Sent<i64>,
    read: Sent<bool>,
}

#[derive(Clone, Debug)]
enum Operation {
    Create(Body),
    /// The target is counted round the ids given so far, and one that was not given.
    Replace(usize, Body),
    Merge(usize, Body),
    Delete(usize),
    Get(usize),
    List(List),
}

#[derive(Clone, Debug)]
struct List {
    sort: Option<&'static str>,
    filter: Option<Filter>,
    search: Option<&'static str>,
    page: usize,
    per_page: usize,
}

#[derive(Clone, Debug)]
enum Filter {
    PagesAtLeast(i64),
    PagesNot(i64),
    PagesNull(bool),
    Read(bool),
    TitleIs(&'static str),
    TitleHas(&'static str),
}

fn sent<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Sent<T>> {
    prop_oneof![1 => Just(None), 1 => Just(Some(None)), 5 => value.prop_map(|value| Some(Some(value)))]
}

fn pages() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -1..4_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn body() -> impl Strategy<Value = Body> {
    let title = proptest::sample::select(&TITLES[..]);
    (sent(title), sent(pages()), sent(any::<bool>())).prop_map(|(title, pages, read)| Body {
        title,
        pages,
        read,
    })
}

fn list() -> impl Strategy<Value = List> {
    let filter = prop_oneof![
        pages().prop_map(Filter::PagesAtLeast),
        pages().prop_map(Filter::PagesNot),
        any::<bool>().prop_map(Filter::PagesNull),
        any::<bool>().prop_map(Filter::Read),
        proptest::sample::select(&TITLES[..]).prop_map(Filter::TitleIs),
        proptest::sample::select(&TEXTS[..]).prop_map(Filter::TitleHas),
    ];
    (
        proptest::option::of(proptest::sample::select(&SORTS[..])),
        proptest::option::of(filter),
        proptest::option::of(proptest::sample::select(&TEXTS[..])),
        1..4_usize,
        1..6_usize,
    )
        .prop_map(|(sort, filter, search, page, per_page)| List {
            sort,
            filter,
            search,
            page,
            per_page,
        })
}

fn operation() -> impl Strategy<Value = (Kind, Operation)> {
    let operation = prop_oneof![
        4 => body().prop_map(Operation::Create),
        1 => (any::<usize>(), body()).prop_map(|(target, body)| Operation::Replace(target, body)),
        2 => (any::<usize>(), body()).prop_map(|(target, body)| Operation::Merge(target, body)),
        1 => any::<usize>().prop_map(Operation::Delete),
        1 => any::<usize>().prop_map(Operation::Get),
        3 => list().prop_map(Operation::List),
    ];
    (prop_oneof![Just(Kind::Books), Just(Kind::Tags)], operation)
}

#[test]
fn any_sequence_of_operations_gives_what_the_model_gives() {
    let config = Config {
        cases: 64,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    TestRunner::new(config)
        .run(
            &proptest::collection::vec(operation(), 1..40),
            |operations| {
                runtime.block_on(async {
                    let app = TestApp::new(DECLARATION).await;
                    let mut models = BTreeMap::from([Kind::Books, Kind::Tags].map(|kind| {
                        (
                            kind,
                            Model {
                                kind,
                                ..Model::default()
                            },
                        )
                    }));
                    for (kind, operation) in &operations {
                        let model = models.get_mut(kind).unwrap();
                        model.compare(&app, operation).await;
                    }
                    for model in models.values_mut() {
                        let everything = List {
                            sort: Some("-id"),
                            filter: None,
                            search: None,
                            page: 1,
                            per_page: 100,
                        };
                        model.compare(&app, &Operation::List(everything)).await;
                    }
                });
                Ok(())
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: i64,
    title: &'static str,
    pages: Option<i64>,
    read: bool,
}

impl Row {
    fn json(&self) -> Value {
        json!({ "id": self.id, "title": self.title, "pages": self.pages, "read": self.read })
    }
}

#[derive(Debug)]
struct Model {
    kind: Kind,
    rows: BTreeMap<i64, Row>,
    last_id: i64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            kind: Kind::Books,
            rows: BTreeMap::new(),
            last_id: 0,
        }
    }
}

impl Model {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Books => "books",
            Kind::Tags => "tags",
        }
    }

    fn target(&self, number: usize) -> i64 {
        let known = usize::try_from(self.last_id).unwrap() + 1;
        i64::try_from(number % known).unwrap() + 1
    }

    /// Does the same here and there.
    async fn compare(&mut self, app: &TestApp, operation: &Operation) {
        match operation {
            Operation::Create(body) => self.create(app, body).await,
            Operation::Replace(target, body) => {
                let id = self.target(*target);
                let expected = self.change(id, |_| body.whole(id));
                self.changed(
                    send(app, "PUT", self.item(id), Some(body)).await,
                    id,
                    expected,
                );
            }
            Operation::Merge(target, body) => {
                let id = self.target(*target);
                let expected = self.change(id, |row| body.merged(row));
                self.changed(
                    send(app, "PATCH", self.item(id), Some(body)).await,
                    id,
                    expected,
                );
            }
            Operation::Delete(target) => {
                let id = self.target(*target);
                let expected = if self.rows.remove(&id).is_some() {
                    204
                } else {
                    404
                };
                let reply = send(app, "DELETE", self.item(id), None).await;
                assert_eq!(reply.status, expected, "{}", reply.text());
            }
            Operation::Get(target) => {
                let id = self.target(*target);
                let reply = send(app, "GET", self.item(id), None).await;
                match self.rows.get(&id) {
                    Some(row) => assert_eq!((reply.status, reply.json()), (200, row.json())),
                    None => assert_eq!(reply.status, 404, "{}", reply.text()),
                }
            }
            Operation::List(list) => {
                let path = format!("/api/{}", self.name());
                let parameters = list.parameters();
                let pairs: Vec<_> = parameters
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let reply = app.request("GET", &path).query(&pairs).send().await;
                assert_eq!(reply.status, 200, "{}", reply.text());
                assert_eq!(reply.json(), self.list(list), "{parameters:?}");
            }
        }
    }

    fn item(&self, id: i64) -> String {
        format!("/api/{}/{id}", self.name())
    }

    async fn create(&mut self, app: &TestApp, body: &Body) {
        let reply = send(app, "POST", format!("/api/{}", self.name()), Some(body)).await;
        let expected = body.whole(0).and_then(|row| {
            if self.is_free(&row) {
                Ok(row)
            } else {
                Err(409)
            }
        });
        match expected {
            Err(status) => assert_eq!(reply.status, status, "{}", reply.text()),
            Ok(row) => {
                assert_eq!(reply.status, 201, "{}", reply.text());
                let id = reply.json()["id"].as_i64().unwrap();
                assert!(self.last_id < id, "id {id} after {}", self.last_id);
                let row = Row { id, ..row };
                assert_eq!(reply.json(), row.json());
                self.last_id = id;
                self.rows.insert(id, row);
            }
        }
    }

    fn is_free(&self, row: &Row) -> bool {
        let mut others = self.rows.values().filter(|other| other.id != row.id);
        self.kind == Kind::Tags || others.all(|other| other.title != row.title)
    }

    /// The row after a change, or the status of its refusal.
    fn change(&self, id: i64, change: impl Fn(&Row) -> Result<Row, u16>) -> Result<Row, u16> {
        let row = change(self.rows.get(&id).ok_or(404_u16)?)?;
        if self.is_free(&row) {
            Ok(row)
        } else {
            Err(409)
        }
    }

    fn changed(&mut self, reply: Reply, id: i64, expected: Result<Row, u16>) {
        match expected {
            Err(status) => assert_eq!(reply.status, status, "{}", reply.text()),
            Ok(row) => {
                assert_eq!((reply.status, reply.json()), (200, row.json()));
                self.rows.insert(id, row);
            }
        }
    }

    fn list(&self, list: &List) -> Value {
        let mut rows: Vec<&Row> = self.rows.values().filter(|row| list.shows(row)).collect();
        let sort = list.sort.unwrap_or(match self.kind {
            Kind::Books => "id",
            Kind::Tags => "-title",
        });
        let descending = sort
            .split(',')
            .next_back()
            .is_some_and(|last| last.starts_with('-'));
        let key = if descending { "-id" } else { "id" };
        // The last column first: sorting is stable.
        for column in sort.split(',').chain([key]).rev() {
            let by = |row: &&Row| match column.trim_start_matches('-') {
                "title" => (row.title, None, 0),
                "pages" => ("", row.pages, 0),
                "read" => ("", None, i64::from(row.read)),
                _ => ("", None, row.id),
            };
            match column.starts_with('-') {
                true => rows.sort_by_key(|row| std::cmp::Reverse(by(row))),
                false => rows.sort_by_key(by),
            }
        }
        let (total, pages) = (rows.len(), rows.len().div_ceil(list.per_page));
        let shown = rows
            .into_iter()
            .skip((list.page - 1) * list.per_page)
            .take(list.per_page);
        json!({
            self.name(): shown.map(Row::json).collect::<Vec<_>>(),
            "total": total,
            "pages": pages,
            "current_page": list.page,
            "per_page": list.per_page,
            "has_next": list.page < pages,
            "has_prev": list.page > 1,
        })
    }
}

impl Body {
    fn json(&self) -> Value {
        let mut object = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            object.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("title", self.title.map(Value::from));
        add("pages", self.pages.map(Value::from));
        add("read", self.read.map(Value::from));
        Value::Object(object)
    }

    /// As a whole record: null only where it may be, defaults for what is absent.
    fn whole(&self, id: i64) -> Result<Row, u16> {
        Ok(Row {
            id,
            title: self.title.flatten().ok_or(400_u16)?,
            pages: self.pages.flatten(),
            read: match self.read {
                None => false,
                Some(read) => read.ok_or(400_u16)?,
            },
        })
    }

    /// Over a record: null takes what may be null to null, else to its default.
    fn merged(&self, row: &Row) -> Result<Row, u16> {
        Ok(Row {
            id: row.id,
            title: match self.title {
                None => row.title,
                Some(title) => title.ok_or(400_u16)?,
            },
            pages: self.pages.unwrap_or(row.pages),
            read: self.read.map_or(row.read, |read| read.unwrap_or(false)),
        })
    }
}

impl List {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![
            ("page", self.page.to_string()),
            ("per_page", self.per_page.to_string()),
        ];
        parameters.extend(self.sort.map(|sort| ("sort", sort.to_owned())));
        parameters.extend(self.search.map(|text| ("q", text.to_owned())));
        parameters.extend(self.filter.as_ref().map(|filter| match filter {
            Filter::PagesAtLeast(pages) => ("pages__gte", pages.to_string()),
            Filter::PagesNot(pages) => ("pages__ne", pages.to_string()),
            Filter::PagesNull(null) => ("pages__isnull", null.to_string()),
            Filter::Read(read) => ("read", read.to_string()),
            Filter::TitleIs(title) => ("title", (*title).to_owned()),
            Filter::TitleHas(text) => ("title__contains", (*text).to_owned()),
        }));
        parameters
    }

    fn shows(&self, row: &Row) -> bool {
        let has = |text: &str| row.title.to_lowercase().contains(&text.to_lowercase());
        let passes = self.filter.as_ref().is_none_or(|filter| match filter {
            Filter::PagesAtLeast(pages) => row.pages.is_some_and(|value| value >= *pages),
            Filter::PagesNot(pages) => row.pages != Some(*pages),
            Filter::PagesNull(null) => row.pages.is_none() == *null,
            Filter::Read(read) => row.read == *read,
            Filter::TitleIs(title) => row.title == *title,
            Filter::TitleHas(text) => has(text),
        });
        passes && self.search.is_none_or(has)
    }
}

async fn send(app: &TestApp, method: &str, path: String, body: Option<&Body>) -> Reply {
    let request = app.request(method, &path);
    match body {
        Some(body) => request.json(body.json()).send().await,
        None => request.send().await,
    }
}
