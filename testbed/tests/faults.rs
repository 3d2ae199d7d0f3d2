//! What goes wrong on the way: at which request, before its effect or after, and when to come back.

mod login;

use login::*;
use mcp_auth_testbed::{Dials, Dropped, Exchange, Fate, Fault, Purpose, Rotation, Trouble};

const PATH_FORM: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

fn with(purpose: Purpose, nth: u32, what: Trouble) -> Memory {
    let faults = vec![Fault { purpose, nth, what }];
    Memory::new(Dials { faults, rotation: Rotation::Single, ..Dials::default() })
}

/// A login, and the refresh token that it gave.
fn logged_in(memory: &mut Memory) -> (Found, Client, String) {
    let url = memory.world.server_url();
    let (found, client, tokens) = login(memory, &url, "");
    (found, client, tokens["refresh_token"].as_str().unwrap().to_owned())
}

#[test]
fn code_exchanges_and_refreshes_are_counted_apart() {
    let mut memory = with(Purpose::Refresh, 2, Trouble::Status(503));
    let (found, client, mut token) = logged_in(&mut memory);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = refresh(&mut memory, &found, &client, &token);
        statuses.push(answer.status().as_u16());
        if let Some(next) = json_of(&answer)["refresh_token"].as_str() {
            token = next.to_owned();
        }
        let code = code(&mut memory, &found, &client, "");
        assert_eq!(redeem(&mut memory, &found, &client, &code, &[]).status(), 200);
    }
    assert_eq!(statuses, [200, 503, 200]);
    let count = |purpose| memory.world.count(purpose);
    assert_eq!((count(Purpose::Token), count(Purpose::CodeExchange), count(Purpose::Refresh)), (7, 4, 3));
    let token_requests = |exchange: &&Exchange| exchange.purpose == Purpose::Token;
    assert_eq!(memory.world.exchanges().iter().filter(token_requests).count(), 7);

    let mut memory = with(Purpose::CodeExchange, 2, Trouble::Status(503));
    let (found, client, token) = logged_in(&mut memory);
    assert_eq!(refresh(&mut memory, &found, &client, &token).status(), 200);
    let code = code(&mut memory, &found, &client, "");
    assert_eq!(redeem(&mut memory, &found, &client, &code, &[]).status(), 503);
    assert_eq!(redeem(&mut memory, &found, &client, &code, &[]).status(), 200);
}

#[test]
fn every_token_request_counts_as_one() {
    let mut memory = with(Purpose::Token, 3, Trouble::Status(500));
    let (found, client, token) = logged_in(&mut memory);
    assert_eq!(refresh(&mut memory, &found, &client, "unknown").status(), 400);
    assert_eq!(refresh(&mut memory, &found, &client, &token).status(), 500);
    assert_eq!(refresh(&mut memory, &found, &client, &token).status(), 200);
    let form = [("grant_type", "password")];
    let answer = post_form(&mut memory, &found.endpoint("token_endpoint"), &client, &form);
    assert_eq!(error_of(&answer), "unsupported_grant_type");
    assert_eq!((memory.world.count(Purpose::Token), memory.world.count(Purpose::Refresh)), (5, 3));
}

#[test]
fn when_to_come_back() {
    // NOW is 2027-01-15 08:00:00.
    let cases = [
        (Trouble::RetryAfter(429, 7), 429, "7"),
        (Trouble::RetryAfter(503, 120), 503, "120"),
        (Trouble::RetryAfterDate(429, 90), 429, "Fri, 15 Jan 2027 08:01:30 GMT"),
        (Trouble::RetryAfterDate(503, 0), 503, "Fri, 15 Jan 2027 08:00:00 GMT"),
        (Trouble::RetryAfterText(503, "soon".into()), 503, "soon"),
        (
            Trouble::RetryAfterText(429, "Sun, 06 Nov 1994 08:49:37 GMT".into()),
            429,
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
    ];
    for (what, status, when) in cases {
        let mut memory = with(Purpose::Refresh, 1, what.clone());
        let (found, client, token) = logged_in(&mut memory);
        let answer = refresh(&mut memory, &found, &client, &token);
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (status, &when.parse().unwrap())
        );
        assert_eq!(memory.world.refreshes().last().unwrap().fate, Fate::Unseen, "{what:?}");
        assert_eq!(refresh(&mut memory, &found, &client, &token).status(), 200, "{what:?}");
    }
}

