//! README.md, the manual and the other papers, with their fenced blocks.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::path::PathBuf;

use crate::support::workspace;

/// A paper of the repository.
pub(crate) struct Paper {
    /// From the workspace's folder, with slashes.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Paper {
    pub(crate) fn read(name: &str) -> Self {
        let path = workspace().join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        Self {
            name: name.to_owned(),
            path,
            text,
        }
    }

    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut mark = None;
        let mut lines = self.text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "```")
                    .collect();
                blocks.push(Block {
                    place: format!("{}:{}", self.name, index + 1),
                    language,
                    mark: mark.take(),
                    lines: body,
                });
            } else {
                let comment = line.strip_prefix("<!-- ");
                mark = comment.and_then(|rest| rest.strip_suffix(" -->"));
            }
        }
        blocks
    }
}

/// A fenced block.
pub(crate) struct Block<'a> {
    /// `README.md:20`
    pub(crate) place: String,
    pub(crate) language: &'a str,
    /// The comment on the line before: what the block is to these tests.
    pub(crate) mark: Option<&'a str>,
    pub(crate) lines: Vec<&'a str>,
}

pub(crate) fn chapters() -> Vec<Paper> {
    let mut names: Vec<String> = std::fs::read_dir(workspace().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect();
    names.sort();
    names
        .iter()
        .map(|name| Paper::read(&format!("docs/src/{name}")))
        .collect()
}

pub(crate) fn chapter(name: &str) -> Paper {
    Paper::read(&format!("docs/src/{name}"))
}

pub(crate) fn all_papers() -> Vec<Paper> {
    let root = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ];
    root.map(Paper::read)
        .into_iter()
        .chain(chapters())
        .collect()
}
