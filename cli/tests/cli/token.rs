//! `mcp-auth token`.

use mcp_auth_jose::Key;
use mcp_auth_testbed::{Dials, Dpop, Purpose, serve};
use serde_json::Value;

use crate::support::{Home, blocking, ends_with, now, result};

#[tokio::test(flavor = "multi_thread")]
async fn a_header_field_lets_another_program_in() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    let output = blocking(|| home.run(&["token", &url]));
    ends_with(&output, 0);
    let kept = home.credential()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(result(&output), format!("Authorization: Bearer {kept}\n"));
    assert!(output.stderr.is_empty(), "{output:?}");
    assert_eq!((served.world().count(Purpose::Refresh), home.opened().len()), (1, 1));

    let raw = blocking(|| home.run(&["token", "--raw", &url]));
    assert_eq!(result(&raw), format!("{kept}\n"));
    let shown: Value =
        serde_json::from_slice(&blocking(|| home.run(&["token", "--json", &url])).stdout).unwrap();
    assert_eq!((&shown["access_token"], &shown["token_type"]), (&kept.into(), &"Bearer".into()));
    assert!(shown["expires_at"].as_u64().unwrap() > now() + 3000);
    assert_eq!(shown["scope"], "files:read");
    assert_eq!(served.world().count(Purpose::Refresh), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_is_printed() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let output = blocking(|| Home::new().run(&["token", &url]));
    let said = ends_with(&output, 4);
    assert!(output.stdout.is_empty() && said.contains(&format!("mcp-auth login {url}")), "{said}");
    assert!(served.world().exchanges().is_empty());
    let home = blocking(|| Home::logged_in(&served, &[]));
    served.world().revoke_everything();
    home.expire(&served);
    let output = blocking(|| home.run(&["token", &url]));
    let said = ends_with(&output, 4);
    assert!(output.stdout.is_empty() && said.contains("is over, and cannot be renewed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_bound_to_a_key_is_not_given_out() {
    let served = serve(Dials { dpop: Some(Dpop::default()), ..Dials::default() }).await.unwrap();
    let url = served.server_url();
    let place = Home::new();
    let (_, pem) = Key::generate(mcp_auth::wire::jws::Algorithm::Es256).unwrap();
    let key = place.write("dpop.pem", pem.expose());
    let home = blocking(|| Home::logged_in(&served, &["--dpop-key", &key]));
    let output = blocking(|| home.run(&["token", &url]));
    let said = ends_with(&output, 1);
    assert!(
        output.stdout.is_empty() && said.contains("RFC 9449") && said.contains("mcp-auth call"),
        "{said}"
    );
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
}
