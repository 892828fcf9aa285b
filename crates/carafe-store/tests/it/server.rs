//! What comes of having a server for a database: others that write at the same time, locks,
//! certificates, and a server that goes away.

use std::process::Command;
use std::sync::Arc;

use carafe_model::key::Key;
use carafe_model::kind::{Kind, OnDelete};
use carafe_model::schema::Schema;
use carafe_model::value::Value;
use carafe_store::error::Error;
use carafe_store::store::{Accept, Database, Durability, Store, untold};

use crate::postgres::Server;
use crate::support::{Bed, field, optional, reference, resource, schema, stamp, text, unique};

fn library() -> Arc<Schema> {
    schema(vec![
        resource("authors", vec![unique(field("name", Kind::String))]),
        resource(
            "books",
            vec![
                field("title", Kind::String),
                reference("author", "authors", OnDelete::Cascade),
            ],
        )
        .search(&["title"])
        .history(),
    ])
}

/// However a deletion and insertions of what refers to the record fall together, no live book is
/// left without its author, and the counters are right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_and_new_references_exclude_each_other() {
    let Some(bed) = Bed::postgres(&library()).await else {
        return;
    };
    for round in 0..20 {
        let name = text(&format!("a{round}"));
        let author = bed.insert("authors", vec![name]).await.unwrap();
        let books: Vec<_> = (0..6)
            .map(|_| {
                let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
                let values = vec![text("a book"), Value::Integer(author.id)];
                tokio::spawn(async move {
                    let books = &schema.resources[1];
                    store.insert(books, None, values, stamp(), None).await
                })
            })
            .collect();
        let deleted = bed.delete("authors", &author).await;
        assert!(deleted.is_ok(), "{deleted:?}");
        for book in books {
            let book = book.await.unwrap();
            let expected = matches!(&book, Ok(_) | Err(Error::NoReference { field: 1 }));
            assert!(expected, "{book:?}");
        }
        assert_eq!(bed.all("books").await.1, 0, "round {round}");
    }
    bed.finish().await;
}

/// Records that are made at once go in few transactions, each has its own id, and one that is
/// refused takes no other along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_made_at_once_are_inserted_together() {
    let fields = vec![
        field("title", Kind::String),
        optional(field("rank", Kind::Integer)),
        field("done", Kind::Boolean),
    ];
    let schema = schema(vec![resource("notes", fields).search(&["title"])]);
    let Some(bed) = Bed::postgres(&schema).await else {
        return;
    };
    bed.as_other("ALTER TABLE notes ADD CHECK (title <> 'n77')")
        .await;
    let insert = |number: i64| {
        let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
        let rank = (number % 3 > 0).then_some(number);
        let values = vec![
            Value::Text(format!("n{number}")),
            rank.map_or(Value::Null, Value::Integer),
            Value::Boolean(number % 2 == 0),
        ];
        tokio::spawn(async move {
            let notes = &schema.resources[0];
            store.insert(notes, None, values, stamp(), None).await
        })
    };
    for (numbers, transactions_max) in [(100..200, 50), (70..80, 60)] {
        let made: Vec<_> = numbers.clone().map(insert).collect();
        for (number, made) in numbers.zip(made) {
            let made = made.await.unwrap();
            if number == 77 {
                assert!(matches!(made, Err(Error::Other(_))), "{made:?}");
                continue;
            }
            let made = made.unwrap();
            let stored = bed.get("notes", &made.key).await.unwrap();
            assert_eq!(stored.values[0], Value::Text(format!("n{number}")));
            assert_eq!(stored.values[1], made.values[1]);
        }
        let count = "SELECT count(DISTINCT xmin::text) FROM notes";
        let transactions = bed.read_as_other(count).await;
        assert!(
            transactions < transactions_max,
            "{transactions} transactions"
        );
    }
    assert_eq!(bed.all("notes").await.1, 109);
    assert_eq!(bed.find("notes", "N13").await.1, 10);
    bed.finish().await;
}

/// Of a restoration and a deletion of what the record refers to, one is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restoration_and_a_deletion_of_its_parent_exclude_each_other() {
    let schema = schema(vec![
        resource("parents", vec![field("name", Kind::String)]),
        resource(
            "kids",
            vec![reference("parent", "parents", OnDelete::Restrict)],
        ),
    ]);
    let Some(bed) = Bed::postgres(&schema).await else {
        return;
    };
    for round in 0..40 {
        let parent = bed.insert("parents", vec![text("p")]).await.unwrap();
        let kid = bed
            .insert("kids", vec![Value::Integer(parent.id)])
            .await
            .unwrap();
        bed.delete("kids", &kid).await.unwrap();
        let kid = bed.deleted("kids", &kid.key).await.unwrap();
        let spawned = |restores: bool| {
            let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
            let (parent, kid) = (parent.clone(), kid.clone());
            tokio::spawn(async move {
                match restores {
                    true => store.restore(&schema.resources[1], &kid, stamp()).await,
                    false => store.delete(&schema.resources[0], &parent, stamp()).await,
                }
            })
        };
        let (restored, deleted) = (spawned(true), spawned(false));
        let outcomes = [restored.await.unwrap(), deleted.await.unwrap()];
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(done, 1, "round {round}: {outcomes:?}");
    }
    bed.finish().await;
}

