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

/// Texts of one request: more than a server keeps answers.
const VARIANTS: usize = 100;

/// The same kind of reading again and again: `{id}` in the path is a random key.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    before: String,
    /// What follows the key, if there is one.
    after: Option<String>,
    width: usize,
    /// Whether each request has another number of digits than the one before it.
    is_varied: bool,
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
            width: 0,
            is_varied: false,
            fields: String::new(),
            rows,
            random: Random::new(7),
            status: 200,
        }
    }

    /// Keys have so many digits at least.
    pub(crate) fn wide(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// What a server cannot answer from memory: `{id}` is always 1, and no two of a hundred
    /// requests one after another are the same text, by zeros before it.
    pub(crate) fn anew(path: &str) -> Self {
        Self {
            is_varied: true,
            ..Self::of(path, 1)
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
                if self.is_varied {
                    self.width = (self.width + 1) % VARIANTS;
                }
                let (before, width) = (&self.before, self.width);
                let path = format!("{before}{id:0width$}{after}");
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

/// Changes of random records, whatever they are at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    method: String,
    before: String,
    after: String,
    width: usize,
    rows: u64,
    random: Random,
    notes: Vec<Note>,
    next: usize,
}

impl Write {
    /// `{id}` in the path is from 1 to `rows`, in `width` digits at least.
    pub(crate) fn at(method: &str, path: &str, rows: u64, width: usize) -> Self {
        let (before, after) = path.split_once("{id}").unwrap_or((path, ""));
        Self {
            method: method.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            width,
            rows,
            random: Random::new(13),
            notes: Notes::new().take(1024).collect(),
            next: 0,
        }
    }
}

impl Requests for Write {
    fn write(&mut self, _: usize, request: &mut Vec<u8>) {
        self.next = (self.next + 1) % self.notes.len();
        let (id, width) = (1 + self.random.below(self.rows), self.width);
        let path = format!("{}{id:0width$}{}", self.before, self.after);
        let body = self.notes[self.next].json();
        head(request, &self.method, &path, "if-match: *\r\n", &body);
    }

    fn read(&mut self, _: usize, answer: &Answer<'_>) -> Result<()> {
        answer.expect(200)
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

/// New notes, whose keys are noted.
pub(crate) struct Stock {
    create: Create,
    pub(crate) ids: Vec<u64>,
}

impl Stock {
    pub(crate) fn at(path: &str) -> Self {
        Self {
            create: Create::at(path),
            ids: Vec::new(),
        }
    }
}

impl Requests for Stock {
    fn write(&mut self, connection: usize, request: &mut Vec<u8>) {
        self.create.write(connection, request);
    }

    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()> {
        let place = answer.field("location").context("a note has no place")?;
        let (_, id) = place.rsplit_once('/').context("a place without a key")?;
        self.ids.push(id.parse()?);
        self.create.read(connection, answer)
    }
}

/// Deletions of records that are there.
pub(crate) struct Delete {
    path: String,
    ids: Vec<u64>,
}

impl Delete {
    pub(crate) fn at(path: &str, ids: Vec<u64>) -> Self {
        Self {
            path: path.to_owned(),
            ids,
        }
    }
}

impl Requests for Delete {
    fn write(&mut self, _: usize, request: &mut Vec<u8>) {
        let path = format!("{}/{}", self.path, self.ids.pop().unwrap_or(0));
        head(request, "DELETE", &path, "if-match: *\r\n", "");
    }

    fn read(&mut self, _: usize, answer: &Answer<'_>) -> Result<()> {
        match answer.status {
            200 => Ok(()),
            _ => answer.expect(204),
        }
    }
}

/// Nine readings of one record to one new note; the readings are measured, or the writings.
#[derive(Clone, Debug)]
pub(crate) struct Mixed {
    read: Read,
    create: Create,
    turn: u64,
    writes: Vec<bool>,
}

impl Mixed {
    pub(crate) fn at(path: &str, rows: u64, connections: usize) -> Self {
        Self {
            read: Read::of(&format!("{path}/{{id}}"), rows),
            create: Create::at(path),
            turn: 0,
            writes: vec![false; connections],
        }
    }
}

impl Requests for Mixed {
    fn write(&mut self, connection: usize, request: &mut Vec<u8>) {
        self.turn += 1;
        let writes = self.turn.is_multiple_of(10);
        self.writes[connection] = writes;
        if writes {
            self.create.write(connection, request);
        } else {
            self.read.write(connection, request);
        }
    }

    fn read(&mut self, connection: usize, answer: &Answer<'_>) -> Result<()> {
        if self.writes[connection] {
            self.create.read(connection, answer)
        } else {
            self.read.read(connection, answer)
        }
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