#[test]
fn lost_before_and_lost_after() {
    let before = [
        Trouble::Drop,
        Trouble::Status(502),
        Trouble::Status(504),
        Trouble::RetryAfter(503, 1),
        Trouble::Html,
        Trouble::Empty,
    ];
    let after = [
        Trouble::DropAfter,
        Trouble::StatusAfter(502),
        Trouble::StatusAfter(504),
        Trouble::Truncated,
        Trouble::CutOff,
        Trouble::Oversized(1 << 20),
    ];
    for (what, processed) in before.map(|it| (it, false)).into_iter().chain(after.map(|it| (it, true))) {
        let mut memory = with(Purpose::Refresh, 1, what.clone());
        let (found, client, token) = logged_in(&mut memory);
        let now = memory.now;
        let answer = refresh(&mut memory, &found, &client, &token);
        let spoilt = json_of(&answer)["refresh_token"].is_null() || answer.body().len() > 1 << 19;
        assert!(spoilt, "{what:?}");
        let used = memory.world.refreshes().last().unwrap();
        assert_eq!((&used.token, used.accepted(), used.answered), (&token, processed, false), "{what:?}");
        let live = memory.world.live_refresh_tokens(now);
        match &used.fate {
            Fate::Accepted { next } => assert_eq!(live, [next.as_str()], "{what:?}"),
            fate => assert_eq!((fate, live), (&Fate::Unseen, vec![token.clone()]), "{what:?}"),
        }
        let again = refresh(&mut memory, &found, &client, &token);
        assert_eq!(again.status() == 200, !processed, "{what:?}");
        assert!(memory.world.refreshes().last().unwrap().answered);
    }
}

#[test]
fn a_connection_closed_within_the_answer() {
    let mut memory = with(Purpose::Refresh, 1, Trouble::CutOff);
    let (found, client, token) = logged_in(&mut memory);
    let answer = refresh(&mut memory, &found, &client, &token);
    assert_eq!(answer.extensions().get::<Dropped>(), Some(&Dropped));
    let whole: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(answer.body().len(), whole / 2);
    assert_eq!(memory.world.exchanges().last().unwrap().status, 200);
    // A redirect or an empty answer has no halfway: the connection closes without it.
    let fault = Fault { purpose: Purpose::Revoke, nth: 0, what: Trouble::CutOff };
    memory.world.dials_mut().faults = vec![fault];
    let endpoint = found.endpoint("revocation_endpoint");
    assert_eq!(post_form(&mut memory, &endpoint, &client, &[("token", "unknown")]).status(), 502);
    assert_eq!(memory.world.exchanges().last().unwrap().status, 0);
}

#[test]
fn faults_hit_the_request_they_are_for() {
    let cases: [(Trouble, u16, usize); 7] = [
        (Trouble::Status(503), 503, 23),
        (Trouble::RetryAfter(429, 7), 429, 16),
        (Trouble::Empty, 200, 0),
        (Trouble::Answer(200, "application/json", b"[]".to_vec()), 200, 2),
        (Trouble::Oversized(70_000), 200, 70_000),
        (Trouble::RedirectTo("https://evil.example/".into()), 307, 23),
        (Trouble::StatusAfter(500), 500, 23),
    ];
    for (what, expected, length) in cases {
        let fault = Fault { purpose: Purpose::ResourceMetadata, nth: 2, what: what.clone() };
        let mut memory = Memory::new(Dials { faults: vec![fault], ..Dials::default() });
        assert_eq!(get(&mut memory, PATH_FORM).status(), 200);
        let answer = get(&mut memory, PATH_FORM);
        assert_eq!((answer.status().as_u16(), answer.body().len()), (expected, length), "{what:?}");
        assert_eq!(get(&mut memory, PATH_FORM).status(), 200);
    }
    let fault = |what| Fault { purpose: Purpose::ResourceMetadata, nth: 0, what };
    let mut memory = Memory::new(Dials { faults: vec![fault(Trouble::Truncated)], ..Dials::default() });
    let cut = get(&mut memory, PATH_FORM);
    assert!(!cut.body().is_empty() && json_of(&cut).is_null());
    memory.world.dials_mut().faults = vec![fault(Trouble::Html)];
    assert!(get(&mut memory, PATH_FORM).body().starts_with(b"<!DOCTYPE"));
    memory.world.dials_mut().faults = vec![fault(Trouble::Drop)];
    let dropped = get(&mut memory, PATH_FORM);
    assert_eq!(dropped.extensions().get::<Dropped>(), Some(&Dropped));
    assert_eq!(memory.world.exchanges().last().unwrap().status, 0);
}

#[test]
fn an_answer_lost_on_the_way_has_had_its_effect() {
    for (what, taken) in
        [(Trouble::Drop, false), (Trouble::DropAfter, true), (Trouble::StatusAfter(502), true)]
    {
        let fault = Fault { purpose: Purpose::Token, nth: 2, what };
        let mut memory = Memory::new(Dials { faults: vec![fault], ..Dials::default() });
        let url = memory.world.server_url();
        let (found, client, tokens) = login(&mut memory, &url, "");
        let token = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(refresh(&mut memory, &found, &client, token).status(), 502);
        // Rotated behind the client's back: the same token again looks like theft.
        assert_eq!(refresh(&mut memory, &found, &client, token).status() == 200, !taken);
    }
}
