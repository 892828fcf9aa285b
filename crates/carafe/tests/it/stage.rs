//! The examples of a paper, run as a reader runs them.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::io::{BufRead, BufReader, PipeReader};
use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::paper::{Block, Paper};
use crate::support::workspace;

/// The place that a paper's examples run in: a folder, and a server once one is started.
///
/// Blocks are marked by a comment on the line before:
///
/// - `<!-- write FILE -->` and `<!-- append FILE -->`: the block is put into a file; a server
///   that runs has to take it up. A file that the repository has in `apps` or `examples` is
///   written as it is there;
/// - `<!-- serve FOLDER -->`: the server is started, and says what the block shows;
/// - `<!-- run -->`: the commands after `$` are run by `sh` and answer what follows them.
///
/// `…` in what is shown stands for anything on the line, a line of only `…` for any lines.
pub(crate) struct Stage {
    program: Program,
    folder: TempDir,
    server: Option<Server>,
}

/// What serves a folder.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) path: &'static str,
    /// The words before the folder: `serve`.
    pub(crate) words: &'static [&'static str],
}

struct Server {
    child: Child,
    /// Standard output and standard error.
    output: BufReader<PipeReader>,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The address in the papers, which another server may have on this machine.
const SHOWN_ADDRESS: &str = "127.0.0.1:5000";

const SETTINGS_OF_THE_PLACE: [&str; 7] = [
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "DATABASE_URL",
    "DURABILITY",
    "SECRET_KEY",
    "CARAFE_ENV",
];

fn set_up(command: &mut Command, program: Program, folder: &Path) {
    let program = Path::new(program.path);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(program.parent().unwrap().to_owned());
    let places = std::env::join_paths(places.chain(std::env::split_paths(&path))).unwrap();
    command.env("PATH", places).current_dir(folder);
    for name in SETTINGS_OF_THE_PLACE {
        command.env_remove(name);
    }
}

impl Stage {
    pub(crate) fn play(paper: &Paper, program: Program) {
        let mut stage = Self {
            program,
            folder: TempDir::new().unwrap(),
            server: None,
        };
        let notes = stage.folder.path().join("apps/notes");
        std::fs::create_dir_all(&notes).unwrap();
        std::fs::copy(
            workspace().join("apps/notes/carafe.toml"),
            notes.join("carafe.toml"),
        )
        .unwrap();
        for block in paper.blocks() {
            match block
                .mark
                .and_then(|mark| mark.split_once(' ').or(Some((mark, ""))))
            {
                Some(("write", file)) => {
                    compare_with_repository(file, &block);
                    stage.write(file, &block, String::new());
                }
                Some(("append", file)) => {
                    let text = std::fs::read_to_string(stage.folder.path().join(file)).unwrap();
                    stage.write(file, &block, text + "\n");
                }
                Some(("serve", folder)) => stage.serve(folder, &block),
                Some(("run", "")) => stage.run(&block),
                _ => {}
            }
        }
    }

    fn write(&mut self, file: &str, block: &Block<'_>, before: String) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, before + &block.lines.join("\n") + "\n").unwrap();
        if let Some(server) = &mut self.server {
            let lines = server.until("Took up the change.");
            let taken_up = lines.iter().any(|line| line == "Took up the change.");
            assert!(taken_up, "{}: {lines:#?}", block.place);
        }
    }

    fn serve(&mut self, folder: &str, block: &Block<'_>) {
        self.server = None;
        let mut command = Command::new(self.program.path);
        set_up(&mut command, self.program, self.folder.path());
        command
            .args(self.program.words)
            .args([folder, "--port", "0"]);
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        // It keeps our ends of the pipe open, and then the output would never end.
        drop(command);
        let output = BufReader::new(reader);
        let mut server = Server {
            child,
            output,
            address: String::new(),
        };
        let mut lines = server.until("Press Ctrl-C to stop.");
        let api = lines.iter().find_map(|line| line.split("://").nth(1));
        server.address = api.unwrap().split('/').next().unwrap().to_owned();
        for line in &mut lines {
            *line = line.replace(&server.address, SHOWN_ADDRESS);
        }
        compare(&block.place, &block.lines[1..], &lines.join("\n"));
        self.server = Some(server);
    }

    fn run(&self, block: &Block<'_>) {
        let mut lines = block.lines.iter().copied().peekable();
        while let Some(line) = lines.next() {
            let first = line.strip_prefix("$ ");
            let mut script = first
                .unwrap_or_else(|| panic!("{}: {line:?} is no command", block.place))
                .to_owned();
            while script.ends_with('\\') {
                script = format!("{script}\n{}", lines.next().unwrap());
            }
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line);
            }
            let found = self.sh(&script);
            compare(&format!("{}: {script}", block.place), &shown, &found);
        }
    }

    /// What a command prints, standard error after standard output.
    fn sh(&self, script: &str) -> String {
        let address = self.server.as_ref().map(|server| server.address.as_str());
        let address = address.unwrap_or(SHOWN_ADDRESS);
        let mut command = Command::new("sh");
        set_up(&mut command, self.program, self.folder.path());
        let script = script.replace(SHOWN_ADDRESS, address);
        let output = command.args(["-c", &script]).output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        text.push_str(&String::from_utf8(output.stderr).unwrap());
        text.replace(address, SHOWN_ADDRESS).replace('\r', "")
    }
}

impl Server {
    /// The lines that the server prints, up to `last` or the refusal of a change.
    fn until(&mut self, last: &str) -> Vec<String> {
        let ends = |line: &String| line == last || line.starts_with("The change is not taken up");
        let mut lines = Vec::new();
        while !lines.last().is_some_and(ends) {
            let mut line = String::new();
            let count = self.output.read_line(&mut line).unwrap();
            assert!(count > 0, "the server has ended after {lines:#?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }
}

/// What a paper shows of the reference applications is what they are.
fn compare_with_repository(file: &str, block: &Block<'_>) {
    let path = workspace().join(file);
    let is_shown = file.starts_with("apps/") || file.starts_with("examples/");
    if is_shown && path.exists() {
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            block.lines.join("\n"),
            text.trim_end(),
            "{}: {file}",
            block.place
        );
    }
}

fn compare(place: &str, shown: &[&str], found: &str) {
    let found: Vec<&str> = found.trim_end().lines().collect();
    assert!(
        lines_match(shown, &found),
        "{place}\nshown:\n{}\nfound:\n{}\n",
        shown.join("\n"),
        found.join("\n")
    );
}

fn lines_match(shown: &[&str], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((&"…", rest)) => {
            (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..]))
        }
        Some((first, rest)) => found.split_first().is_some_and(|(line, others)| {
            line_matches(first, line.trim_end()) && lines_match(rest, others)
        }),
    }
}

fn line_matches(shown: &str, found: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else {
        return shown == found;
    };
    found.strip_prefix(start).is_some_and(|tail| {
        tail.char_indices()
            .map(|(index, _)| index)
            .chain([tail.len()])
            .any(|index| line_matches(rest, &tail[index..]))
    })
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (shown, found, expected) in [
        ("a…c", "abc", true),
        ("a…c", "ac", true),
        ("a…c…", "abcd", true),
        ("a…c", "abd", false),
        ("abc", "abcd", false),
    ] {
        assert_eq!(line_matches(shown, found), expected, "{shown} {found}");
    }
    assert!(lines_match(&["a", "…", "d"], &["a", "b", "c", "d"]));
    assert!(!lines_match(&["a", "…", "d"], &["a", "b"]));
}
