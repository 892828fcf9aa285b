//! Applications that move between databases.

use std::sync::Arc;

use carafe_model::key::{Key, KeyKind};
use carafe_model::kind::{Choice, Kind, OnDelete};
use carafe_model::record::Record;
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::request::Request;
use carafe_store::store::{Revision, Scope};
use carafe_store::transfer::{self, Failure, Moved, Phase};

use crate::support::*;

/// Every kind of field and of key, with history, search and references.
fn wide() -> Arc<Schema> {
    let choice = Choice {
        value: "new".to_owned(),
        label: "New".to_owned(),
    };
    schema(vec![
        resource(
            "things",
            vec![
                optional(field("title", Kind::String)),
                optional(field("content", Kind::Text)),
                optional(field("amount", Kind::Integer)),
                optional(field("weight", Kind::Number)),
                optional(field("price", Kind::Decimal { scale: 2 })),
                optional(field("done", Kind::Boolean)),
                optional(field("due", Kind::Date)),
                optional(field("at", Kind::Datetime)),
                optional(field("email", Kind::Email)),
                optional(field("site", Kind::Url)),
                optional(field("token", Kind::Uuid)),
                optional(field("state", Kind::Choice(vec![choice]))),
                optional(field("pin", Kind::Password)),
                optional(field("extra", Kind::Json)),
            ],
        )
        .search(&["title", "content"])
        .history(),
        resource(
            "parts",
            vec![
                unique(field("name", Kind::String)),
                reference("thing", "things", OnDelete::Cascade),
            ],
        )
        .key("code", KeyKind::Uuid)
        .history(),
        resource("stock", vec![field("content", Kind::Json)])
            .key("name", KeyKind::String)
            .hard(),
        resource("marks", vec![field("title", Kind::String)]).hard(),
        resource("empty", vec![field("title", Kind::String)]),
    ])
}

fn number(value: i64) -> Value {
    Value::Integer(value)
}