/// Deletions in opposite orders would wait for each other for ever; the server ends one, which
/// is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_meet_are_all_made() {
    let Some(bed) = Bed::postgres(&library()).await else {
        return;
    };
    let mut authors = Vec::new();
    for number in 0..12 {
        let name = text(&format!("a{number}"));
        authors.push(bed.insert("authors", vec![name]).await.unwrap());
    }
    let forwards = authors.clone();
    let backwards: Vec<_> = authors.iter().rev().cloned().collect();
    let delete = |records: Vec<carafe_model::record::Record>| {
        let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
        tokio::spawn(async move {
            store
                .delete_all(&schema.resources[0], &records, stamp())
                .await
        })
    };
    let (one, other) = (delete(forwards), delete(backwards));
    let outcomes = [one.await.unwrap(), other.await.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let lost = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
    assert!(matches!(lost, Some(Error::Stale)), "{lost:?}");
    assert_eq!(bed.all("authors").await.1, 0);
    bed.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_equal_values_at_once_one_is_stored() {
    let Some(bed) = Bed::postgres(&library()).await else {
        return;
    };
    let inserts: Vec<_> = (0..40)
        .map(|number| {
            let (store, schema) = (bed.store.clone(), Arc::clone(&bed.schema));
            let name = text(&format!("a{}", number % 4));
            tokio::spawn(async move {
                let authors = &schema.resources[0];
                store.insert(authors, None, vec![name], stamp(), None).await
            })
        })
        .collect();
    let mut stored = 0;
    for insert in inserts {
        match insert.await.unwrap() {
            Ok(_) => stored += 1,
            Err(err) => assert!(matches!(err, Error::Taken { unique: 0 }), "{err:?}"),
        }
    }
    assert_eq!((stored, bed.all("authors").await.1), (4, 4));
    bed.finish().await;
}

/// Longer than an index of PostgreSQL takes, and than its names may be.
#[tokio::test]
async fn texts_and_names_of_any_length_are_stored() {
    let long = "n".repeat(63);
    let long: &'static str = long.leak();
    let schema = schema(vec![
        resource(
            long,
            vec![
                unique(field("title", Kind::Text)),
                optional(field(long, Kind::Text)),
            ],
        )
        .search(&["title"])
        .order(&["-title"])
        .history(),
    ]);
    for bed in Bed::each(&schema).await {
        // Texts that do not compress.
        let noise = |seed: u64| {
            let mut state = seed;
            let next = move |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b'a' + u8::try_from(state >> 59).unwrap() % 26)
            };
            (0..20_000).map(next).collect::<String>()
        };
        let values = |title: &str| vec![text(title), text("x")];
        let made = bed.insert(long, values(&noise(1))).await.unwrap();
        bed.insert(long, values(&noise(2))).await.unwrap();
        let twice = bed.insert(long, values(&noise(1))).await;
        assert!(
            matches!(twice, Err(Error::Taken { unique: 0 })),
            "{twice:?}"
        );
        assert_eq!(bed.all(long).await.1, 2);
        assert_eq!(bed.find(long, &noise(1)[9000..9100]).await.1, 1);
        bed.delete(long, &made).await.unwrap();
        let bed = match bed.place {
            crate::support::Place::Memory => bed,
            _ => bed.reopen().await,
        };
        assert_eq!(bed.all(long).await.1, 1);
        bed.finish().await;
    }
}

