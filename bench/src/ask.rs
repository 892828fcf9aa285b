//! What connections ask in the measurements.

use std::collections::VecDeque;

use anyhow::{Context, Result};

use crate::client::{Answer, Requests};
use crate::note::{Note, Notes, Random};

/// Writes a request line with the fields that all have, and those of `fields` (each with its
/// line end).
fn head(request: &mut Vec<u8>, method: &str, path: &str, fields: &str, body: &str) {
    request.extend_from_slice(method.as_bytes());
    request.push(b' ');
    request.extend_from_slice(path.as_bytes());
    request.extend_from_slice(b" HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n");
    request.extend_from_slice(fields.as_bytes());
    if !body.is_empty() {
        request.extend_from_slice(b"content-type: application/json\r\ncontent-length: ");
        request.extend_from_slice(body.len().to_string().as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
}

/// The same kind of reading again and again: `{id}` in the path is a random key.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    before: String,
    /// What follows the key, if there is one.
    after: Option<String>,
    fields: String,
    rows: u64,
    random: Random,
    status: u16,
}

impl Read {
    /// `{id}` is from 1 to `rows`.
    pub(crate) fn of(path: &str, rows: u64) -> Self {
        let (before, after) = match path.split_once("{id}") {
            Some((before, after)) => (before, Some(after.to_owned())),
            None => (path, None),
        };
        Self {
            before: before.to_owned(),
            after,
            fields: String::new(),
            rows,
            random: Random::new(7),
            status: 200,
        }
    }

    /// With a header field, and another status expected.
    pub(crate) fn with(mut self, field: &str, status: u16) -> Self {
        self.fields = format!("{field}\r\n");
        self.status = status;
        self
    }
}

impl Requests for Read {
    fn write(&mut self, _: usize, request: &mut Vec<u8>) {
        match &self.after {
            None => head(request, "GET", &self.before, &self.fields, ""),
            Some(after) => {
                let id = 1 + self.random.below(self.rows);
                let path = format!("{}{id}{after}", self.before);
                head(request, "GET", &path, &self.fields, "");
            }
        }
    }

    fn read(&mut self, _: usize, answer: &Answer<'_>) -> Result<()> {
        answer.expect(self.status)
    }
}

/// New notes.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    path: String,
    bodies: Vec<String>,
    next: usize,
    statuses: [u16; 2],
}

impl Create {
    pub(crate) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            bodies: Notes::new().take(1024).map(|note| note.json()).collect(),
            next: 0,
            // Some backends answer 200.
            statuses: [201, 200],
        }
    }
}

impl Requests for Create {
    fn write(&mut self, _: usize, request: &mut Vec<u8>) {
        self.next = (self.next + 1) % self.bodies.len();
        head(request, "POST", &self.path, "", &self.bodies[self.next]);
    }

    fn read(&mut self, _: usize, answer: &Answer<'_>) -> Result<()> {
        if answer.status == self.statuses[1] {
            return Ok(());
        }
        answer.expect(self.statuses[0])
    }
}

/// Changes of random records, each with the entity tag that the client has of it.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    path: String,
    /// For each connection its records, the next one first: key, and entity tag once it is known.
    records: Vec<VecDeque<(u64, Option<String>)>>,
    titles: Vec<Note>,
    next: usize,
}

impl Update {
    /// Records that no other connection has, of the first `rows`.
    pub(crate) fn at(path: &str, rows: u64, connections: usize) -> Self {
        let each = (rows / connections as u64).min(500);
        let step = rows / (each * connections as u64);
        let mut keys: Vec<u64> = (0..each * connections as u64)
            .map(|number| 1 + number * step)
            .collect();
        let mut random = Random::new(11);
        for last in (1..keys.len()).rev() {
            let other = random.below(last as u64 + 1);
            keys.swap(last, usize::try_from(other).unwrap_or(0));
        }
        let each = usize::try_from(each).unwrap_or(1);
        let records = keys
            .chunks(each)
            .map(|keys| keys.iter().map(|key| (*key, None)).collect());
        Self {
            path: path.to_owned(),
            records: records.collect(),
            titles: Notes::new().take(1024).collect(),
            next: 0,
        }
    }

    /// Answers that are needed until every tag is known.
    pub(crate) fn unknown(&self) -> u64 {
        let records = self.records.iter().flatten();
        records.filter(|(_, tag)| tag.is_none()).count() as u64
    }
}

impl Requests for Update {
    fn write(&mut self, connection: usize, request: &mut Vec<u8>) {
        let Some((key, tag)) = self.records[connection].front() else {
            return;
        };
        let path = format!("{}/{key}", self.path);
        match tag {
            None => head(request, "GET", &path, "", ""),
            Some(tag) => {
                self.next = (self.next + 1) % self.titles.len();
                let body = format!(r#"{{"title":"{}"}}"#, self.titles[self.next].title);
                head(
                    request,
                    "PATCH",
                    &path,
                    &format!("if-match: {tag}\r\n"),
                    &body,
                );
            }
        }
    }

    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()> {
        answer.expect(200)?;
        let tag = answer
            .field("etag")
            .context("the answer has no entity tag")?;
        let records = &mut self.records[connection];
        if let Some((key, _)) = records.pop_front() {
            records.push_back((key, Some(tag.to_owned())));
        }
        Ok(())
    }
}

/// Readers among writers: the first connections write, and only the others are measured.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    writers: usize,
    read: Read,
    create: Create,
}

impl Beside {
    pub(crate) fn of(read: Read, create: Create, writers: usize) -> Self {
        Self {
            writers,
            read,
            create,
        }
    }
}

impl Requests for Beside {
    fn write(&mut self, connection: usize, request: &mut Vec<u8>) {
        if connection < self.writers {
            self.create.write(connection, request);
        } else {
            self.read.write(connection, request);
        }
    }

    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()> {
        if connection < self.writers {
            self.create.read(connection, answer)
        } else {
            self.read.read(connection, answer)
        }
    }

    fn is_measured(&self, connection: usize) -> bool {
        connection >= self.writers
    }
}