/// Values at the edges of what fields hold.
fn edges() -> Vec<Vec<Value>> {
    let nothing = vec![Value::Null; 14];
    let least = vec![
        text(""),
        text("a\nb\t\u{1F600} é e\u{301} ß"),
        number(i64::MIN),
        Value::Number(0.1),
        number(-999_999_999_999_999_999),
        Value::Boolean(false),
        text("0001-01-01"),
        text("0001-01-01T00:00:00.000000Z"),
        text("a@example.org"),
        text("http://example.org/?q=%20"),
        text("00000000-0000-0000-0000-000000000000"),
        text("new"),
        text("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"),
        text(r#"{"b":[1,null,"\u0000\"'\\"],"a":1e400}"#),
    ];
    let most = vec![
        text("\u{10FFFF}'\"\\%_;--"),
        text(&"long ".repeat(20_000)),
        number(i64::MAX),
        Value::Number(f64::MAX),
        number(999_999_999_999_999_999),
        Value::Boolean(true),
        text("9999-12-31"),
        text("9999-12-31T23:59:59.999999Z"),
        text("z@example.org"),
        text("https://example.org"),
        text("ffffffff-ffff-4fff-bfff-ffffffffffff"),
        Value::Null,
        Value::Null,
        text("null"),
    ];
    let tiny = {
        let mut tiny = nothing.clone();
        (tiny[3], tiny[4]) = (Value::Number(5e-324), number(1));
        tiny
    };
    vec![nothing, least, most, tiny]
}

const PARTS: [&str; 2] = [
    "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10",
    "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a11",
];

fn request() -> Request {
    Request {
        caller: "ann".to_owned(),
        key: "once".to_owned(),
        fingerprint: "f".to_owned(),
        data: "[1]".to_owned(),
        forgotten: "2026-01-01T00:00:00.000000Z".to_owned(),
    }
}

/// Records that were created, changed, deleted, deleted with others, and deleted for good.
async fn fill(bed: &Bed) {
    for values in edges() {
        bed.insert("things", values).await.expect("insert");
    }
    let second = bed.get("things", &Key::Integer(2)).await.expect("it");
    bed.update("things", &second, "title", text("Changed"))
        .await
        .expect("update");
    for (code, thing) in [(PARTS[0], 1), (PARTS[1], 2)] {
        let values = vec![text(code), number(thing)];
        bed.insert_as("parts", key(code), values)
            .await
            .expect("insert");
    }
    let first = bed.get("things", &Key::Integer(1)).await.expect("it");
    bed.delete("things", &first).await.expect("delete");
    let content = r#"{"apple":3,"fig":null}"#;
    bed.insert_as("stock", key("fruit / é"), vec![text(content)])
        .await
        .expect("insert");
    for title in ["a", "b", "c", "d"] {
        bed.insert("marks", vec![text(title)])
            .await
            .expect("insert");
    }
    for id in [2, 4] {
        let mark = bed.get("marks", &Key::Integer(id)).await.expect("it");
        bed.delete("marks", &mark).await.expect("delete");
    }
    let things = bed.resource("marks");
    bed.store
        .insert(things, None, vec![text("e")], stamp(), Some(&request()))
        .await
        .expect("insert");
    let last = bed.get("marks", &Key::Integer(5)).await.expect("it");
    bed.delete("marks", &last).await.expect("delete");
}

/// All that the store tells of its records.
async fn told(bed: &Bed) -> Vec<(String, Vec<Record>, Vec<Vec<Revision>>)> {
    let mut told = Vec::new();
    for resource in &bed.schema.resources {
        let name = resource.name.as_str();
        let query = bed.query(name);
        let mut records = bed.list_in(name, Scope::Live, &query).await.0;
        records.extend(bed.list_in(name, Scope::Deleted, &query).await.0);
        let mut histories = Vec::new();
        for id in 1..=10 {
            let history = bed.store.history(resource, id, 100).await;
            histories.push(history.expect("history"));
        }
        told.push((name.to_owned(), records, histories));
    }
    told
}

/// Sources with the tables of a schema, each with a place for a target: all ways there are.
async fn ways(schema: &Arc<Schema>) -> Vec<(Bed, Place)> {
    let mut ways = vec![(Bed::file(schema).await, Place::file())];
    let server = async || TestDatabase::create().await.map(Place::Postgres);
    if let Some(target) = server().await {
        ways.push((Bed::file(schema).await, target));
    }
    if let Some(source) = Bed::postgres(schema).await {
        ways.push((source, Place::file()));
    }
    if let (Some(source), Some(target)) = (Bed::postgres(schema).await, server().await) {
        ways.push((source, target));
    }
    ways
}

async fn transfer(from: &Bed, to: &Place) -> Result<Vec<Moved>, Failure> {
    transfer::run(&from.place.url(), &to.url(), &from.schema, |_| {}).await
}

#[tokio::test]
async fn everything_is_in_the_target_as_it_was_in_the_source() {
    let schema = wide();
    for (source, to) in ways(&schema).await {
        fill(&source).await;
        let before = told(&source).await;
        let moved = transfer(&source, &to).await.expect("move");
        let rows: Vec<(&str, u64)> = moved
            .iter()
            .map(|moved| (moved.title.as_str(), moved.rows))
            .collect();
        let expected = [
            ("things", 4),
            ("history of things", 6),
            ("parts", 2),
            ("history of parts", 3),
            ("stock", 1),
            ("marks", 2),
            ("empty", 0),
            ("remembered requests", 1),
        ];
        assert_eq!(rows, expected);

        let target = Bed::open(to, &schema).await;
        assert_eq!(told(&target).await, before);
        assert_eq!(told(&source).await, before);
        let since = &request().forgotten;
        let once = target.store.remembered("ann", "once", since).await;
        assert_eq!(once.expect("it").expect("a request").id, 5);

        // Ids that were given are given no more.
        let next = target.insert("marks", vec![text("f")]).await.expect("next");
        assert_eq!(next.id, 6);
        let next = target.insert("things", edges().remove(0)).await;
        assert_eq!(next.expect("next").id, 5);
        let unused = async |name| target.store.is_unused(target.resource(name)).await;
        assert!(unused("empty").await.expect("unused"));
        assert!(!unused("stock").await.expect("unused"));

        // What was deleted together comes back together.
        let first = target.deleted("things", &Key::Integer(1)).await;
        let first = first.expect("the first");
        target.restore("things", &first).await.expect("restore");
        let part = target.get("parts", &key(PARTS[0])).await;
        assert_eq!(part.expect("the part").version, 3);
        assert_eq!(target.find("things", "CHANGED").await.1, 1);
        source.finish().await;
        target.finish().await;
    }
}

#[tokio::test]
async fn a_resource_whose_records_are_all_gone_is_not_new() {
    let schema = wide();
    for (source, to) in ways(&schema).await {
        let mark = source.insert("marks", vec![text("a")]).await.expect("it");
        source.delete("marks", &mark).await.expect("delete");
        transfer(&source, &to).await.expect("move");
        let target = Bed::open(to, &schema).await;
        let marks = target.resource("marks");
        assert!(!target.store.is_unused(marks).await.expect("unused"));
        let next = target.insert("marks", vec![text("b")]).await.expect("next");
        assert_eq!(next.id, 2);
        source.finish().await;
        target.finish().await;
    }
}

/// All rows of the tables of a file, but for what the search index has done meanwhile.
fn rows(path: &std::path::Path) -> Vec<(String, Vec<Vec<rusqlite::types::Value>>)> {
    let connection = rusqlite::Connection::open(path).expect("open");
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' \
                  AND name NOT LIKE '%\\_\\_search%' ESCAPE '\\' \
                  AND name NOT LIKE '%\\_\\_pending' ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(tables).expect("prepare");
    let names = statement.query_map([], |row| row.get(0)).expect("query");
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("names");
    let mut all = Vec::new();
    for name in names {
        // When a database saw a migration is its own, and what has gone or moved in it.
        let select = match name.as_str() {
            "_carafe_migration" => "SELECT name, text FROM _carafe_migration".to_owned(),
            "_carafe_count" => {
                "SELECT resource, live, deleted FROM _carafe_count ORDER BY 1".to_owned()
            }
            name => format!("SELECT * FROM \"{name}\" ORDER BY 1, 2"),
        };
        let mut statement = connection.prepare(&select).expect("prepare");
        let columns = statement.column_count();
        let rows =
            statement.query_map([], |row| (0..columns).map(|index| row.get(index)).collect());
        let rows = rows.expect("query").collect::<Result<_, _>>();
        all.push((name, rows.expect("rows")));
    }
    all
}

#[tokio::test]
async fn there_and_back_again_gives_equal_tables() {
    let schema = wide();
    let source = Bed::file(&schema).await;
    let Some(between) = TestDatabase::create().await.map(Place::Postgres) else {
        return;
    };
    fill(&source).await;
    let back = Place::file();
    transfer(&source, &between).await.expect("there");
    transfer::run(&between.url(), &back.url(), &schema, |_| {})
        .await
        .expect("back");
    let back = Bed::open(back, &schema).await;
    assert_eq!(rows(&back.path()), rows(&source.path()));
    source.finish().await;
    back.finish().await;
    Bed::open(between, &schema).await.finish().await;
}

#[tokio::test]
async fn many_rows_are_moved_and_found() {
    let schema = schema(vec![
        resource("notes", vec![field("title", Kind::String)]).search(&["title"]),
    ]);
    for (source, to) in ways(&schema).await {
        source
            .as_other(
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000) \
                 INSERT INTO notes (id, title) SELECT n * 3, 'Note Nº ' || n FROM c",
            )
            .await;
        let (mut last, mut steps) = ((Phase::Copy, 0), 0);
        let watch = |progress: transfer::Progress<'_>| {
            assert_eq!(progress.total, 5000);
            let now = (progress.phase, progress.done);
            assert!(now.0 != last.0 || now.1 >= last.1, "{last:?} {now:?}");
            (last, steps) = (now, steps + 1);
        };
        transfer::run(&source.place.url(), &to.url(), &schema, watch)
            .await
            .expect("move");
        assert_eq!(last, (Phase::Check, 5000));
        assert!(steps > 8, "{steps}");
        if let Place::Postgres(database) = &to {
            let noted = "SELECT obj_description('notes__search'::regclass, 'pg_class')";
            let row = database.other().await.query_one(noted, &[]).await;
            let noted: String = row.expect("an index").get(0);
            assert!(
                noted.starts_with("CREATE INDEX \"notes__search\""),
                "{noted}"
            );
        }
        let target = Bed::open(to, &schema).await;
        assert_eq!(target.all("notes").await.1, 5000);
        let (found, total) = target.find("notes", "nº 4321").await;
        assert_eq!((found[0].id, total), (3 * 4321, 1));
        source.finish().await;
        target.finish().await;
    }
}

