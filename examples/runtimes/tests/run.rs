//! Runs each program against the testbed's servers.

use std::process::Command;

use mcp_auth_testbed::{Dials, Purpose, serve};

fn run(program: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(serve(Dials::default())).unwrap();
    let output = Command::new(program).arg(served.server_url()).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    println!("{said}");
    assert!(said.contains("echo: 200 OK hello") && said.contains("write_file: 200 OK"), "{said}");
    // The login, and the step-up.
    assert_eq!(served.world().count(Purpose::Authorize), 2);
    let output = Command::new(program).arg("http://192.0.2.2/mcp").output().unwrap();
    assert!(!output.status.success(), "a token would have left this machine in clear");
}

#[test]
fn on_threads() {
    run(env!("CARGO_BIN_EXE_on-threads"));
}

#[test]
fn on_smol() {
    run(env!("CARGO_BIN_EXE_on-smol"));
}

#[test]
fn on_tokio() {
    run(env!("CARGO_BIN_EXE_on-tokio"));
}
