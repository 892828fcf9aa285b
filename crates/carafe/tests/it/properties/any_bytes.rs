//! Whatever bytes come, the server answers what is HTTP, never with an error of its own, and
//! goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::process::{Folder, PATIENCE, Process, assert_sound};

/// Well-formed requests, and requests that are mutated as bytes.
const CASES: u32 = 2500;

/// What has broken servers before.
const TOKENS: [&[u8]; 34] = [
    b"\0",
    b"%00",
    b"%",
    b"%zz",
    b"%ff%fe",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"..",
    b"%2e%2e%2f",
    b"//",
    b"'",
    b"\"",
    b"\\",
    b"\\ud800",
    b"<script>",
    b"{",
    b"[[[[[[[[[[[[[[[[",
    b"null",
    b"-0",
    b"1e400",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"0x1F",
    b"\xef\xbf\xbe",
    b"\xef\xbb\xbf",
    b"__in=",
    b"&page=0&page=-1&per_page=99999999999999999999",
    b"q=%F0%9F%98%80%00",
    b"sort=-,-",
    b"fields=,",
    b", ",
    b"W/\"1\", *",
];

const METHODS: [&str; 11] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB", "get", "PROPFIND",
];

const PATHS: [&str; 22] = [
    "/",
    "/api",
    "/api/notes",
    "/api/notes/1",
    "/api/notes/2",
    "/api/notes/1/title",
    "/api/notes/0",
    "/api/notes/9223372036854775807",
    "/api/notes/18446744073709551616",
    "/api/openapi.json",
    "/docs",
    "/notes",
    "/notes/new",
    "/notes/1",
    "/notes/1/edit",
    "/notes/1/delete",
    "/notes/search",
    "/static/x",
    "/problems/validation",
    "/api/notes/",
    "/.env",
    "*",
];

const QUERIES: [&str; 9] = [
    "",
    "page=2&per_page=1",
    "q=milk",
    "sort=-title,id",
    "title__contains=%25",
    "fields=id,title",
    "is_pinned=true",
    "created_at__gte=2026-01-01T00:00:00Z",
    "id__in=1,2,3",
];

const NAMES: [&str; 24] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Cookie",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "Origin",
    "Prefer",
    "Range",
    "Referer",
    "Sec-Fetch-Site",
    "X-Request-Id",
    "X-Forwarded-For",
    "Forwarded",
    "User-Agent",
    "Access-Control-Request-Method",
    "Host",
    "X",
];

const VALUES: [&str; 22] = [
    "application/json",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/x-www-form-urlencoded",
    "text/html",
    "*/*;q=0",
    "gzip",
    "gzip, br;q=0.5, *;q=0",
    "\"1\"",
    "*",
    "Sat, 29 Feb 2025 25:61:61 GMT",
    "http://evil.example",
    "cross-site",
    "return=representation",
    "bytes=0-0, 5-",
    "carafe_form=x.y; carafe_flash=..",
    "Basic Og==",
    "localhost:99999",
    "[::1",
    "utf-8",
    "multipart/form-data; boundary=",
    "",
];

