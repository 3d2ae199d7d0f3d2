//! What `mcp-auth replay` writes: all files that are named or none, and never over another.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Folder, flows, replay, said};

/// Everything in the folder, by name.
fn files(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(&folder.0).unwrap();
    let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn one_file_that_is_there_already_keeps_the_others_from_being_written() {
    let folder = Folder::new("there");
    let (flow, there, other) = (folder.file("flow.jsonl"), folder.file("there"), folder.file("other"));
    fs::write(&flow, flows::login()).unwrap();
    fs::write(&there, "mine").unwrap();
    for (one, two) in [("--svg", "--html"), ("--html", "--scrub"), ("--svg", "--scrub")] {
        for (first, second) in [(&there, &other), (&other, &there)] {
            let told = replay(&[&flow, one, first, two, second]);
            assert_eq!(told.status.code(), Some(1));
            assert!(said(&told).contains("there is there already"), "{}", said(&told));
            assert_eq!(files(&folder), ["flow.jsonl", "there"]);
        }
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
}

#[test]
fn one_file_for_two_is_an_error_of_usage() {
    let folder = Folder::new("same");
    let flow = folder.file("flow.jsonl");
    fs::write(&flow, flows::login()).unwrap();
    let (same, round) = (folder.file("same"), folder.file("./same"));
    for (one, two) in [(same.as_str(), same.as_str()), (&same, &round), ("-", "-")] {
        let told = replay(&[&flow, "--html", one, "--scrub", two]);
        assert_eq!(told.status.code(), Some(2), "{}", said(&told));
        assert!(said(&told).contains("is named for two of"), "{}", said(&told));
        assert_eq!(files(&folder), ["flow.jsonl"]);
    }
}

/// A file that grows beyond the limit cannot be written, as on a disk that is full.
#[cfg(target_os = "linux")]
#[test]
fn what_broke_off_is_removed_and_what_was_written_with_it() {
    let folder = Folder::new("broken");
    let (flow, svg, html) = (folder.file("flow.jsonl"), folder.file("flow.svg"), folder.file("flow.html"));
    fs::write(&flow, flows::login()).unwrap();
    assert!(replay(&[&flow, "--svg", &svg, "--html", &html]).status.success());
    let [small, large] = [&svg, &html].map(|path| fs::metadata(path).unwrap().len());
    assert!(small + 2048 < large, "{small} and {large} bytes");
    fs::remove_file(&svg).unwrap();
    fs::remove_file(&html).unwrap();
    let limit = small.div_ceil(1024);
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" replay \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_mcp-auth"), &flow, "--svg", &svg, "--html", &html]);
    let told = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(told.status.code(), Some(1), "{}", said(&told));
    assert!(said(&told).contains("flow.html cannot be written: "), "{}", said(&told));
    assert_eq!(files(&folder), ["flow.jsonl"]);
}

#[test]
fn what_diverges_is_drawn_and_said_not_to_be_scrubbed() {
    let folder = Folder::new("half");
    let (flow, html, out) = (folder.file("flow.jsonl"), folder.file("flow.html"), folder.file("out.jsonl"));
    fs::write(&flow, flows::login().replacen("\"max_bytes\":65536", "\"max_bytes\":1", 1)).unwrap();
    let told = replay(&[&flow, "--html", &html, "--scrub", &out]);
    assert_eq!(told.status.code(), Some(1));
    let told = said(&told);
    assert!(told.contains("flow.html is written"), "{told}");
    assert!(told.contains("Nothing was scrubbed: ") && told.contains("out.jsonl is not written"), "{told}");
    assert_eq!(files(&folder), ["flow.html", "flow.jsonl"]);
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let folder = Folder::new("dash");
    let (flow, out) = (folder.file("flow.jsonl"), folder.file("out.jsonl"));
    fs::write(&flow, flows::login()).unwrap();
    assert!(replay(&[&flow, "--scrub", &out]).status.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["replay", "-", "--scrub", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(flows::login().as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert!(piped.status.success(), "{}", said(&piped));
    assert!(piped.stdout == fs::read(&out).unwrap(), "the verdict is no part of the trace");
    assert!(String::from_utf8_lossy(&piped.stderr).starts_with("replays: "), "{}", said(&piped));
    let nothing = replay(&["-"]);
    assert!(said(&nothing).contains("standard input cannot be read as a trace"), "{}", said(&nothing));
    for more in [&["-", "--step"][..], &[&flow, "--step", "--quiet"]] {
        assert_eq!(replay(more).status.code(), Some(2), "{more:?}");
    }
}

#[test]
fn quiet_says_the_verdict_alone_and_verbose_every_parameter() {
    let folder = Folder::new("talk");
    let (flow, svg) = (folder.file("flow.jsonl"), folder.file("flow.svg"));
    fs::write(&flow, flows::login()).unwrap();
    for more in [&[][..], &["--svg", &svg]] {
        let told = said(&replay(&[&[flow.as_str(), "--quiet"], more].concat()));
        assert!(told.starts_with("replays: ") && told.lines().count() == 1, "{told}");
    }
    let told = said(&replay(&[&flow]));
    let whole = said(&replay(&[&flow, "--verbose"]));
    assert!(told.contains("STATE-1") && !told.contains("code_challenge_method="), "{told}");
    assert!(whole.contains("STATE-1") && whole.contains("code_challenge_method=S256"), "{whole}");
}

/// What a disk that is full, or a process that was killed, leaves.
#[test]
fn a_trace_that_breaks_off_replays_as_far_as_it_goes() {
    let folder = Folder::new("off");
    let flow = folder.file("flow.jsonl");
    let whole = flows::login();
    let last = whole.trim_end().rfind('\n').unwrap() + 1;
    let before = said(&{
        fs::write(&flow, &whole[..last]).unwrap();
        replay(&[&flow])
    });
    for cut in [
        &whole.as_bytes()[..last + 20],
        &[&whole.as_bytes()[..last + 20], "é".as_bytes().split_at(1).0].concat(),
    ] {
        fs::write(&flow, cut).unwrap();
        let told = replay(&[&flow]);
        assert_eq!(told.status.code(), Some(0), "{}", said(&told));
        assert_eq!(
            said(&told),
            before.trim_end().to_owned() + "; its last line breaks off, and is passed over\n"
        );
    }
    // No other place may be without its character.
    fs::write(&flow, [b"\xff", whole.as_bytes()].concat()).unwrap();
    assert!(said(&replay(&[&flow])).contains("it is no UTF-8 text"));
}

#[test]
fn empty_lines_hide_nothing_of_what_comes_before_a_difference() {
    let folder = Folder::new("empty");
    let flow = folder.file("flow.jsonl");
    let other = flows::login().replacen("\"max_bytes\":65536", "\"max_bytes\":1", 1);
    fs::write(&flow, &other).unwrap();
    let told = said(&replay(&[&flow]));
    fs::write(&flow, other.replacen('\n', "\n\n\n", 1)).unwrap();
    let later = said(&replay(&[&flow]));
    let count = |text: &str| text.lines().count();
    assert!(told.contains("does not replay") && count(&told) == count(&later), "{told}\n{later}");
    assert_ne!(told, later, "the line has another number");
}
