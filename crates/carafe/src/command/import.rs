//! `carafe import`: records from a file with one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use carafe_model::actor::Actor;
use carafe_model::draft::Input;
use carafe_model::fault::{Code, Fault};
use carafe_model::resource::Resource;
use carafe_model::schema::Schema;
use carafe_service::error::Error;
use carafe_service::import::Line;
use carafe_store::import::{Part, Refused};
use carafe_web::error::Problem;
use carafe_web::json;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::{Sender, channel};

use crate::args::Import;
use crate::command::faults;
use crate::command::opened::Opened;

/// Lines that go on together, unless they have [`PART_BYTES_MAX`] before.
const PART_LINES_MAX: usize = 1000;
const PART_BYTES_MAX: usize = 1024 * 1024;

/// Parts that are read ahead.
const PARTS_AHEAD: usize = 4;

const READ_BYTES: usize = 256 * 1024;

pub(super) fn run(args: &Import) -> Result<()> {
    let (input, length) = open(&args.file)?;
    let opened = Opened::open(&args.target)?;
    let resource = opened.resource();
    if resource.members.is_some() {
        bail!(
            "records of {} are documents, whose names have no place in a line; PUT each of them at \
             its address",
            resource.name
        );
    }
    let started = Instant::now();
    let bar = bar(resource, length);
    let (lines, queue) = channel(PARTS_AHEAD);
    let reader = Reader {
        schema: Arc::clone(opened.service.schema()),
        resource: resource.index,
        input: BufReader::with_capacity(READ_BYTES, input),
        text: Vec::new(),
        number: 0,
        bar: bar.clone(),
    };
    let is_kept = !args.dry_run;
    let reading = thread::spawn(move || reader.run(&lines, is_kept));
    let service = &opened.service;
    let imported = opened.run(service.import(&Actor::Operator, resource, queue));
    bar.finish_and_clear();
    let imported = imported.context("nothing was imported")?;
    let read = reading.join();
    read.map_err(|_| anyhow!("the lines were not read to the end"))?
        .with_context(|| {
            format!(
                "nothing was imported: {} cannot be read",
                args.file.display()
            )
        })?;
    refuse(&imported.refused)?;
    let records = counted(imported.accepted, resource);
    match is_kept {
        true => println!("Imported {records} in {}", seconds(started.elapsed())),
        false => println!("{records} can be imported"),
    }
    Ok(())
}

/// What is read, and how long it is where that is known.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = || -> io::Result<_> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        Ok((file, about.is_file().then_some(about.len())))
    };
    let (file, length) = opened().with_context(|| format!("read {}", path.display()))?;
    Ok((Box::new(file), length))
}

/// How far reading has come, on a terminal.
fn bar(resource: &Resource, length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        None => "{spinner} {msg} {bytes}",
    };
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(format!("Importing {}", resource.name))
}

/// Fails with the lines that are refused, where there are any.
fn refuse(refused: &Refused<Error>) -> Result<()> {
    if refused.is_empty() {
        return Ok(());
    }
    let first = refused.first();
    let mut lines: Vec<String> = first
        .map(|(number, error)| format!("line {number}: {}", faults(error).replace('\n', "; ")))
        .collect();
    match refused.others() {
        0 => {}
        1 => lines.push("and 1 more line".to_owned()),
        others => lines.push(format!("and {} more lines", HumanCount(others))),
    }
    Err(anyhow!(lines.join("\n"))).context("nothing was imported")
}

/// `1 note`, `1,000,000 notes`
fn counted(records: u64, resource: &Resource) -> String {
    match records {
        1 => format!("1 {}", resource.label.to_lowercase()),
        records => format!("{} {}", HumanCount(records), resource.name),
    }
}

/// `6.1 s`
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Reads lines on a thread of its own, while others are checked and written.
struct Reader {
    schema: Arc<Schema>,
    /// Position of the resource.
    resource: usize,
    input: BufReader<Box<dyn Read + Send>>,
    /// The last line.
    text: Vec<u8>,
    /// That of the last line, from 1.
    number: u64,
    bar: ProgressBar,
}

impl Reader {
    fn run(mut self, lines: &Sender<Part<Line>>, is_kept: bool) -> io::Result<()> {
        loop {
            let part = self.part()?;
            let is_last = part.is_empty();
            let part = match is_last {
                false => Part::Rows(part),
                true if is_kept => Part::Keep,
                true => return Ok(()),
            };
            // Where nobody takes lines any more, the service says why.
            if lines.blocking_send(part).is_err() || is_last {
                return Ok(());
            }
        }
    }

    /// The next lines; none at the end.
    fn part(&mut self) -> io::Result<Vec<Line>> {
        let (mut part, mut bytes) = (Vec::with_capacity(PART_LINES_MAX), 0);
        while part.len() < PART_LINES_MAX
            && bytes < PART_BYTES_MAX
            && let Some(line) = self.line()?
        {
            bytes += self.text.len();
            part.push(line);
        }
        Ok(part)
    }

    /// The next line that is not blank; none at the end.
    fn line(&mut self) -> io::Result<Option<Line>> {
        let bytes_max = self.schema.limits.body_bytes_max;
        loop {
            self.text.clear();
            // One more than the limit, which is the line's end or shows that it is too long.
            let mut within = self.input.by_ref().take(bytes_max as u64 + 1);
            let length = within.read_until(b'\n', &mut self.text)?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bar.inc(length as u64);
            let input = if length > bytes_max && !self.text.ends_with(b"\n") {
                self.bar.inc(self.input.skip_until(b'\n')? as u64);
                let text = format!("the line is longer than {bytes_max} bytes");
                Err(unreadable(Code::TooLarge, text))
            } else if self.text.iter().all(u8::is_ascii_whitespace) {
                continue;
            } else {
                self.input()
            };
            return Ok(Some(Line {
                number: self.number,
                input,
            }));
        }
    }

    fn input(&self) -> Result<Input, Error> {
        let resource = &self.schema.resources[self.resource];
        let read = json::read_input(resource, &self.text, self.schema.limits.json_depth_max);
        read.map_err(|problem| unreadable(Code::Format, of_line(problem)))
    }
}

fn unreadable(code: Code, text: String) -> Error {
    Error::Invalid(vec![Fault::body(code, text)])
}

/// What is wrong with a body, said of a line.
fn of_line(problem: Problem) -> String {
    let text = problem.detail.unwrap_or(problem.error);
    text.replace(" at line 1 column ", " at column ")
        .replace(" of the body ", " of the line ")
        .replace("The body ", "The line ")
}
