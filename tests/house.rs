//! The house keeps its shape: what the core depends on, what it may touch, and which way its arrows run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What a command says. It must succeed.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the crates that `package` needs to be built on this machine, with its default features and without
/// what only tests need. What other packages of the workspace want of the same crates does not count.
fn tree(package: &str) -> BTreeSet<String> {
    let edges = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let shown = said(env!("CARGO"), &[&["tree", "--offline", "--package", package][..], &edges].concat());
    let names = shown.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != package).map(str::to_owned).collect()
}

#[test]
fn the_core_is_light_and_has_no_world() {
    let tree = tree("mcp-auth");
    println!("mcp-auth needs {} crates: {tree:?}", tree.len());
    assert!(tree.len() <= 60);
    let banned = [
        "async-std",
        "chrono",
        "hyper",
        "mio",
        "native-tls",
        "openssl",
        "rand",
        "reqwest",
        "rustls",
        "smol",
        "socket2",
        "time",
        "tokio",
        "tracing",
        "ureq",
    ];
    for name in banned {
        assert!(!tree.contains(name), "the core depends on {name}");
    }
    // The list can fail.
    assert!(tree.contains("url"));
}

#[test]
fn the_adapters_have_one_tls_stack() {
    for package in ["mcp-auth-reqwest", "mcp-auth-rmcp"] {
        let tree = tree(package);
        println!("{package} needs {} crates", tree.len());
        assert!(tree.contains("ring"));
        for name in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"] {
            assert!(!tree.contains(name), "{package} depends on {name}");
        }
    }
}

/// RFC 6750 §5.3: tokens are in no cookie where there is none.
#[test]
fn no_adapter_knows_cookies() {
    for package in ["mcp-auth-reqwest", "mcp-auth-ureq", "mcp-auth-rmcp"] {
        let tree = tree(package);
        for name in ["cookie", "cookie_store"] {
            assert!(!tree.contains(name), "{package} depends on {name}");
        }
    }
}

/// RFC 9700 §2.4: there is no password grant.
#[test]
fn there_are_these_grants_and_no_others() {
    let grants = |text: &str| -> Vec<String> {
        let (_, rest) = text.split_once("fn grant_type(&self) -> &'static str {").unwrap();
        let arms = rest.split("\n    }\n").next().unwrap().split(" => \"").skip(1);
        arms.map(|arm| arm.split('"').next().unwrap().to_owned()).collect()
    };
    let file = fs::read_to_string(root().join("src/wire/token.rs")).unwrap();
    let extension = |name: &str| format!("urn:ietf:params:oauth:grant-type:{name}");
    let [jwt, exchange, device] = ["jwt-bearer", "token-exchange", "device_code"].map(extension);
    let known = ["authorization_code", "refresh_token", "client_credentials", &jwt, &exchange, &device];
    assert_eq!(grants(&file), known);
    // A request has no other type: it is written in one place, from what the function says.
    let written: Vec<_> =
        sources().into_iter().filter(|(_, text)| text.contains("((\"grant_type\",")).map(|it| it.0).collect();
    assert_eq!(written, ["wire/token.rs"]);
}

#[test]
fn rmcp_is_taken_without_its_own_authorization() {
    let tree = tree("mcp-auth-rmcp");
    for name in ["oauth2", "schemars", "rand"] {
        assert!(!tree.contains(name), "mcp-auth-rmcp depends on {name}");
    }
    assert!(tree.contains("rmcp"));
}

/// Every source file of the core, with its path below `src/`, without its unit tests.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let shown = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
    let mut sources = Vec::new();
    let code = |path: &&PathBuf| {
        path.extension().is_some_and(|ending| ending == "rs")
            && !path.ends_with("tests.rs")
            && !path.parent().is_some_and(|folder| folder.ends_with("tests"))
    };
    for path in files.iter().filter(code) {
        let (file, text) = (shown(path), fs::read_to_string(path).unwrap());
        sources.push((file.clone(), own(&file, &text).to_owned()));
    }
    sources.sort();
    assert!(sources.len() > 30);
    sources
}

