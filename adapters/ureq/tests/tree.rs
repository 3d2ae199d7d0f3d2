//! What is linked: no async runtime, one TLS stack, and little else.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What a command says. It must succeed.
fn said(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the crates that this one needs to be built on this machine, and of those that its tests need too.
fn tree(with_tests: bool) -> BTreeSet<String> {
    // Crates for other platforms need not be at hand without a network.
    let version = said(&std::env::var("RUSTC").unwrap_or("rustc".to_owned()), &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&said(env!("CARGO"), &arguments)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let packages = list(&metadata["packages"]);
    let names: BTreeMap<_, _> = packages.iter().map(|it| (text(&it["id"]), text(&it["name"]))).collect();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let nodes: BTreeMap<_, _> = nodes.into_iter().map(|it| (text(&it["id"]), it)).collect();
    let own = names.iter().find(|(_, name)| *name == env!("CARGO_PKG_NAME")).unwrap().0.clone();
    let (mut left, mut seen) = (vec![own.clone()], BTreeSet::new());
    while let Some(id) = left.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in list(&nodes[&id]["deps"]) {
            let dev = list(&dependency["dep_kinds"]).iter().all(|kind| kind["kind"].as_str() == Some("dev"));
            if !dev || (with_tests && id == own) {
                left.push(text(&dependency["pkg"]));
            }
        }
    }
    seen.remove(&own);
    seen.iter().map(|id| names[id].clone()).collect()
}

#[test]
fn there_is_no_async_runtime_and_one_tls_stack() {
    let linked = tree(false);
    println!("{} needs {} crates: {linked:?}", env!("CARGO_PKG_NAME"), linked.len());
    // Sixty are the core's.
    assert!(linked.len() < 90, "{}", linked.len());
    for name in ["async-io", "async-std", "futures-executor", "hyper", "mio", "reqwest", "smol", "tokio"] {
        assert!(!linked.contains(name), "{name} is linked");
    }
    for name in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"] {
        assert!(!linked.contains(name), "{name} is linked");
    }
    for name in ["ring", "rustls-platform-verifier", "ureq"] {
        assert!(linked.contains(name), "{name} is not linked");
    }
    // The lists can fail.
    assert!(tree(true).contains("tokio") && tree(true).contains("hyper"));
}