const BODIES: [&str; 12] = [
    "",
    "{}",
    "null",
    r#"{"title":"Milk","content":"Two litres","is_pinned":true}"#,
    r#"{"title":"Milk","title":"Bread","content":""}"#,
    r#"{"title":null,"content":1e400,"is_pinned":"true"}"#,
    r#"[{"op":"replace","path":"/title","value":"Bread"}]"#,
    r#"[{"op":"move","from":"/title","path":"/title/-"},{"op":"test","path":"","value":{}}]"#,
    r#"{"id":1,"title":"\ud83d\ude00 \u0000","content":"\ufffe","created_at":"never"}"#,
    "title=Milk&content=c&is_pinned=on&_token=x",
    "title=%00&content=%ff&title=twice",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// A request that is HTTP, whatever it asks for.
#[derive(Clone, Debug)]
struct Sent {
    method: &'static str,
    path: Vec<u8>,
    query: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// A change of bytes at a place, counted round their length.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
    Cut(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let token = prop_oneof![
        3 => select(&TOKENS[..]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..6),
    ];
    prop_oneof![
        2 => (any::<usize>(), 1..=255_u8).prop_map(|(at, by)| Mutation::Flip(at, by)),
        4 => (any::<usize>(), token).prop_map(|(at, token)| Mutation::Insert(at, token)),
        2 => (any::<usize>(), 1..9_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        1 => (any::<usize>(), 1..20_usize, 2..40_usize).prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        1 => any::<usize>().prop_map(Mutation::Cut),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: usize| at % (bytes.len() + 1);
        match self {
            Self::Flip(at, by) => {
                let at = place(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= by;
                }
            }
            Self::Insert(at, token) => {
                let at = place(*at);
                bytes.splice(at..at, token.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = place(*at);
                let end = (at + length).min(bytes.len());
                bytes.drain(at..end);
            }
            Self::Repeat(at, length, times) => {
                let at = place(*at);
                let part = bytes[at..(at + length).min(bytes.len())].repeat(*times);
                bytes.splice(at..at, part);
            }
            Self::Cut(at) => bytes.truncate(place(*at)),
        }
    }
}

/// One of `seeds`, some of them mutated.
fn seeded(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let mutations = prop_oneof![2 => Just(Vec::new()), 3 => vec(mutation(), 1..4)];
    (select(seeds), mutations).prop_map(|(seed, mutations)| {
        let mut bytes = seed.as_bytes().to_vec();
        mutations
            .iter()
            .for_each(|mutation| mutation.apply(&mut bytes));
        bytes
    })
}

/// Requests that are right: method, path, media type and body.
const RIGHT: [(&str, &str, &str, &str); 14] = [
    ("GET", "/api/notes", "", ""),
    ("GET", "/api/notes/1", "", ""),
    ("HEAD", "/api/notes/1", "", ""),
    ("POST", "/api/notes", "application/json", BODIES[3]),
    ("PUT", "/api/notes/1", "application/json", BODIES[3]),
    (
        "PATCH",
        "/api/notes/1",
        "application/merge-patch+json",
        BODIES[3],
    ),
    (
        "PATCH",
        "/api/notes/2",
        "application/json-patch+json",
        BODIES[6],
    ),
    (
        "PATCH",
        "/api/notes/2",
        "application/json-patch+json",
        BODIES[7],
    ),
    ("PUT", "/api/notes/3/title", "application/json", "\"Bread\""),
    ("DELETE", "/api/notes/4", "", ""),
    ("GET", "/notes", "", ""),
    ("GET", "/notes/1", "", ""),
    ("GET", "/notes/new", "", ""),
    (
        "POST",
        "/notes/new",
        "application/x-www-form-urlencoded",
        BODIES[9],
    ),
];

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => seeded(&BODIES), 1 => vec(any::<u8>(), 0..200)]
}

/// A right request, of which some parts are replaced and some mutated.
fn request() -> impl Strategy<Value = Sent> {
    fn rarely<T: Clone + std::fmt::Debug + 'static>(
        other: impl Strategy<Value = T> + 'static,
    ) -> impl Strategy<Value = Option<T>> {
        proptest::option::weighted(0.15, other)
    }
    let value = prop_oneof![4 => seeded(&VALUES), 1 => vec(any::<u8>(), 0..40)];
    let headers = vec((select(&NAMES[..]), value), 0..3);
    let query = prop_oneof![2 => Just(Vec::new()), 2 => seeded(&QUERIES)];
    let replaced = (
        rarely(select(&METHODS[..])),
        rarely(seeded(&PATHS)),
        rarely(seeded(&VALUES)),
        rarely(any_body()),
    );
    let mutated = (
        rarely(mutation()),
        proptest::option::weighted(0.4, mutation()),
    );
    (select(&RIGHT[..]), replaced, mutated, query, headers).prop_map(
        |((method, path, media_type, body), replaced, mutated, query, others)| {
            let mut path = replaced.1.unwrap_or_else(|| path.as_bytes().to_vec());
            let mut body = replaced.3.unwrap_or_else(|| body.as_bytes().to_vec());
            if let Some(mutation) = mutated.0 {
                mutation.apply(&mut path);
            }
            if let Some(mutation) = mutated.1 {
                mutation.apply(&mut body);
            }
            let media_type = replaced.2.unwrap_or_else(|| media_type.as_bytes().to_vec());
            let mut headers = vec![("Content-Type", media_type)];
            headers.extend(others);
            Sent {
                method: replaced.0.unwrap_or(method),
                path,
                query,
                headers,
                body,
            }
        },
    )
}

impl Sent {
    /// With what HTTP does not allow percent-encoded or left out.
    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        let path: &[u8] =
            if self.path.first() == Some(&b'/') || self.path == b"*" && self.method == "OPTIONS" {
                &self.path
            } else {
                b"/api/notes"
            };
        encode(&mut bytes, path);
        if !self.query.is_empty() && path != b"*" {
            bytes.push(b'?');
            encode(&mut bytes, &self.query);
        }
        bytes.extend(b" HTTP/1.1\r\n");
        if !self.headers.iter().any(|(name, _)| *name == "Host") {
            bytes.extend(format!("Host: {host}\r\n").into_bytes());
        }
        let mut has_host = false;
        for (name, value) in &self.headers {
            // Two are a malformed request.
            if *name == "Host" && std::mem::replace(&mut has_host, true) {
                continue;
            }
            bytes.extend(format!("{name}: ").into_bytes());
            bytes.extend(
                value
                    .iter()
                    .filter(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)),
            );
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).into_bytes());
        bytes.extend(&self.body);
        bytes
    }
}

