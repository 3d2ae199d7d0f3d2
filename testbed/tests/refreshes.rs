//! Refresh tokens: every kind of rotation, what a server says of a dead one, and the account of what was used.

mod login;

use login::*;
use mcp_auth_testbed::{Dials, Fate, Purpose, Refresh, Rotation};
use serde_json::Value;

/// A world after a login, and what its client needs to go on.
struct Session {
    memory: Memory,
    found: Found,
    client: Client,
    first: String,
    access: String,
}

impl Session {
    fn new(dials: Dials) -> Self {
        let mut memory = Memory::new(dials);
        let url = memory.world.server_url();
        let (found, client, tokens) = login(&mut memory, &url, "files:read");
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let (first, access) = (text("refresh_token"), text("access_token"));
        Self { memory, found, client, first, access }
    }

    fn rotating(rotation: Rotation) -> Self {
        Self::new(Dials { rotation, ..Dials::default() })
    }

    fn refresh(&mut self, token: &str) -> Answer {
        refresh(&mut self.memory, &self.found, &self.client, token)
    }

    /// The next refresh token, or the error.
    fn next(&mut self, token: &str) -> Result<String, String> {
        let answer = self.refresh(token);
        let body = json_of(&answer);
        match body["refresh_token"].as_str() {
            Some(next) if answer.status() == 200 => Ok(next.to_owned()),
            _ => Err(error_of(&answer)),
        }
    }

    fn live(&self) -> Vec<String> {
        self.memory.world.live_refresh_tokens(self.memory.now)
    }

    fn serves(&mut self) -> bool {
        let url = self.memory.world.server_url();
        call_tool(&mut self.memory, &url, "echo", &self.access.clone()).status() == 200
    }
}

fn dead() -> Result<String, String> {
    Err("invalid_grant".to_owned())
}

#[test]
fn single_rotation_refuses_the_old_one_and_does_nothing_else() {
    let mut session = Session::rotating(Rotation::Single);
    let first = session.first.clone();
    let second = session.next(&first).unwrap();
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!(session.next(&first), dead());
    }
    assert!(session.serves());
    assert!(session.memory.world.exchanges().iter().all(|exchange| exchange.revoked.is_empty()));
    let third = session.next(&second).unwrap();
    assert_eq!(session.live(), [third]);
}

#[test]
fn time_grace_takes_old_ones_for_a_while_and_kills_nothing() {
    let mut session = Session::rotating(Rotation::TimeGrace(1800));
    let first = session.first.clone();
    let second = session.next(&first).unwrap();
    session.memory.now += 1000;
    let third = session.next(&first).unwrap();
    let fourth = session.next(&second).unwrap();
    let live = [&first, &second, &third, &fourth].map(String::clone);
    assert_eq!(session.live(), live);
    // The time runs from its first use, whatever came since.
    session.memory.now += 799;
    let fifth = session.next(&first).unwrap();
    assert_eq!(session.live().last(), Some(&fifth));
    session.memory.now += 1;
    assert_eq!(session.live(), [&second, &third, &fourth, &fifth].map(String::clone));
    assert!(session.serves());
    assert_eq!(session.next(&first), dead());
    for token in [second, third, fourth, fifth] {
        assert_eq!(session.next(&token), dead());
    }
    assert!(!session.serves() && session.live().is_empty());
}

#[test]
fn time_grace_leaves_every_branch_alone() {
    let mut session = Session::rotating(Rotation::TimeGrace(1800));
    let first = session.first.clone();
    let second = session.next(&first).unwrap();
    let third = session.next(&first).unwrap();
    // The clock of a token starts with its own use, not with that of another.
    session.memory.now += 100_000;
    assert_eq!(session.live(), [second.as_str(), third.as_str()]);
    let fourth = session.next(&second).unwrap();
    let fifth = session.next(&third).unwrap();
    session.memory.now += 1800;
    assert_eq!(session.live(), [fourth, fifth]);
}

#[test]
fn strict_rotation_says_what_a_reuse_has_revoked() {
    let mut session = Session::rotating(Rotation::Strict);
    let first = session.first.clone();
    let second = session.next(&first).unwrap();
    let renewed = session.memory.world.exchanges().last().unwrap();
    assert!(renewed.revoked.is_empty());
    assert_eq!(session.next(&first), dead());
    let reused = session.memory.world.exchanges().last().unwrap();
    assert_eq!(reused.revoked.first(), Some(&second));
    assert_eq!(reused.revoked.len(), 3, "and two access tokens");
    assert!(reused.revoked.contains(&session.access));
    assert_eq!(session.next(&second), dead());
    assert!(session.memory.world.exchanges().last().unwrap().revoked.is_empty(), "it was dead before");
}

#[test]
fn reuse_is_of_the_whole_text() {
    for rotation in [Rotation::Strict, Rotation::Single, Rotation::Grace, Rotation::TimeGrace(0)] {
        let mut session = Session::rotating(rotation);
        let first = session.first.clone();
        let second = session.next(&first).unwrap();
        let (start, last) = first.split_at(first.len() - 1);
        let other = if last == "A" { "B" } else { "A" };
        let alike = [
            format!("{first} "),
            format!(" {first}"),
            format!("{first}\n"),
            format!("{first}="),
            format!("{start}{other}"),
            first.to_uppercase(),
            start.to_owned(),
        ];
        for text in alike {
            assert_eq!(session.next(&text), dead(), "{rotation:?} {text:?}");
        }
        assert!(session.serves(), "{rotation:?}");
        assert!(session.next(&second).is_ok(), "{rotation:?}");
    }
}

