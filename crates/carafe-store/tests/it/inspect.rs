//! The tables of databases that other programs, or Carafe, have made.

use carafe_model::key::KeyKind;
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::inspect::{self, DefaultValue, Held, Relation, Table, tables};

use crate::support::*;

/// What both databases take for the same tables.
const SHOP: &str = "
    CREATE TABLE makers (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL UNIQUE);
    CREATE TABLE goods (
        code VARCHAR(20) PRIMARY KEY,
        maker INTEGER NOT NULL REFERENCES makers (id) ON DELETE CASCADE,
        price NUMERIC(10, 2) NOT NULL DEFAULT 0.50,
        weight DOUBLE PRECISION,
        is_new BOOLEAN NOT NULL DEFAULT TRUE,
        state TEXT NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'sold')),
        since DATE,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        UNIQUE (maker, state),
        CHECK (price > 0)
    );
    CREATE INDEX goods_since ON goods (since);
    CREATE INDEX goods_cheap ON goods (price) WHERE price < 10;
    CREATE TABLE pairs (a INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (b, a));
    CREATE VIEW cheap AS SELECT code FROM goods WHERE price < 10;
";

/// The tables of a file and of PostgreSQL that these statements have made.
async fn each(sql: &str) -> Vec<Vec<Table>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).expect("open");
    other.execute_batch(sql).expect("make tables");
    let url = format!("sqlite:{}", path.display());
    let mut found = vec![tables(&url).await.expect("read the tables")];
    if let Some(database) = TestDatabase::create().await {
        let other = database.other().await;
        other.batch_execute(sql).await.expect("make tables");
        found.push(tables(&database.url()).await.expect("read the tables"));
        database.drop().await;
    }
    found
}

fn named<'t>(tables: &'t [Table], name: &str) -> &'t Table {
    let mut tables = tables.iter();
    tables.find(|table| table.name == name).expect("a table")
}

#[tokio::test]
async fn tables_of_another_program_are_described() {
    for found in each(SHOP).await {
        let names: Vec<(&str, Relation)> = found
            .iter()
            .map(|table| (table.name.as_str(), table.relation))
            .collect();
        let expected = [
            ("cheap", Relation::View),
            ("goods", Relation::Table),
            ("makers", Relation::Table),
            ("pairs", Relation::Table),
        ];
        assert_eq!(names, expected);

        let goods = named(&found, "goods");
        let held: Vec<(&str, &Held, bool)> = goods
            .columns
            .iter()
            .map(|column| (column.name.as_str(), &column.held, column.not_null))
            .collect();
        let state = Held::Choice(vec!["draft".to_owned(), "sold".to_owned()]);
        let code = Held::String {
            max_length: Some(20),
        };
        let expected = [
            ("maker", &Held::Integer, true),
            ("price", &Held::Decimal { scale: 2 }, true),
            ("weight", &Held::Number, false),
            ("is_new", &Held::Boolean, true),
            ("state", &state, true),
            ("since", &Held::Date, false),
            ("created_at", &Held::Datetime, false),
        ];
        // A primary key may be null in SQLite.
        assert_eq!((held[0].0, held[0].1), ("code", &code));
        assert_eq!(held[1..], expected);
        let default = |name: &str| goods.column(name).expect("a column").default.clone();
        assert_eq!(default("price"), DefaultValue::Literal("0.50".to_owned()));
        assert_eq!(default("is_new"), DefaultValue::Literal("true".to_owned()));
        assert_eq!(default("state"), DefaultValue::Literal("draft".to_owned()));
        assert_eq!(default("created_at"), DefaultValue::Now);

        assert_eq!(goods.primary_key, ["code"]);
        let [maker] = goods.foreign_keys.as_slice() else {
            panic!("{:?}", goods.foreign_keys);
        };
        assert_eq!(
            (maker.columns.as_slice(), maker.to.as_str()),
            (&["maker".to_owned()][..], "makers")
        );
        assert_eq!(maker.on_delete, inspect::OnDelete::Cascade);
        let mut indexes: Vec<(Vec<&str>, bool, bool)> = goods
            .indexes
            .iter()
            .map(|index| {
                let columns = index.columns.iter().map(String::as_str).collect();
                (columns, index.is_unique, index.is_plain)
            })
            .collect();
        indexes.sort();
        let expected = [
            (vec!["maker", "state"], true, true),
            (vec!["price"], false, false),
            (vec!["since"], false, true),
        ];
        assert_eq!(indexes, expected);
        assert_eq!(goods.checks.len(), 1, "{:?}", goods.checks);

        assert_eq!(named(&found, "pairs").primary_key, ["b", "a"]);
        let name = &named(&found, "makers").indexes;
        assert!(name[0].is_unique && name[0].columns == ["name"], "{name:?}");
    }
}

#[tokio::test]
async fn tables_of_carafe_are_described_by_what_their_declaration_said() {
    let schema = schema(vec![
        resource("authors", vec![unique(field("name", Kind::String))])
            .key("code", KeyKind::Uuid)
            .hard()
            .history(),
        resource(
            "books",
            vec![
                field("title", Kind::Text),
                with_default(
                    field("price", Kind::Decimal { scale: 3 }),
                    Value::Integer(-1500),
                ),
                field("pin", Kind::Password),
                field("done", Kind::Boolean),
                reference("author", "authors", OnDelete::Restrict),
            ],
        )
        .search(&["title"])
        .unique(&["author", "price"])
        .unique(&["title", "done"])
        .order(&["-price"]),
    ]);
    for bed in Bed::lasting(&schema).await {
        let found = tables(&bed.place.url()).await.expect("read the tables");
        let names: Vec<&str> = found.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["authors", "books"]);
        let authors = &found[0];
        assert_eq!(authors.primary_key, ["code"]);
        assert!(authors.is_ours && !authors.is_soft && authors.has_history);
        let books = &found[1];
        assert!(books.is_ours && books.is_soft && !books.has_history);
        let held: Vec<(&str, &Held)> = books
            .columns
            .iter()
            .map(|column| (column.name.as_str(), &column.held))
            .collect();
        let expected = [
            ("id", &Held::Integer),
            ("title", &Held::Text),
            ("price", &Held::Decimal { scale: 3 }),
            ("pin", &Held::Password),
            ("done", &Held::Boolean),
            ("author", &Held::Reference("authors".to_owned())),
        ];
        assert_eq!(held, expected);
        let price = &books.columns[2].default;
        assert_eq!(*price, DefaultValue::Literal("-1.500".to_owned()));
        let sets: Vec<&[String]> = books
            .indexes
            .iter()
            .filter(|index| index.is_unique && index.is_plain)
            .map(|index| index.columns.as_slice())
            .collect();
        assert_eq!(sets, [["author", "price"], ["title", "done"]]);
        bed.finish().await;
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none.db");
    let refused = tables(&format!("sqlite:{}", path.display())).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(!path.exists());
    std::fs::write(&path, "This is no database, but a text of some length.").expect("write");
    let refused = tables(&format!("sqlite:{}", path.display())).await;
    assert!(matches!(refused, Err(Error::Other(_))), "{refused:?}");
}

#[tokio::test]
async fn looking_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).expect("open");
    other.execute_batch(SHOP).expect("make tables");
    drop(other);
    let before = std::fs::read(&path).expect("read");
    tables(&format!("sqlite:{}", path.display()))
        .await
        .expect("read the tables");
    assert!(
        std::fs::read(&path).expect("read") == before,
        "the file has changed"
    );
}