fn encode(bytes: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => bytes.push(*byte),
            _ if b"/-._~%!$&'()*+,;=:@".contains(byte) => bytes.push(*byte),
            _ => bytes.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
}

/// A server with some notes.
struct Target {
    folder: Folder,
    server: Process,
    host: String,
    runtime: tokio::runtime::Runtime,
}

impl Target {
    fn new() -> Self {
        let folder = Folder::notes();
        let server = folder.serve();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            for title in ["Milk", "Bread", "Eggs"] {
                let note = json!({ "title": title, "content": "c" });
                assert_eq!(server.client().post("/api/notes", note).await.status, 201);
            }
        });
        Self {
            folder,
            host: server.base.trim_start_matches("http://").to_owned(),
            server,
            runtime,
        }
    }

    /// Sends bytes, closes that side, and gives what comes.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Refused in the middle of sending is an answer too.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            let timed_out = error.kind() == std::io::ErrorKind::WouldBlock;
            assert!(!timed_out, "the server neither answers nor closes");
        }
        answer
    }

    /// Still answers, still sound, never panicked.
    fn assert_well(self) {
        let stderr = self.server.stderr();
        assert!(!stderr.contains("panicked"), "{stderr}");
        self.runtime.block_on(async {
            let client = self.server.client();
            let note = json!({ "title": "After all", "content": "c" });
            assert_eq!(client.post("/api/notes", note).await.status, 201);
            let found = client.get("/api/notes?q=after%20all").await;
            assert_eq!(found.json()["notes"][0]["title"], "After all");
        });
        self.server.stop();
        assert_sound(&self.folder.path("data.db"), "notes");
    }
}

/// The status of an answer, `None` where there is none.
fn status(answer: &[u8]) -> Option<u16> {
    let text = answer
        .strip_prefix(b"HTTP/1.1 ")
        .or(answer.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(text.get(..3)?).ok()?.parse().ok()
}

/// Methods that nobody knows, transfer codings and versions that we do not have, are refused
/// with a 5xx by the standard itself (RFC 9110 §15.6.2 and §15.6.6).
fn is_own_fault(status: u16) -> bool {
    status >= 500 && ![501, 505].contains(&status)
}

fn config() -> Config {
    Config {
        cases: CASES,
        max_shrink_iters: 2000,
        ..Config::default()
    }
}

#[test]
fn every_well_formed_request_is_answered_and_never_with_5xx() {
    let target = Target::new();
    let statuses = RefCell::new(BTreeMap::<u16, u32>::new());
    TestRunner::new(config())
        .run(&request(), |request| {
            let bytes = request.bytes(&target.host);
            let answer = target.exchange(&bytes);
            let text = || format!("{}\n=> {}", bytes.escape_ascii(), answer.escape_ascii());
            let Some(status) = status(&answer) else {
                return Err(TestCaseError::fail(format!("no answer: {}", text())));
            };
            prop_assert!(!is_own_fault(status), "{}", text());
            *statuses.borrow_mut().entry(status).or_default() += 1;
            let leak = ["SQLITE", "panicked", ".rs:", "rusqlite"];
            let answer = String::from_utf8_lossy(&answer);
            prop_assert!(leak.iter().all(|word| !answer.contains(word)), "{answer}");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    // A law about requests that never get far says little.
    let statuses = statuses.into_inner();
    for status in [200, 201, 400, 404, 405, 415, 501] {
        let times = statuses.get(&status).copied().unwrap_or(0);
        assert!(times >= 10, "{status} {times} times: {statuses:?}");
    }
    target.assert_well();
}

#[test]
fn bytes_that_are_nearly_http_never_make_the_server_fail() {
    let target = Target::new();
    TestRunner::new(config())
        .run(
            &(request(), vec(mutation(), 1..6)),
            |(request, mutations)| {
                let mut bytes = request.bytes(&target.host);
                mutations
                    .iter()
                    .for_each(|mutation| mutation.apply(&mut bytes));
                let answer = target.exchange(&bytes);
                let own = status(&answer).is_some_and(is_own_fault);
                prop_assert!(
                    !own,
                    "{}\n=> {}",
                    bytes.escape_ascii(),
                    answer.escape_ascii()
                );
                Ok(())
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
    target.assert_well();
}
