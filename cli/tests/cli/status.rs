//! `mcp-auth status`.

use mcp_auth_testbed::{Dials, serve};
use serde_json::Value;

use crate::support::{Home, blocking, ends_with, result};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_shown_without_asking_anybody() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    blocking(|| ends_with(&home.run_with_person(&served, &["login", &url, "--account", "work"]), 0));
    let before = served.world().exchanges().len();
    let output = home.run(&["status"]);
    ends_with(&output, 0);
    let shown = result(&output);
    for expected in [
        &format!("{url}\n  state      logged in\n"),
        &format!("{url}\n  account    work\n  state      logged in\n"),
        &format!("  issuer     {}\n", served.world().issuer(0)),
        " (registered by itself)\n",
        "  scopes     files:read\n",
        "  expires    in ",
        "  renewable  yes\n",
        "  kept in    files in ",
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing in\n{shown}");
    }
    let output = home.run(&["status", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["account"], &listed[1]["account"]), (&Value::Null, &"work".into()));
    assert_eq!((&listed[0]["state"], &listed[0]["usable"]), (&"live".into(), &true.into()));
    assert_eq!((&listed[0]["renewable"], &listed[0]["store"]), (&true.into(), &"file".into()));
    assert!(listed[0]["expires_at"].is_u64() && listed[0]["expires"].as_str().unwrap().ends_with('Z'));
    let output = home.run(&["status", "--account", "work"]);
    assert_eq!(result(&output).matches(&url).count(), 1);
    assert_eq!(served.world().exchanges().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_tells_whether_it_can_be_used() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = Home::new();
    let said = ends_with(&home.run(&["status"]), 4);
    assert!(said.contains("not logged in anywhere"), "{said}");
    let output = home.run(&["status", "--json"]);
    ends_with(&output, 4);
    assert_eq!(result(&output), "[]\n");
    let said = ends_with(&home.run(&["status", &url]), 4);
    assert!(said.contains(&format!("mcp-auth login {url}")), "{said}");
    assert!(!home.path("state").exists(), "looking creates nothing");

    let home = blocking(|| Home::logged_in(&served, &[]));
    ends_with(&home.run(&["status", &url]), 0);
    home.expire(&served);
    let said = ends_with(&home.run(&["status", &url]), 0);
    assert!(said.contains("is renewed when it is next needed") && said.contains(" ago ("), "{said}");
    home.change(|it| it["refresh_token"] = Value::Null);
    for args in [vec!["status", &url], vec!["status"]] {
        let said = ends_with(&home.run(&args), 4);
        assert!(said.contains("cannot be renewed") && said.contains("mcp-auth login"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_the_server_and_renews() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    let said = ends_with(&blocking(|| home.run(&["status", "--check", &url])), 0);
    assert!(said.contains("The server takes the token.") && said.contains("logged in\n"), "{said}");
    served.world().revoke_everything();
    let said = ends_with(&blocking(|| home.run(&["status", "--check", &url])), 4);
    assert!(said.contains("mcp-auth login"), "{said}");
    ends_with(&home.run(&["status", "--check"]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_named_and_left_alone() {
    let served = serve(Dials::default()).await.unwrap();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let record = home.record();
    let stray = record.with_file_name("stray.json");
    std::fs::write(&stray, "{\"format\":1,\"key\":").unwrap();
    let output = home.run(&["status"]);
    let said = ends_with(&output, 1);
    assert!(said.contains("stray.json") && result(&output).contains("logged in"), "{said}");
    assert!(stray.exists());
    // What was said at the login is beside it, and can be broken too.
    std::fs::remove_file(&stray).unwrap();
    let login = home.files("logins", ".json").remove(0);
    std::fs::write(&login, "{").unwrap();
    let said = ends_with(&home.run(&["status"]), 1);
    assert!(said.contains(login.to_str().unwrap()) && said.contains("delete it"), "{said}");
}
