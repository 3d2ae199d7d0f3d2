//! What the program does is written down with `--record`, and comes again from what is written.

use std::fs;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

#[path = "../../../adapters/host/tests/rig/replayed.rs"]
mod replayed;

/// The commands that can be written down.
const RECORDS: [&str; 4] = ["call", "inspect", "login", "logout"];
/// With one of these they are not, or the test does it.
const RECORDS_NOT: [&str; 4] = ["--all", "--forget-only", "--help", "--record"];

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Output {
    recorded(command, |command| command.output().unwrap())
}

/// The same with somebody beside it. The file is in no home of a test, which may look for secrets there.
pub(crate) fn recorded<T>(command: &mut Command, run: impl FnOnce(&mut Command) -> T) -> T {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let said: Vec<_> = command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
    let says = |words: &[&str]| said.iter().any(|it| words.contains(&it.as_str()));
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let file = std::env::temp_dir().join(format!("mcp-auth-cli-{}-{number}.jsonl", std::process::id()));
    if said.first().is_some_and(|it| RECORDS.contains(&it.as_str())) && !says(&RECORDS_NOT) {
        command.arg("--record").arg(&file);
    }
    let came = run(command);
    // Where the words are wrong there is no client, and no file.
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(&file);
    replayed::replays(&text);
    came
}