/// What stands before the unit tests. They come last, in one module, or in a file `tests.rs` and its folder, so that
/// nothing hides behind them or among them.
fn own<'a>(file: &str, text: &'a str) -> &'a str {
    let (own, tests) = text.split_once("#[cfg(test)]\n").unwrap_or((text, "mod tests;\n"));
    let whole = tests.starts_with("mod tests {\n") && tests.find("\n}\n") == tests.len().checked_sub(3);
    let tests_last = (whole || tests == "mod tests;\n") && !own.contains("mod tests");
    assert!(tests_last, "{file}: `#[cfg(test)]` is for `mod tests`, once, at the end of the file");
    own
}

/// Every file below `folder` that belongs to the project.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    const MADE: [&str; 7] = [".git", "artifacts", "corpus", "coverage", "node_modules", "results", "target"];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if MADE.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// The text with every comment and every literal blanked, line for line.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|tail| tail.trim_start_matches('#'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(tail) = raw.filter(|tail| tail.starts_with('"')) {
            let start = rest.len() - tail.len();
            let end = format!("\"{}", "#".repeat(start - 1));
            tail[1..].find(&end).map_or(rest.len(), |length| start + 1 + length + end.len())
        } else if first == '"'
            || first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\''))
        {
            literal(rest)
        } else {
            0
        };
        let (blank, after) = rest.split_at(length);
        code.extend(blank.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        if length == 0 {
            code.push(first);
            rest = &after[first.len_utf8()..];
        } else {
            rest = after;
        }
    }
    code
}

/// How many bytes the literal takes that `text` begins with.
fn literal(text: &str) -> usize {
    let mark = text.chars().next().unwrap();
    let mut escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        if letter == mark && !escaped {
            return place + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

/// A path that code names, split at `::`, and the line it stands on.
type Named = (usize, Vec<String>);

/// Every path in `code` that begins with one of `starts`; a group gives each of its paths.
fn paths(code: &str, starts: &[&str]) -> Vec<Named> {
    let mut found = Vec::new();
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    for (place, _) in code.match_indices(|letter: char| letter.is_alphabetic() || letter == '_') {
        let (before, after) = code.split_at(place);
        // `a::crate` is no path of its own, `::crate` is.
        let joined = before.trim_end().strip_suffix("::");
        let begins = joined.map_or(!before.ends_with(inside), |head| !head.ends_with(inside));
        if begins && starts.contains(&word(after)) {
            let line = before.matches('\n').count() + 1;
            let mut ends = Vec::new();
            walk(after, Vec::new(), &mut ends);
            found.extend(ends.into_iter().map(|path| (line, path)));
        }
    }
    found
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '*'));
    &text[..end.unwrap_or(text.len())]
}

/// Follows one path, through groups, to each of its ends; gives what stands after it.
fn walk<'a>(text: &'a str, mut path: Vec<String>, ends: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    if let Some(group) = rest.strip_prefix('{') {
        rest = group.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            let after = walk(rest, path.clone(), ends);
            rest = after.trim_start_matches(|letter| letter != ',' && letter != '}');
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let name = word(rest);
    rest = &rest[name.len()..];
    if name.is_empty() {
        ends.push(path);
        return rest;
    }
    path.push(name.to_owned());
    match rest.trim_start().strip_prefix("::") {
        Some(after) => walk(after, path, ends),
        None => {
            ends.push(path);
            rest
        }
    }
}

/// What would make a run depend on more than configuration, seed and events.
fn impurities(text: &str) -> Vec<String> {
    const ROOMS: [&str; 6] = ["env", "fs", "io", "os", "process", "thread"];
    const WORDS: [&str; 14] = [
        "SystemTime",
        "Instant",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "ToSocketAddrs",
        "static mut",
        "thread_local",
        "HashMap",
        "HashSet",
        "println!",
        "eprintln!",
        "dbg!",
    ];
    let code = code(text);
    let words = WORDS.into_iter().filter(|word| code.contains(word)).map(str::to_owned);
    let rooms = paths(&code, &["std"]).into_iter().filter_map(|(_, path)| {
        let room = path.get(1).map_or("*", String::as_str);
        let all = room == "*" || (room == "net" && path.get(2).is_none_or(|name| name == "*"));
        (all || ROOMS.contains(&room)).then(|| path.join("::"))
    });
    words.chain(rooms).collect()
}

