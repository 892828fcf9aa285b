//! Completions of shells, and manual pages.

use std::process::Command;

use super::Folder;

/// What bash offers after `words`, the last of which is being typed.
fn bash_offers(folder: &Folder, words: &[&str]) -> Vec<String> {
    let script = folder.run(&["completions", "bash"]).ok();
    folder.write("completions.bash", &script);
    let ask = "source completions.bash
        COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))
        _carafe carafe \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ask, "bash"]).args(words);
    let output = folder.inside(bash).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let offers = String::from_utf8(output.stdout).unwrap();
    offers.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let folder = Folder::empty();
    let cases: [(&[&str], &[&str]); 4] = [
        (&["carafe", "ser"], &["serve"]),
        (
            &["carafe", "serve", "--backup-"],
            &["--backup-folder", "--backup-every", "--backup-keep"],
        ),
        (&["carafe", "serve", "--env", "pro"], &["production"]),
        (&["carafe", "completions", "z"], &["zsh"]),
    ];
    for (words, expected) in cases {
        assert_eq!(bash_offers(&folder, words), expected, "words: {words:?}");
    }
}

#[test]
fn completions_are_for_a_shell_that_is_known() {
    let folder = Folder::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.run(&["completions", shell]).ok();
        assert!(script.contains("drain-time"), "{shell}");
    }
    let output = folder.command(&["completions", "basic"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page_without_a_fault() {
    use clap::CommandFactory;

    let folder = Folder::empty();
    let said = folder.run(&["man", "pages"]).ok();
    assert_eq!(said, "Wrote pages/carafe.1\n");
    let program = carafe::args::Args::command();
    let names = program.get_subcommands().map(|command| command.get_name());
    let mut pages = vec!["pages/carafe.1".to_owned()];
    pages.extend(names.map(|name| format!("pages/carafe-{name}.1")));
    for page in &pages {
        let mut lint = Command::new("mandoc");
        lint.args(["-T", "lint", "-W", "error", page]);
        let output = folder.inside(lint).output().unwrap();
        assert!(output.status.success(), "{page}: {output:?}");
    }
    let serve = std::fs::read_to_string(folder.path("pages/carafe-serve.1")).unwrap();
    assert!(serve.contains("DRAIN_TIME"), "{serve}");
}

#[test]
fn pages_that_cannot_be_written_are_told_of() {
    let folder = Folder::empty();
    folder.write("file", "");
    let complaint = folder.run(&["man", "file"]).refused();
    assert!(
        complaint.contains("write manual pages to file"),
        "{complaint}"
    );
}
