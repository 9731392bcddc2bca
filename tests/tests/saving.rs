//! `--save-config`: what `PUT` applied is what the next start reads.

use std::fs;

use serde_json::Value;
use weir_tests::{Directory, Weir, weir};

fn config(text: &str, directory: &Directory) -> String {
    let log = directory.file("access.log");
    format!(
        "# {text}\nversion: 1\nworkers: 1\nadmin: {{ bind: 127.0.0.1:0 }}\nlog: {{ access: \"{}\" }}\nwatch_config: true\n\
         listeners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ respond: {{ body: {text} }} }}] }} }}\n",
        log.display()
    )
}

/// Started with `--save-config`, and what its file is.
fn start() -> (Weir, std::path::PathBuf) {
    let directory = Directory::new();
    let file = directory.write("weir.yaml", &config("first", &directory));
    let mut command = weir();
    command.args(["run", "--save-config", "--config"]).arg(&file);
    (Weir::spawn(directory, command), file)
}

fn put(weir: &Weir, text: &str) -> Value {
    let answer = weir.admin().put_config(text);
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

#[test]
fn what_was_put_is_in_the_file_as_it_was_sent_and_serves_the_next_start() {
    let (mut weir, file) = start();
    let second = config("second", &weir.directory);
    let answer = put(&weir, &second);
    assert_eq!((&answer["saved"], &answer["notes"]), (&Value::Bool(true), &serde_json::json!([])));
    assert_eq!(fs::read_to_string(&file).unwrap(), second, "with its comment");
    // The watch is for what others write: what was put is not loaded once more.
    let generation = answer["generation"].clone();
    let third = config("third", &weir.directory);
    weir.directory.write("weir.yaml", &third);
    weir.await_said("the file was replaced");
    assert_eq!(weir.times_said("the file was replaced"), 1);
    assert_eq!(weir.admin().json("/api/v1/stats")["generation"].as_u64(), generation.as_u64().map(|g| g + 1));

    // What is refused is not kept.
    assert_eq!(put(&weir, "version: 2\n")["status"], 422);
    assert_eq!(fs::read_to_string(&file).unwrap(), third);
    put(&weir, &second);
    weir.signal(weir_tests::Signal::TERM);
    assert!(weir.await_exit().success());
    let mut command = self::weir();
    command.arg("run").arg("--config").arg(&file);
    let directory = Directory::new();
    let again = Weir::spawn(directory, command);
    assert_eq!(weir_tests::get(again.web(), "/").text(), "second");
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_what_was_put_serves() {
    let (weir, file) = start();
    // A folder stands where the draft would be; root may write everywhere else.
    fs::create_dir(weir.directory.file(".weir.yaml.new")).unwrap();
    let before = fs::read_to_string(&file).unwrap();
    let answer = put(&weir, &config("second", &weir.directory));
    assert_eq!(answer["saved"], false);
    let note = answer["notes"][0].as_str().unwrap();
    assert!(note.starts_with("it serves, and the next start will not know of it: can't write"), "{note}");
    assert!(note.contains("weir.yaml"), "{note}");
    weir.await_said("the configuration serves, and is not saved");
    assert_eq!(weir_tests::get(weir.web(), "/").text(), "second");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[test]
fn without_being_told_to_nothing_is_written() {
    let directory = Directory::new();
    let file = directory.write("weir.yaml", &config("first", &directory));
    let mut command = weir();
    command.args(["run", "--config"]).arg(&file);
    let weir = Weir::spawn(directory, command);
    let answer = put(&weir, &config("second", &weir.directory));
    assert_eq!(answer["saved"], false);
    assert_eq!(fs::read_to_string(&file).unwrap(), config("first", &weir.directory));
}
