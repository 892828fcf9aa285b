//! Lines of the log on their way out: collected, and written together by a thread of their own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, panic, thread};

use tracing::Level;

/// How long a line waits for others.
const DELAY: Duration = Duration::from_millis(50);

/// So many bytes are written without a wait: some 500 lines, so that the thread is woken seldom.
const BATCH_BYTES: usize = 128 * 1024;

/// So many may wait. With more, whoever brings a line writes what is there, and so waits for a
/// reader that does not keep up.
const WAITING_BYTES_MAX: usize = 512 * 1024;

/// What a pipe takes as one piece (`PIPE_BUF` of Linux), so that processes can share it: lines are
/// written together up to this size, and a longer one by itself. A file takes any length at once.
const PIECE_BYTES_MAX: usize = 4096;

/// Takes lines from any thread and writes them in their order; a cheap clone.
#[derive(Clone)]
pub(crate) struct LogWriter(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// There is a first line, or a batch.
    changed: Condvar,
    /// Locked before `waiting`, so that what was taken first is written first.
    out: Mutex<Out>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    piece_bytes_max: usize,
    /// What is being written; its room is used again.
    lines: Vec<u8>,
}

impl LogWriter {
    /// To standard output, as [`new`](Self::new).
    pub(crate) fn to_stdout() -> Self {
        let stdout = io::stdout();
        let file = stdout.as_fd().try_clone_to_owned().map(File::from);
        let is_file = file.and_then(|file| Ok(file.metadata()?.is_file()));
        let piece_bytes_max = match is_file {
            Ok(true) => usize::MAX,
            Ok(false) | Err(_) => PIECE_BYTES_MAX,
        };
        Self::new(stdout, piece_bytes_max)
    }

