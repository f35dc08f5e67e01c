//! Help, mistyped commands, completions.

use crate::run;

/// Every command that there is, as the words to type.
fn commands() -> Vec<Vec<String>> {
    use clap::CommandFactory;
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let path: Vec<String> = path.iter().cloned().chain([sub.get_name().to_owned()]).collect();
            found.push(path.clone());
            walk(sub, &path, found);
        }
    }
    let mut found = vec![];
    walk(&calsync_server::cli::args::Cli::command(), &[], &mut found);
    found
}

#[test]
fn the_command_tree_is_sound_and_every_command_has_an_example() {
    use clap::CommandFactory;
    calsync_server::cli::args::Cli::command().debug_assert();
    let dir = tempfile::tempdir().unwrap();
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(dir.path(), &words).expect(0);
        assert!(help.out.contains("Example"), "{command:?} has no example:\n{}", help.out);
    }
}

#[test]
fn the_help_documents_the_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let help = run(dir.path(), &["--help"]).expect(0).out;
    for line in ["0  it worked", "3  the configuration is wrong", "6  nothing of that name"] {
        assert!(help.contains(line), "{help}");
    }
    assert!(run(dir.path(), &["--version"]).expect(0).out.starts_with("calendar-sync 0."));
}

#[test]
fn mistyped_commands_end_with_2_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let typed = run(dir.path(), &["confg"]).expect(2);
    assert!(typed.err.contains("config") && typed.out.is_empty(), "{}", typed.err);
    run(dir.path(), &[]).expect(2);
    run(dir.path(), &["rules", "remove", "not-an-id"]).expect(2);
    let hours = run(dir.path(), &["rules", "set", "a", "b", "--working-hours", "always"]).expect(2);
    assert!(hours.err.contains("Europe/Vienna mon-fri 08:00-18:00"), "{}", hours.err);
    let json = run(dir.path(), &["--json", "users", "add"]).expect(2);
    let error: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(error["error"]["code"], "usage");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(dir.path(), &["completions", shell]).expect(0).out;
        assert!(script.contains("calendar-sync") && script.contains("rules"), "{shell}");
    }
}
