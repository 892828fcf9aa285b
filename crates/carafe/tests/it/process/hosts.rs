//! The files by which hosts run the program.

use std::process::Command;

use carafe::args::Args;
use clap::Parser;
use serde_json::Value;

use super::{Folder, VARIABLES, shipped, systemd};

#[test]
fn the_image_knows_whether_its_server_lives() {
    let dockerfile = shipped("Dockerfile");
    let (_, check) = dockerfile.split_once("HEALTHCHECK").unwrap();
    let command = check
        .lines()
        .find_map(|line| line.trim().strip_prefix("CMD "))
        .unwrap();
    let words: Vec<String> = serde_json::from_str(command).unwrap();
    let folder = Folder::notes();
    let server = folder.serve();
    let port = server.base.rsplit(':').next().unwrap().to_owned();
    let check = || {
        let mut check = Command::new(&words[0]);
        check.args(&words[1..]);
        folder.inside(check).env("PORT", &port).status().unwrap()
    };
    assert!(check().success());
    server.stop();
    assert!(!check().success());
}

#[test]
fn the_files_of_hosts_set_what_is_a_setting() {
    let dockerfile = shipped("Dockerfile");
    let (_, environment) = dockerfile.split_once("\nENV ").unwrap();
    let (environment, _) = environment.split_once("\nEXPOSE").unwrap();
    let mut names: Vec<String> = environment
        .split_whitespace()
        .filter_map(|word| Some(word.split_once('=')?.0.to_owned()))
        .collect();
    for line in systemd::values(&shipped("ship/carafe@.service"), "Environment=") {
        let words = line.split_whitespace();
        names.extend(words.filter_map(|word| Some(word.split_once('=')?.0.to_owned())));
    }
    let app: Value = serde_json::from_str(&shipped("app.json")).unwrap();
    names.extend(app["env"].as_object().unwrap().keys().cloned());
    let beanstalk = shipped("ship/beanstalk/.ebextensions/carafe.config");
    let (_, environment) = beanstalk.split_once("application:environment:\n").unwrap();
    let lines = environment.lines();
    names.extend(lines.filter_map(|line| Some(line.trim().split_once(':')?.0.to_owned())));
    assert!(names.len() >= 12, "{names:?}");
    for name in &names {
        assert!(VARIABLES.contains(name), "{name} is no setting");
    }
}

#[test]
fn the_procfile_and_the_image_start_a_server() {
    let procfile = shipped("Procfile");
    let command = procfile.trim().strip_prefix("web: ").unwrap();
    let dockerfile = shipped("Dockerfile");
    let (_, image) = dockerfile.rsplit_once("\nCMD ").unwrap();
    let mut image: Vec<String> = serde_json::from_str(image).unwrap();
    image.insert(0, "carafe".to_owned());
    for words in [
        command.split_whitespace().map(str::to_owned).collect(),
        image,
    ] {
        let args = Args::try_parse_from(&words).unwrap();
        assert!(
            matches!(args.command, carafe::args::Command::Serve(_)),
            "{words:?}"
        );
    }
}