    /// Nobody writes what is put until [`flush`](Self::flush) or [`start`](Self::start). No more
    /// than `piece_bytes_max` is written at once, unless a line is longer.
    pub(crate) fn new(writer: impl Write + Send + 'static, piece_bytes_max: usize) -> Self {
        let out = Out {
            writer: Box::new(writer),
            piece_bytes_max,
            lines: Vec::new(),
        };
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            out: Mutex::new(out),
        }))
    }

    /// Starts the thread that writes. What waits is written before a panic is told of, too, which
    /// may be the last thing that a process does.
    pub(crate) fn start(&self) -> io::Result<()> {
        let [of_thread, of_panic] = [self.clone(), self.clone()];
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || of_thread.write_on())?;
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            of_panic.flush();
            told(panic);
        }));
        Ok(())
    }

    /// Takes a line, with its end. What tells of trouble is written at once.
    pub(crate) fn put(&self, line: &[u8], level: Level) {
        let mut waiting = lock(&self.0.waiting);
        let before = waiting.len();
        waiting.extend_from_slice(line);
        let after = waiting.len();
        drop(waiting);
        if level <= Level::WARN || after > WAITING_BYTES_MAX {
            return self.flush();
        }
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.0.changed.notify_one();
        }
    }

    /// Writes all that waits. A server goes on when nobody can read its log: what cannot be written
    /// is lost.
    pub(crate) fn flush(&self) {
        let mut out = lock(&self.0.out);
        let Out {
            writer,
            piece_bytes_max,
            lines,
        } = &mut *out;
        mem::swap(lines, &mut *lock(&self.0.waiting));
        for piece in pieces(lines, *piece_bytes_max) {
            let _ = writer.write_all(piece);
        }
        let _ = writer.flush();
        lines.clear();
    }

    fn write_on(&self) -> ! {
        loop {
            let waiting = lock(&self.0.waiting);
            let changed = &self.0.changed;
            let waiting = changed.wait_while(waiting, |waiting| waiting.is_empty());
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            let is_small = |waiting: &mut Vec<u8>| waiting.len() < BATCH_BYTES;
            drop(changed.wait_timeout_while(waiting, DELAY, is_small));
            self.flush();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whole lines, as many as fit in one piece.
fn pieces(mut lines: &[u8], bytes_max: usize) -> impl Iterator<Item = &[u8]> {
    let is_end = |byte: &u8| *byte == b'\n';
    std::iter::from_fn(move || {
        let within = &lines[..lines.len().min(bytes_max)];
        let end = within.iter().rposition(is_end);
        let end = end.or_else(|| lines.iter().position(is_end))?;
        let (piece, rest) = lines.split_at(end + 1);
        lines = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// Sends on what is written.
    struct Pipe(Sender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            match self.0.send(text) {
                Ok(()) => Ok(bytes.len()),
                Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn pipe() -> (LogWriter, Receiver<String>) {
        let (sender, receiver) = mpsc::channel();
        (LogWriter::new(Pipe(sender), PIECE_BYTES_MAX), receiver)
    }

    fn written(receiver: &Receiver<String>) -> Vec<String> {
        receiver.try_iter().collect()
    }

    #[test]
    fn lines_wait_for_each_other_but_not_those_of_trouble() {
        let (writer, receiver) = pipe();
        writer.put(b"one\n", Level::INFO);
        writer.put(b"two\n", Level::DEBUG);
        assert!(written(&receiver).is_empty());
        writer.put(b"three\n", Level::WARN);
        assert_eq!(written(&receiver), ["one\ntwo\nthree\n"]);
        writer.put(b"four\n", Level::ERROR);
        assert_eq!(written(&receiver), ["four\n"]);
        writer.put(b"five\n", Level::INFO);
        writer.flush();
        writer.flush();
        assert_eq!(written(&receiver), ["five\n"]);
    }

    #[test]
    fn a_piece_is_of_whole_lines_and_small_unless_a_line_is_not() {
        let line = |length: usize| "x".repeat(length - 1) + "\n";
        let cases: [(&[usize], &[usize]); 5] = [
            (&[], &[]),
            (&[1, 2, 3], &[6]),
            (&[4000, 96, 1], &[4096, 1]),
            (&[4000, 97, 1], &[4000, 98]),
            (&[1, 9000, 1, 2], &[1, 9000, 3]),
        ];
        for (lengths, expected) in cases {
            let lines: String = lengths.iter().map(|length| line(*length)).collect();
            let found = pieces(lines.as_bytes(), PIECE_BYTES_MAX).map(<[u8]>::len);
            assert_eq!(found.collect::<Vec<_>>(), expected, "lines: {lengths:?}");
        }
        let lines = line(4096) + &line(4097);
        let found = pieces(lines.as_bytes(), usize::MAX).map(<[u8]>::len);
        assert_eq!(found.collect::<Vec<_>>(), [8193]);
    }

    #[test]
    fn the_lines_of_many_threads_are_all_written_each_whole_and_in_order() {
        const LINES: usize = 5000;
        const THREADS: usize = 8;
        let (writer, receiver) = pipe();
        writer.start().unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let writer = writer.clone();
                scope.spawn(move || {
                    for number in 0..LINES {
                        let level = if number % 100 == 0 {
                            Level::WARN
                        } else {
                            Level::INFO
                        };
                        writer.put(format!("{thread} {number}\n").as_bytes(), level);
                    }
                });
            }
        });
        writer.flush();
        let text: String = written(&receiver).concat();
        let mut next = [0; THREADS];
        for line in text.lines() {
            let (thread, number) = line.split_once(' ').expect("a whole line");
            let next = &mut next[thread.parse::<usize>().unwrap()];
            assert_eq!(number.parse(), Ok(*next), "thread {thread}");
            *next += 1;
        }
        assert_eq!(next, [LINES; THREADS]);
    }

    #[test]
    fn a_started_writer_writes_by_itself() {
        let (writer, receiver) = pipe();
        writer.start().unwrap();
        for line in ["one\n", "two\n"] {
            writer.put(line.as_bytes(), Level::INFO);
            assert_eq!(receiver.recv().as_deref(), Ok(line));
        }
    }

    #[test]
    fn what_nobody_writes_is_bounded() {
        let (writer, receiver) = pipe();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        for _ in 0..=WAITING_BYTES_MAX / line.len() {
            assert!(written(&receiver).is_empty());
            writer.put(&line, Level::INFO);
        }
        assert!(written(&receiver).concat().len() > WAITING_BYTES_MAX);
    }

    #[test]
    fn a_closed_reader_stops_nobody() {
        let (writer, receiver) = pipe();
        writer.start().unwrap();
        drop(receiver);
        for level in [Level::INFO, Level::ERROR] {
            writer.put(b"line\n", level);
        }
        writer.flush();
        assert!(lock(&writer.0.waiting).is_empty());
    }
}