#[test]
fn the_core_touches_nothing_outside_itself() {
    for (file, text) in sources() {
        assert_eq!(impurities(&text), [""; 0], "{file}");
    }
    assert_eq!(impurities("let now = SystemTime::now();"), ["SystemTime"]);
    assert_eq!(impurities("use std::{fmt, fs::File, net::IpAddr};"), ["std::fs::File"]);
    assert_eq!(impurities("let x = std::env::var(\"X\");"), ["std::env::var"]);
    assert_eq!(impurities("use std::net::*;"), ["std::net::*"]);
    assert_eq!(impurities("let a = 'x'; ::std :: thread::yield_now()"), ["std::thread::yield_now"]);
    assert_eq!(impurities("let a = r#\"\"std::fs\"#; std::io::sink()"), ["std::io::sink"]);
    assert_eq!(
        impurities("// SystemTime is not used\nlet x = \"std::fs\"; use std::time::Duration;"),
        [""; 0]
    );
}

/// The values that go in and out.
const VALUES: [&str; 10] = [
    "action",
    "config",
    "credential",
    "event",
    "failure",
    "grant_type",
    "outcome",
    "policy",
    "preregistered",
    "trail",
];

/// Whether a file of one room may name another room.
fn may(from: &str, to: &str) -> bool {
    let values = VALUES.contains(&to);
    match from {
        "base" => to == "base",
        "wire" => ["wire", "base"].contains(&to),
        value if VALUES.contains(&value) => values || ["wire", "base"].contains(&to),
        "step" => values || ["step", "wire", "base"].contains(&to),
        "snapshot" => values || ["step", "wire", "base"].contains(&to),
        "grant" => values || ["step", "wire", "base"].contains(&to),
        "step_ups" => to == "base",
        "authorizer" => {
            values || ["authorizer", "grant", "step_ups", "snapshot", "step", "wire", "base"].contains(&to)
        }
        "trace" => values || ["trace", "authorizer", "snapshot", "wire", "base"].contains(&to),
        // It forms its own opinion, so it shares neither a step nor a reader of documents. A snapshot is a value to it.
        "watch" => values || ["watch", "snapshot", "base"].contains(&to),
        other => panic!("{other} has no floor; give it one"),
    }
}

/// The arrows of one file that it may not have: file, line, and what is named.
fn astray(file: &str, text: &str) -> Vec<String> {
    let mut here: Vec<_> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    here.retain(|part| part != "mod");
    let from = here[0].clone();
    let mut arrows = Vec::new();
    for (line, path) in paths(&code(text), &["crate", "super"]) {
        let up = path.iter().take_while(|part| *part == "super").count();
        let outside = if up == 0 { Vec::new() } else { here[..here.len() - up].to_vec() };
        let whole: Vec<_> = outside.into_iter().chain(path.into_iter().skip(up.max(1))).collect();
        // A visibility, `pub(crate)` or `pub(super)`, names nothing.
        let Some(to) = whole.first() else { continue };
        // What the root gives out again hides where it comes from, so that is no room either.
        if !may(&from, to) {
            arrows.push(format!("{file}:{line} names {}", whole.join("::")));
        }
    }
    arrows
}

#[test]
fn arrows_run_one_way() {
    let mut wrong = Vec::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| file != "lib.rs") {
        wrong.extend(astray(&file, &text));
    }
    assert!(wrong.is_empty(), "arrows that run up, or where none may:\n{}", wrong.join("\n"));
}

#[test]
fn an_arrow_that_runs_up_would_be_seen() {
    for (file, text, expected) in [
        // A document that knows a step, and a step that knows the machine.
        ("wire/token.rs", "\nuse crate::step::World;", &["wire/token.rs:2 names step::World"][..]),
        ("step/save.rs", "let x = crate::authorizer::y();", &["step/save.rs:1 names authorizer::y"]),
        (
            "wire/token.rs",
            "use crate::{base::text, event::{self, Event}};",
            &["wire/token.rs:1 names event::self", "wire/token.rs:1 names event::Event"],
        ),
        (
            "wire/challenge/lexer.rs",
            "use super::super::super::action;",
            &["wire/challenge/lexer.rs:1 names action"],
        ),
        ("wire/challenge/mod.rs", "use super::super::action;", &["wire/challenge/mod.rs:1 names action"]),
        ("base/time.rs", "use crate::wire::json;", &["base/time.rs:1 names wire::json"]),
        ("watch/mod.rs", "use crate::wire::json;", &["watch/mod.rs:1 names wire::json"]),
        ("step/mod.rs", "use crate::watch::Watch;", &["step/mod.rs:1 names watch::Watch"]),
        ("event.rs", "\n\n    pub(crate) x: crate::Authorizer,", &["event.rs:3 names Authorizer"]),
        ("event.rs", "use crate::*;", &["event.rs:1 names *"]),
        ("step/save.rs", "use crate::wire::token::Grant; use super::world::{Order, World};", &[]),
        (
            "wire/token.rs",
            "/// [`x`](crate::step)\npub(crate) fn a() { b(\"crate::step\", '\"'); } // crate::step",
            &[],
        ),
        ("snapshot.rs", "use crate::step::Consent;", &[]),
    ] {
        assert_eq!(astray(file, text), expected, "{text}");
    }
}

