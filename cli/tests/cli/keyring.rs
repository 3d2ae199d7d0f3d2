//! `--store keyring`.

use std::process::Command;

use mcp_auth_testbed::{Dials, Purpose, serve};

use crate::recorded::ran;
use crate::support::{Home, blocking, ends_with, now, result};

/// The environment of a session in which no keyring can be found.
fn without(command: &mut Command, home: &Home) {
    command.env_remove("DISPLAY").env("XDG_RUNTIME_DIR", home.path("run"));
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.path("no-bus").display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keyring_nothing_is_kept_elsewhere() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let mut command = home.program();
    without(&mut command, &home);
    let output = blocking(|| ran(command.args(["login", "--store", "keyring", &url])));
    let said = ends_with(&output, 1);
    assert!(said.contains("keyring") && said.contains("--store file"), "{said}");
    assert!(home.opened().is_empty() && home.files("credentials", ".json").is_empty());
    assert!(served.world().exchanges().is_empty());
}

/// One session with a Secret Service: login, renewal, listing and logout, by processes of their own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dbus-run-session and gnome-keyring-daemon"]
async fn a_login_is_kept_in_the_keyring_and_found_there() {
    let served = serve(Dials { access_lifetime: 1, ..Dials::default() }).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    std::fs::create_dir(home.path("run")).unwrap();
    let script = r#"set -e
        printf %s 'a throw-away password' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
        "$0" login --store keyring "$1" >&2
        sleep 2
        "$0" call "$1" tools/list >&2
        "$0" status --json
        "$0" logout --all >&2
        "$0" status >&2 || echo "$?"
    "#;
    let mut command = Command::new("dbus-run-session");
    let own = home.program();
    command.args(["--", "sh", "-c", script, env!("CARGO_BIN_EXE_mcp-auth"), &url]);
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("XDG_RUNTIME_DIR", home.path("run"));
    let output = blocking(|| home.attended(&served, &mut command));
    let said = ends_with(&output, 0);
    assert!(said.contains("  kept in    the keyring\n"), "{said}");
    let shown = result(&output);
    assert!(shown.contains("\"store\":\"keyring\"") && shown.ends_with("\n4\n"), "{shown}");
    assert!(home.files("credentials", "").is_empty(), "nothing of it is in files");
    assert_eq!(served.world().count(Purpose::Refresh), 1);
    assert!(served.world().live_refresh_tokens(now()).is_empty(), "it was not revoked");
}
