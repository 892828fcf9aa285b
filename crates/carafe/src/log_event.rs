//! An event of the log as a line of JSON: its time, its level, its fields, where it comes from.

use std::cell::Cell;
use std::fmt::{self, Debug, Write};

use carafe_model::time;
use carafe_service::clock::Clock;
use carafe_web::json::{write_escaped, write_string};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::log_writer::LogWriter;

/// Writes every event as a line.
pub(crate) struct JsonLog(pub(crate) LogWriter);

thread_local! {
    /// Kept from event to event. An event that comes up while another is written finds none.
    static LINE: Cell<Option<Line>> = const { Cell::new(None) };
}

impl<S: Subscriber> Layer<S> for JsonLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = LINE.take().unwrap_or_default();
        line.write(event, Clock::System.timestamp());
        self.0.put(&line.text, *event.metadata().level());
        LINE.set(Some(line));
    }
}

/// The line of an event, and what events have in common: the last second as text, and what is
/// known of a place in the program that they come from.
#[derive(Default)]
struct Line {
    text: Vec<u8>,
    second: Option<(i64, String)>,
    outlines: Vec<Outline>,
}

impl Line {
    fn write(&mut self, event: &Event<'_>, now: jiff::Timestamp) {
        self.text.clear();
        self.text.extend_from_slice(b"{\"timestamp\":\"");
        self.write_time(now);
        let metadata = event.metadata();
        let mut outlines = self.outlines.iter();
        let known = outlines.position(|outline| outline.callsite == metadata.callsite());
        let place = known.unwrap_or_else(|| {
            self.outlines.push(Outline::of(metadata));
            self.outlines.len() - 1
        });
        let outline = &self.outlines[place];
        self.text.extend_from_slice(&outline.level);
        event.record(&mut Members {
            text: &mut self.text,
            names: &outline.names,
        });
        self.text.extend_from_slice(&outline.target);
    }

    /// As [`time::format`] writes it.
    fn write_time(&mut self, now: jiff::Timestamp) {
        let micros = now.as_microsecond();
        let second = micros.div_euclid(1_000_000);
        if self.second.as_ref().is_none_or(|(last, _)| *last != second) {
            let text = time::format(now);
            let end = text.len() - "ffffffZ".len();
            self.second = Some((second, text[..end].to_owned()));
        }
        if let Some((_, text)) = &self.second {
            self.text.extend_from_slice(text.as_bytes());
        }
        let mut rest = micros.rem_euclid(1_000_000);
        let mut digits = *b"000000Z";
        for digit in digits[..6].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        self.text.extend_from_slice(&digits);
    }
}

/// What all events of one place in the program have in common.
struct Outline {
    callsite: Identifier,
    /// From the end of the time to the fields.
    level: Vec<u8>,
    /// `,"name":` of each field.
    names: Vec<Vec<u8>>,
    /// What follows the fields.
    target: Vec<u8>,
}

impl Outline {
    fn of(metadata: &Metadata<'_>) -> Self {
        let name = |field: Field| {
            let mut name = b",".to_vec();
            write_string(&mut name, field.name());
            name.push(b':');
            name
        };
        let mut target = b",\"target\":".to_vec();
        write_string(&mut target, metadata.target());
        target.extend_from_slice(b"}\n");
        Self {
            callsite: metadata.callsite(),
            level: format!("\",\"level\":\"{}\"", metadata.level()).into_bytes(),
            names: metadata.fields().iter().map(name).collect(),
            target,
        }
    }
}

/// Fields as members of an object that has some already.
struct Members<'a> {
    text: &'a mut Vec<u8>,
    names: &'a [Vec<u8>],
}

impl Members<'_> {
    fn name(&mut self, field: &Field) {
        self.text.extend_from_slice(&self.names[field.index()]);
    }

    fn integer(&mut self, field: &Field, value: impl itoa::Integer) {
        self.name(field);
        let mut digits = itoa::Buffer::new();
        self.text.extend_from_slice(digits.format(value).as_bytes());
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        write_string(self.text, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.integer(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.integer(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        let text = if value { "true" } else { "false" };
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Null where it is no number.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        serde_json::to_writer(&mut *self.text, &value).expect("a Vec takes all that is written");
    }

    /// What can be shown is a string, also numbers that are too large for the above.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        self.text.push(b'"');
        // What cannot be shown to its end is shown as far as it goes.
        let _ = write!(Escaped(self.text), "{value:?}");
        self.text.push(b'"');
    }
}

/// Text on its way into a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaped(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What is written, shared with whoever looks at it.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        /// The lines without their times, which differ.
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let lines = text.lines().map(|line| {
                let (time, rest) =
                    line.split_at("{\"timestamp\":\"2026-01-01T00:00:00.000000Z\"".len());
                assert!(time.ends_with("Z\""), "{line}");
                rest.to_owned()
            });
            lines.collect()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn tell() {
        tracing::info!("Nothing more");
        tracing::warn!(
            text = "a \"quoted\"\nline\u{1b}",
            none = None::<u64>,
            some = Some(5_u64),
            below = -3,
            large = u128::MAX,
            is = true,
            half = 0.5,
            whole = 3.0,
            small = 1e-7,
            nan = f64::NAN,
            shown = %"one\ttwo",
            debug = ?("a", Some('\n')),
            bytes = b"ab".as_slice(),
            r#type = "raw",
            "a.b" = 1,
            "A {} of \"many\"", "text\n"
        );
        let error = "x".parse::<u8>().unwrap_err();
        tracing::error!(target: "else\"where", error = &error as &dyn std::error::Error);
    }

    #[test]
    fn a_line_is_what_the_json_of_tracing_is() {
        let (own, theirs) = (Written::default(), Written::default());
        let log = tracing_subscriber::fmt()
            .with_writer(theirs.clone())
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish();
        let writer = LogWriter::new(own.clone(), usize::MAX);
        tracing::subscriber::with_default(log.with(JsonLog(writer.clone())), tell);
        writer.flush();
        assert_eq!(own.lines(), theirs.lines());
        assert_eq!(own.lines().len(), 3);
    }

    #[test]
    fn a_time_is_written_as_everywhere() {
        let mut line = Line::default();
        for micros in [
            0,
            1,
            999_999,
            1_000_000,
            1_767_225_599_123_456,
            1_767_225_599_000_007,
            -1,
        ] {
            let moment = jiff::Timestamp::from_microsecond(micros).unwrap();
            line.text.clear();
            line.write_time(moment);
            assert_eq!(String::from_utf8_lossy(&line.text), time::format(moment));
        }
    }
}