/// As long as another program holds a row, a write waits, and says after five seconds that the
/// database is not available.
#[tokio::test]
async fn a_lock_held_too_long_is_unavailable() {
    let Some(bed) = Bed::postgres(&library()).await else {
        return;
    };
    let author = bed.insert("authors", vec![text("a")]).await.unwrap();
    let crate::support::Place::Postgres(database) = &bed.place else {
        panic!("it is PostgreSQL")
    };
    let other = database.other().await;
    let hold = "BEGIN; SELECT 1 FROM authors FOR UPDATE";
    other.batch_execute(hold).await.unwrap();
    let refused = bed.update("authors", &author, "name", text("b")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(bed.all("authors").await.1, 1);
    other.batch_execute("ROLLBACK").await.unwrap();
    bed.update("authors", &author, "name", text("b"))
        .await
        .unwrap();
    bed.finish().await;
}

/// Types that other programs on the same database expect.
#[tokio::test]
async fn columns_have_the_types_of_their_fields() {
    let fields = vec![
        field("done", Kind::Boolean),
        field("size", Kind::Number),
        field("price", Kind::Decimal { scale: 3 }),
        field("born", Kind::Date),
        field("seen", Kind::Datetime),
        field("tag", Kind::Uuid),
        field("data", Kind::Json),
    ];
    let Some(bed) = Bed::postgres(&schema(vec![resource("things", fields)])).await else {
        return;
    };
    let values = vec![
        Value::Boolean(true),
        Value::Number(0.1),
        Value::Integer(-1_999),
        text("0001-02-03"),
        text("9999-12-31T23:59:59.999999Z"),
        text("01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10"),
        text(r#"{"b":1,"a":[1.50]}"#),
    ];
    let made = bed.insert("things", values.clone()).await.unwrap();
    assert_eq!(bed.get("things", &made.key).await.unwrap().values, values);
    let same = "SELECT count(*) FROM things WHERE done AND size = 0.1 AND price = -1.999 \
                AND born = DATE '0001-02-03' AND seen = TIMESTAMPTZ '9999-12-31 23:59:59.999999+00' \
                AND tag = UUID '01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10' AND data::json ->> 'b' = '1'";
    assert_eq!(bed.read_as_other(same).await, 1);
    bed.finish().await;
}

fn openssl(folder: &std::path::Path, arguments: &str) {
    let made = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

async fn connects(url: &str) -> Result<(), String> {
    let database = Database::open(url, Durability::Full).map_err(|err| format!("{err:?}"))?;
    let connected = database.check_integrity().await;
    database.close().await;
    connected.map(drop).map_err(|err| format!("{err:?}"))
}

#[tokio::test]
async fn a_certificate_is_checked_as_the_url_says() {
    let Some(server) = Server::start("") else {
        return;
    };
    let folder = server.folder();
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Ours",
    );
    openssl(
        folder,
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
    );
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names",
    );
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 2 -subj /CN=Other",
    );
    let place = folder.display();
    let own = format!("chown -R --reference={place}/data {place}/server.key {place}/server.pem");
    assert!(
        Command::new("sh")
            .args(["-c", &own])
            .status()
            .unwrap()
            .success()
    );
    server.stop();
    let data = folder.join("data");
    let lines = format!(
        "ssl = on\nssl_cert_file = '{place}/server.pem'\nssl_key_file = '{place}/server.key'\n"
    );
    let path = data.join("postgresql.conf");
    let old = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, old + &lines).unwrap();
    std::fs::write(
        data.join("pg_hba.conf"),
        "hostssl all all 127.0.0.1/32 trust\n",
    )
    .unwrap();
    server.up();
    let at = |host: &str, query: &str| {
        format!(
            "postgres://carafe@{host}:{}/postgres?{query}",
            server.port()
        )
    };
    let ours = format!("sslrootcert={place}/ca.pem");
    let cases = [
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{ours}"), true),
        ("127.0.0.1", format!("sslmode=verify-full&{ours}"), false),
        ("localhost", format!("sslmode=verify-full&{ours}"), true),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={place}/other.pem"),
            false,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=system".to_owned(),
            false,
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={place}/none.pem"),
            false,
        ),
    ];
    for (host, query, expected) in cases {
        let connected = connects(&at(host, &query)).await;
        assert_eq!(
            connected.is_ok(),
            expected,
            "{host}, {query}: {connected:?}"
        );
    }
}

/// While the server is away, everything is unavailable at once; when it is back, everything
/// goes on, and what was acknowledged is there.
#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let Some(server) = Server::start("") else {
        return;
    };
    let schema = library();
    let database = Database::open(&server.url(), Durability::Full).unwrap();
    database
        .migrate(&schema, &[], Accept::Safe, &untold())
        .await
        .unwrap();
    let store = Store::new(database.clone(), &schema);
    let authors = &schema.resources[0];
    let insert = |name: &'static str| store.insert(authors, None, vec![text(name)], stamp(), None);
    let get = |id| {
        let key = Key::Integer(id);
        let store = store.clone();
        async move {
            store
                .get(authors, carafe_store::store::Scope::Live, &key, |_| ())
                .await
        }
    };
    insert("a").await.unwrap();
    for down in [Server::stop, Server::kill] {
        down(&server);
        for _ in 0..3 {
            let (write, read) = (insert("b").await, get(1).await);
            assert!(matches!(write, Err(Error::Unavailable(_))), "{write:?}");
            assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
        }
        server.up();
        // Connections that died meanwhile are not handed out.
        assert!(get(1).await.unwrap().is_some());
    }
    insert("b").await.unwrap();
    database.close().await;
}