#[tokio::test]
async fn long_rows_are_moved_in_several_batches() {
    let schema = schema(vec![resource("notes", vec![field("text", Kind::Text)])]);
    for (source, to) in ways(&schema).await {
        source
            .as_other(
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 50) \
                 INSERT INTO notes (text) SELECT n || replace('xxxxxxxxxxxxxxxxxxxx', 'x', \
                 'a text that is long enough to be cut into batches, because it is repeated and \
                  repeated and repeated, until it has more than a kilobyte for each letter x of \
                  twenty, which is still not very much') FROM c",
            )
            .await;
        for _ in 0..4 {
            source
                .as_other("UPDATE notes SET text = text || text || text")
                .await;
        }
        let moved = transfer(&source, &to).await.expect("move");
        assert_eq!(moved[0].rows, 50);
        let target = Bed::open(to, &schema).await;
        assert_eq!(target.all("notes").await, source.all("notes").await);
        source.finish().await;
        target.finish().await;
    }
}

#[tokio::test]
async fn a_target_with_records_is_refused() {
    let schema = wide();
    for (source, to) in ways(&schema).await {
        fill(&source).await;
        let target = Bed::open(to, &schema).await;
        let mark = target.insert("marks", vec![text("mine")]).await;
        let refused = transfer(&source, &target.place).await;
        let Err(Failure::Occupied(lines)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(lines, ["it has rows already: marks"]);
        assert_eq!(target.all("marks").await.1, 1);

        // Ids stay given, also those of records that are gone.
        target
            .delete("marks", &mark.expect("a mark"))
            .await
            .expect("delete");
        transfer(&source, &target.place).await.expect("move");
        assert_eq!(told(&target).await, told(&source).await);
        source.finish().await;
        target.finish().await;
    }
}

#[tokio::test]
async fn a_source_that_does_not_fit_is_refused_as_it_is() {
    let old = schema(vec![
        resource("notes", vec![field("title", Kind::String)]),
        resource("tags", vec![field("name", Kind::String)]),
    ]);
    let new = schema(vec![
        resource(
            "notes",
            vec![
                field("title", Kind::String),
                optional(field("text", Kind::Text)),
            ],
        )
        .history(),
        resource("tags", vec![field("name", Kind::Integer)]),
        resource("more", vec![field("name", Kind::String)]),
    ]);
    for (source, to) in ways(&old).await {
        source
            .insert("tags", vec![text("a")])
            .await
            .expect("insert");
        let refused = transfer::run(&source.place.url(), &to.url(), &new, |_| {}).await;
        let Err(Failure::Unfit(lines)) = refused else {
            panic!("{refused:?}");
        };
        let lines = lines.join("\n");
        for part in ["`text`", "history", "`tags.name`", "`more`"] {
            assert!(lines.contains(part), "{part}: {lines}");
        }
        // Nothing was added to it.
        let refused = transfer::run(&source.place.url(), &to.url(), &new, |_| {}).await;
        assert!(matches!(refused, Err(Failure::Unfit(_))), "{refused:?}");
        if let Place::File(folder) = &to {
            assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
        }
        source.finish().await;
        if let Place::Postgres(database) = to {
            database.drop().await;
        }
    }
}

#[tokio::test]
async fn what_the_target_cannot_hold_leaves_it_without_anything() {
    let schema = schema(vec![
        resource("marks", vec![field("title", Kind::String)]),
        resource("days", vec![optional(field("day", Kind::Date))]),
    ]);
    let source = Bed::file(&schema).await;
    let Some(to) = TestDatabase::create().await.map(Place::Postgres) else {
        return;
    };
    source.insert("marks", vec![text("a")]).await.expect("it");
    source
        .as_other("INSERT INTO days (day) VALUES ('no day')")
        .await;
    let refused = transfer(&source, &to).await;
    let Err(Failure::Target { doing, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(doing, "writing days to the target");
    let Place::Postgres(database) = &to else {
        panic!("it is on a server");
    };
    let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('marks', '_carafe_schema')";
    let count: i64 = database
        .other()
        .await
        .query_one(tables, &[])
        .await
        .expect("count")
        .get(0);
    assert_eq!(count, 0);
    database.drop().await;
    source.finish().await;
}

#[tokio::test]
async fn a_row_that_reads_differently_is_named() {
    let schema = schema(vec![resource(
        "marks",
        vec![
            optional(field("weight", Kind::Number)),
            optional(field("token", Kind::Uuid)),
        ],
    )]);
    let (Some(server), Some(database)) =
        (Bed::postgres(&schema).await, TestDatabase::create().await)
    else {
        return;
    };
    let file = Bed::file(&schema).await;
    file.as_other(
        "INSERT INTO marks (id, token) VALUES (7, 'FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF')",
    )
    .await;
    server
        .as_other("INSERT INTO marks (id, weight) VALUES (1, 1), (8, 'NaN')")
        .await;
    let place = Place::file();
    let cases = [
        (
            &file,
            Place::Postgres(database),
            "the row 7 of marks has another value in the column \"token\"",
        ),
        (
            &server,
            place,
            "the row 8 of marks has another value in the column \"weight\"",
        ),
    ];
    for (source, to, expected) in cases {
        let refused = transfer(source, &to).await;
        let Err(Failure::Differs(difference)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(difference, expected);
        // Nothing was kept.
        let target = Bed::open(to, &schema).await;
        assert_eq!(target.all("marks").await.1, 0);
        target.finish().await;
    }
    file.finish().await;
    server.finish().await;
}
