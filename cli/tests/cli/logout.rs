//! `mcp-auth logout`.

use mcp_auth_testbed::{Dials, Fault, Purpose, Trouble, serve};

use crate::support::{Home, blocking, ends_with, now};

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_revokes_and_forgets() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let said = ends_with(&blocking(|| home.run(&["logout", &url])), 0);
    assert_eq!(said, format!("Logged out of {url}.\n"));
    assert_eq!(served.world().count(Purpose::Revoke), 2);
    assert!(served.world().live_refresh_tokens(now()).is_empty());
    assert!(home.files("credentials", ".json").is_empty() && home.files("logins", ".json").is_empty());
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 4);
    let said = ends_with(&blocking(|| home.run(&["logout", &url])), 0);
    assert!(said.contains("You are not logged in at"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_alone_asks_nobody_and_says_what_is_left() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let said = ends_with(&home.run(&["logout", "--forget-only", &url]), 0);
    assert!(said.contains("Its tokens are good till they expire"), "{said}");
    assert_eq!((served.world().count(Purpose::Revoke), home.files("credentials", ".json").len()), (0, 0));
    assert_eq!(served.world().live_refresh_tokens(now()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_revoked_is_said_with_what_to_do() {
    let faults =
        (1..=9).map(|nth| Fault { purpose: Purpose::Revoke, nth, what: Trouble::Status(503) }).collect();
    let served = serve(Dials { faults, ..Dials::default() }).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let said = ends_with(&blocking(|| home.run(&["logout", &url])), 1);
    assert!(said.contains("logged out") && said.contains("the refresh token was not revoked"), "{said}");
    assert!(said.contains("in the settings of your account there"), "{said}");
    assert!(home.files("credentials", ".json").is_empty() && home.files("logins", ".json").is_empty());

    let served = serve(Dials { revocation: false, ..Dials::default() }).await.unwrap();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let said = ends_with(&blocking(|| home.run(&["logout", &served.server_url()])), 0);
    assert!(said.contains("revokes no tokens: they are good till they expire"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_logged_out_with_one_word() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let other = serve(Dials::default()).await.unwrap();
    blocking(|| {
        ends_with(&home.run_with_person(&served, &["login", &url, "--account", "it's mine"]), 0);
        ends_with(&home.run_with_person(&other, &["login", &other.server_url()]), 0);
    });
    assert_eq!(home.files("credentials", ".json").len(), 3);
    let said = ends_with(&blocking(|| home.run(&["logout", "--all"])), 0);
    assert_eq!(said.matches("Logged out of").count(), 3, "{said}");
    assert!(home.files("credentials", ".json").is_empty() && home.files("logins", ".json").is_empty());
    assert!(served.world().live_refresh_tokens(now()).is_empty());
    assert!(other.world().live_refresh_tokens(now()).is_empty());
    let said = ends_with(&home.run(&["logout", "--all"]), 0);
    assert_eq!(said, "Nothing is kept.\n");
    ends_with(&home.run(&["logout"]), 2);
}
