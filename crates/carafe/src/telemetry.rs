//! The log: JSON for programs on standard output, or lines for people on standard error.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::log_event::JsonLog;
use crate::log_writer::LogWriter;

/// What is logged where nothing is said.
pub const LEVEL: &str = "info";

/// For whom the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people, on standard error
    Text,
    /// A JSON object a line, on standard output
    Json,
}

/// The log of a process, until it is dropped; what was logged is written then.
#[must_use]
pub struct Log(Option<LogWriter>);

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.flush();
        }
    }
}

/// Starts the log. `level` is a level such as `debug`, or a filter such as
/// `info,carafe_web=debug`.
///
/// # Errors
///
/// Where `level` is no filter, or the log gets no thread.
pub fn start(level: &str, format: LogFormat) -> Result<Log> {
    let filter = EnvFilter::builder()
        .parse(level)
        .with_context(|| format!("the log level {level:?} is not known"))?;
    // A second start, in tests, keeps the first log.
    match format {
        LogFormat::Text => {
            // A server goes on when nobody can read its log: it is no place to complain about that.
            let _ = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .log_internal_errors(false)
                .with_writer(OneLine(std::io::stderr))
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false)
                .try_init();
            Ok(Log(None))
        }
        LogFormat::Json => {
            let writer = LogWriter::to_stdout();
            let log = tracing_subscriber::registry()
                .with(filter)
                .with(JsonLog(writer.clone()));
            if log.try_init().is_ok() {
                writer.start().context("start the log")?;
            }
            Ok(Log(Some(writer)))
        }
    }
}

/// Keeps an event on one line, whatever its message holds. Values of fields are quoted and
/// escaped before; a formatter writes each event at once.
struct OneLine<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = OneLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut line = Vec::with_capacity(event.len() + 16);
        for byte in text {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                byte => line.push(*byte),
            }
        }
        line.push(b'\n');
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_on_its_line() {
        let cases = [
            ("a\n", "a\n"),
            ("a\r\nERROR forged\n", "a\\r\\nERROR forged\n"),
            ("a\nb\n\n", "a\\nb\\n\n"),
        ];
        for (event, expected) in cases {
            let mut written = Vec::new();
            OneLine(&mut written).write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{event:?}");
        }
    }
}