#[test]
fn what_is_live_by_rotation() {
    for (rotation, old_lives) in [
        (Rotation::Single, false),
        (Rotation::Strict, false),
        (Rotation::Grace, true),
        (Rotation::TimeGrace(60), true),
        (Rotation::TimeGrace(0), false),
    ] {
        let mut session = Session::rotating(rotation);
        let first = session.first.clone();
        assert_eq!(session.live(), [first.as_str()]);
        let second = session.next(&first).unwrap();
        assert_eq!(session.live(), if old_lives { vec![first.clone(), second] } else { vec![second] });
        // Alive is what is accepted, and nothing else.
        assert_eq!(session.next(&first).is_ok(), old_lives, "{rotation:?}");
    }
    for rotation in [Rotation::None, Rotation::Repeated] {
        let mut session = Session::rotating(rotation);
        let first = session.first.clone();
        assert_eq!(session.refresh(&first).status(), 200);
        assert_eq!(session.live(), [first.as_str()]);
        let next = Fate::Accepted { next: first };
        assert_eq!(session.memory.world.refreshes().last().unwrap().fate, next);
    }
}

#[test]
fn nothing_is_live_after_its_end() {
    let lived = |end: fn(&mut Session)| {
        let mut session = Session::new(Dials { refresh_lifetime: Some(100), ..Dials::default() });
        assert_eq!(session.live().len(), 1);
        end(&mut session);
        session.live()
    };
    assert!(lived(|session| session.memory.now += 100).is_empty());
    assert!(lived(|session| session.memory.world.revoke_everything()).is_empty());
    assert!(lived(|session| session.memory.world.purge_clients()).is_empty());
    assert_eq!(lived(|session| session.memory.world.expire_access_tokens()).len(), 1);
}

#[test]
fn each_use_is_accounted_for() {
    let mut session = Session::rotating(Rotation::Single);
    assert!(session.memory.world.refreshes().is_empty(), "a login uses none");
    let first = session.first.clone();
    let second = session.next(&first).unwrap();
    session.memory.now += 5;
    session.next(&first).unwrap_err();
    let stranger = Client { id: "stranger".into(), ..session.client.clone() };
    assert_eq!(refresh(&mut session.memory, &session.found, &stranger, &second).status(), 401);
    let third = session.next(&second).unwrap();
    session.memory.world.clear_exchanges();
    let use_of = |token: &str, at, fate| Refresh {
        authorization_server: 0,
        at,
        token: token.to_owned(),
        fate,
        answered: true,
    };
    let expected = [
        use_of(&first, NOW, Fate::Accepted { next: second.clone() }),
        use_of(&first, NOW + 5, Fate::Refused("invalid_grant".into())),
        use_of(&second, NOW + 5, Fate::Refused("invalid_client".into())),
        use_of(&second, NOW + 5, Fate::Accepted { next: third.clone() }),
    ];
    assert_eq!(session.memory.world.refreshes(), expected);
    let accepted = session.memory.world.refreshes().iter().filter(|refresh| refresh.accepted());
    assert_eq!(accepted.count(), 2);
    assert_eq!(session.live(), [third]);
}

#[test]
fn what_servers_say_of_a_dead_one() {
    let spellings = [
        (400, "invalid_grant", Some("Grant not found")),
        (401, "invalid_grant", None),
        (400, "invalid_request", None),
        (401, "invalid_request", None),
        (400, "unauthorized_client", Some("refresh_token is invalid")),
        (403, "unauthorized_client", None),
        (400, "token_expired", None),
        (200, "bad_refresh_token", Some("The refresh token passed is incorrect or expired.")),
        (200, "invalid_grant", None),
    ];
    for (status, error, description) in spellings {
        let mut session = Session::new(Dials {
            dead_refresh_error: error.to_owned(),
            dead_refresh_status: status,
            dead_refresh_description: description.map(str::to_owned),
            ..Dials::default()
        });
        session.memory.world.revoke_everything();
        let answer = session.refresh(&session.first.clone());
        let body = json_of(&answer);
        assert_eq!((answer.status().as_u16(), body["error"].as_str()), (status, Some(error)));
        let said = &body["error_description"];
        assert!(description.is_none_or(|description| said == description), "{said}");
        assert_eq!(body["access_token"], Value::Null);
        let fate = &session.memory.world.refreshes().last().unwrap().fate;
        assert_eq!(*fate, Fate::Refused(error.to_owned()));
    }
    // What is wrong otherwise keeps its own name.
    let mut session = Session::new(Dials {
        dead_refresh_error: "bad_refresh_token".into(),
        dead_refresh_status: 200,
        ..Dials::default()
    });
    session.found.resource = "https://other.example".into();
    let answer = session.refresh(&session.first.clone());
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (400, "invalid_target"));
    assert_eq!(session.live().len(), 1);
}

#[test]
fn a_token_endpoint_moves() {
    for status in [404, 410] {
        let mut session = Session::new(Dials::default());
        let first = session.first.clone();
        session.memory.world.move_token_endpoint(status);
        assert_eq!(session.refresh(&first).status(), status);
        assert_eq!(session.memory.world.count(Purpose::Refresh), 1);
        assert_eq!(session.memory.world.refreshes().last().unwrap().fate, Fate::Unseen);
        assert_eq!(session.live(), [first.as_str()]);
        let old = session.found.endpoint("token_endpoint");
        let url = session.memory.world.server_url();
        session.found = discover(&mut session.memory, &url);
        assert_ne!(session.found.endpoint("token_endpoint"), old);
        let second = session.next(&first).unwrap();
        assert_eq!(session.live(), [second]);
        let code = code(&mut session.memory, &session.found, &session.client, "");
        let answer = redeem(&mut session.memory, &session.found, &session.client, &code, &[]);
        assert_eq!(answer.status(), 200);
    }
}