#[test]
fn no_file_needs_a_table_of_contents() {
    for (file, text) in sources() {
        assert!(text.lines().count() <= 450, "{file} is too long; look for the second thing in it");
    }
}

/// The words in `text` that are meant for the writer's desk only: marks of unfinished work, and paths of one machine.
fn left_over(text: &str) -> Vec<String> {
    // In two parts, so that this file does not find itself.
    let marks = [["to", "do"], ["fix", "me"]].map(|parts| parts.concat());
    let places = ["work", "root", "tmp", "home"].map(|name| format!("/{name}/"));
    let lower = text.to_lowercase();
    let marks = marks
        .into_iter()
        .filter(|mark| lower.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == mark));
    marks.chain(places.into_iter().filter(|place| text.contains(place))).collect()
}

#[test]
fn nothing_is_left_over() {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    assert!(files.len() > 100);
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert_eq!(left_over(&text), [""; 0], "{}", file.display());
    }
    assert_eq!(left_over(&format!("// {}: later", ["TO", "DO"].concat())), [["to", "do"].concat()]);
    assert_eq!(left_over(&format!("open /{}/main", "work")), [format!("/{}/", "work")]);
    assert_eq!(left_over("a mastodon in the network/ today"), [""; 0]);
}

/// Tests that make machines which nobody writes down, and why.
const UNWRITTEN: [(&str, &str); 10] = [
    ("tests/attacks.rs", ONLY_MADE),
    ("tests/config.rs", ONLY_MADE),
    ("tests/consent.rs", ONLY_MADE),
    ("tests/planted.rs", ONLY_MADE),
    ("tests/policies.rs", ONLY_MADE),
    (
        "tests/explore/process.rs",
        "is copied at every fork of the way: `lines.rs` keeps what some were told, and replays it",
    ),
    ("tests/conformance/src/main.rs", "a program that the official suite runs"),
    ("tests/conformance/src/main_tests.rs", "parts of that program, which has no recorder"),
    ("tests/interop/src/over_reqwest.rs", "a program, against a real server"),
    ("tests/interop/src/over_ureq.rs", "a program, against a real server"),
];
const ONLY_MADE: &str = "whether it can be made is all that is asked; it is told nothing";

/// Every flow that a test drives comes again from what is written: a file that makes a machine has a recorder too, or the
/// client of a rig that has one.
#[test]
fn no_machine_of_a_test_is_unwritten() {
    let mut files = Vec::new();
    collect(&root(), &mut files);
    let (mut written, mut unwritten) = (0, BTreeSet::new());
    for file in files {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        if !path.split('/').any(|folder| folder == "tests") || !path.ends_with(".rs") {
            continue;
        }
        // A client of `reqwest` has no machine.
        let code = code(&fs::read_to_string(&file).unwrap()).replace("reqwest::Client::", "");
        let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
        if has(&["Authorizer::new(", "Authorizer::resume(", "Client::builder("]) {
            match has(&["Recorder::", "Recording::", ".record("]) {
                true => written += 1,
                false => drop(unwritten.insert(path)),
            }
        }
    }
    let listed = UNWRITTEN.map(|(path, _)| path.to_owned());
    assert_eq!(unwritten, BTreeSet::from(listed));
    assert!(written > 10, "{written}");
}

/// There are very many sessions, and most of them are idle. What few of them need is boxed.
#[test]
#[cfg(target_pointer_width = "64")]
fn an_idle_machine_is_small() {
    assert!(size_of::<mcp_auth::Authorizer>() <= 512);
}
