//! The house keeps its shape: what the core depends on, what it may touch, and which way its arrows run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the crates that `package` needs to be built, with its default features and without what only tests
/// need.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["id"]), text(&it["name"])))
        .collect();
    let nodes: BTreeMap<_, _> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|it| (text(&it["id"]), it)).collect();
    let mut left: Vec<_> =
        names.iter().filter(|(_, name)| *name == package).map(|(id, _)| id.clone()).collect();
    assert_eq!(left.len(), 1, "there is one {package}");
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in nodes[&id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].as_str() != Some("dev")) {
                left.push(text(&dependency["pkg"]));
            }
        }
    }
    seen.iter().map(|id| names[id].clone()).filter(|name| name != package).collect()
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
fn the_adapter_has_one_tls_stack() {
    let tree = tree("mcp-auth-reqwest");
    println!("mcp-auth-reqwest needs {} crates", tree.len());
    assert!(tree.contains("ring"));
    for name in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"] {
        assert!(!tree.contains(name), "the adapter depends on {name}");
    }
}

/// Every source file of the core, with its path below `src/`. Unit tests are left out.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let shown =
        |path: &Path| path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().replace('\\', "/");
    let own = |text: String| text.split("#[cfg(test)]").next().unwrap().to_owned();
    let mut sources: Vec<_> =
        files.iter().map(|path| (shown(path), own(fs::read_to_string(path).unwrap()))).collect();
    sources.sort();
    assert!(sources.len() > 30);
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// What would make a run depend on more than configuration, seed and events.
fn impurities(text: &str) -> Vec<&'static str> {
    let banned = [
        "SystemTime",
        "Instant",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "std::io",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "static mut",
        "thread_local",
        "HashMap",
        "HashSet",
        "println!",
        "eprintln!",
        "dbg!",
    ];
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    banned.into_iter().filter(|word| code.iter().any(|line| line.contains(word))).collect()
}

#[test]
fn the_core_touches_nothing_outside_itself() {
    for (file, text) in sources() {
        assert_eq!(impurities(&text), [""; 0], "{file}");
    }
    assert_eq!(impurities("let now = SystemTime::now();"), ["SystemTime"]);
    assert_eq!(impurities("// SystemTime is not used"), [""; 0]);
}

/// The floors from the ground up. A file may name its own floor and those below.
fn floor(path: &str) -> u8 {
    match path.split(['/', ':']).next().unwrap_or_default().trim_end_matches(".rs") {
        "base" => 0,
        "wire" => 1,
        "policy" | "credential" | "config" | "trail" | "failure" | "outcome" | "event" | "action" => 2,
        "step" => 3,
        "snapshot" => 4,
        "authorizer" => 5,
        "watch" => 6,
        "lib" => 7,
        other => panic!("{other} has no floor; give it one"),
    }
}

/// The arrows of one file that run upwards: line and target.
fn upward(file: &str, text: &str) -> Vec<String> {
    let mut arrows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (place, _) in line.match_indices("crate::") {
            let target: String = line[place + "crate::".len()..]
                .chars()
                .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
                .collect();
            if !target.is_empty() && floor(&target) > floor(file) {
                arrows.push(format!("{file}:{} names {target}", number + 1));
            }
        }
    }
    arrows
}

#[test]
fn arrows_run_one_way() {
    for (file, text) in sources() {
        assert_eq!(upward(&file, &text), [""; 0]);
    }
    // A document that knows a step, and a step that knows the machine, would be seen.
    assert_eq!(upward("wire/token.rs", "\nuse crate::step::World;"), ["wire/token.rs:2 names step"]);
    assert_eq!(
        upward("step/save.rs", "let x = crate::authorizer::y();"),
        ["step/save.rs:1 names authorizer"]
    );
    assert_eq!(upward("step/save.rs", "use crate::wire::token::Grant;"), [""; 0]);
}

#[test]
fn no_file_needs_a_table_of_contents() {
    for (file, text) in sources() {
        assert!(text.lines().count() <= 450, "{file} is too long; look for the second thing in it");
    }
}
