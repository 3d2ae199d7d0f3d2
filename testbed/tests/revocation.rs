//! Revocation (RFC 7009): what is revoked, for whom, and when it is not.

mod login;

use login::*;
use mcp_auth_testbed::{Dials, Fault, Purpose, Revokes, Trouble};
use serde_json::{Value, json};

struct Session {
    memory: Memory,
    found: Found,
    client: Client,
    refresh: String,
    access: String,
}

impl Session {
    fn new(dials: Dials) -> Self {
        let mut memory = Memory::new(dials);
        let url = memory.world.server_url();
        let (found, client, tokens) = login(&mut memory, &url, "files:read");
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let (refresh, access) = (text("refresh_token"), text("access_token"));
        Self { memory, found, client, refresh, access }
    }

    fn revoke(&mut self, token: &str) -> Answer {
        let endpoint = self.found.endpoint("revocation_endpoint");
        post_form(&mut self.memory, &endpoint, &self.client, &[("token", token)])
    }

    /// Whether the access token serves, and whether the refresh token lives.
    fn lives(&mut self) -> (bool, bool) {
        let url = self.memory.world.server_url();
        let serves = call_tool(&mut self.memory, &url, "echo", &self.access).status() == 200;
        (serves, self.memory.world.live_refresh_tokens(self.memory.now).contains(&self.refresh))
    }

    fn revoked(&self) -> Vec<String> {
        self.memory.world.exchanges().last().unwrap().revoked.clone()
    }
}

#[test]
fn what_a_revocation_takes_with_it() {
    // The dial; whether access and refresh token live on after the refresh token was revoked, and after the access
    // token was.
    let cases = [
        (Revokes::RefreshTokenWithGrant, (false, false), (false, true)),
        (Revokes::Named, (true, false), (false, true)),
        (Revokes::Grant, (false, false), (false, false)),
    ];
    for (revokes, after_refresh, after_access) in cases {
        for (named, expected) in [("refresh", after_refresh), ("access", after_access)] {
            let mut session = Session::new(Dials { revokes, ..Dials::default() });
            let token = if named == "refresh" { session.refresh.clone() } else { session.access.clone() };
            assert_eq!(session.revoke(&token).status(), 200);
            let mut ended = Vec::new();
            ended.extend((!expected.1).then(|| session.refresh.clone()));
            ended.extend((!expected.0).then(|| session.access.clone()));
            assert_eq!(session.revoked(), ended, "{revokes:?} {named}");
            assert_eq!(session.revoke(&token).status(), 200);
            assert!(session.revoked().is_empty(), "what is dead is not revoked again");
            assert_eq!(session.lives(), expected, "{revokes:?} {named}");
            let again = refresh(&mut session.memory, &session.found, &session.client, &session.refresh);
            assert_eq!(again.status() == 200, expected.1, "{revokes:?} {named}");
        }
    }
}

#[test]
fn what_had_ended_before_is_not_revoked() {
    for revokes in [Revokes::RefreshTokenWithGrant, Revokes::Named, Revokes::Grant] {
        let mut session = Session::new(Dials { revokes, refresh_lifetime: Some(7200), ..Dials::default() });
        let (refresh, access) = (session.refresh.clone(), session.access.clone());
        session.memory.now += 3600;
        let mut expired = session.memory.world.clone();
        assert_eq!(session.revoke(&access).status(), 200);
        let with_access = if revokes == Revokes::Grant { vec![refresh.clone()] } else { Vec::new() };
        assert_eq!(session.revoked(), with_access, "{revokes:?}");
        std::mem::swap(&mut session.memory.world, &mut expired);
        assert_eq!(session.revoke(&refresh).status(), 200);
        assert_eq!(session.revoked(), [refresh.as_str()], "{revokes:?}");

        let mut session = Session::new(Dials { revokes, refresh_lifetime: Some(7200), ..Dials::default() });
        let refresh = session.refresh.clone();
        session.memory.now += 7200;
        assert_eq!(session.revoke(&refresh).status(), 200);
        assert!(session.revoked().is_empty(), "{revokes:?}");
    }
}

#[test]
fn nobody_revokes_for_another_or_what_is_unknown() {
    let mut session = Session::new(Dials::default());
    let (own, token) = (session.client.clone(), session.refresh.clone());
    session.client = register(&mut session.memory, &session.found, "none");
    assert_eq!(session.revoke(&token).status(), 200);
    session.client = own;
    assert_eq!(session.revoke("unknown").status(), 200);
    assert!(session.revoked().is_empty());
    assert_eq!(session.lives(), (true, true));
}

#[test]
fn no_endpoint_and_one_that_is_overloaded() {
    let session = Session::new(Dials { revocation: false, ..Dials::default() });
    assert_eq!(session.found.server["revocation_endpoint"], Value::Null);

    let what = Trouble::RetryAfter(503, 30);
    let mut session = Session::new(Dials {
        faults: vec![Fault { purpose: Purpose::Revoke, nth: 1, what }],
        ..Dials::default()
    });
    let token = session.refresh.clone();
    let answer = session.revoke(&token);
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"30".parse().unwrap()));
    assert!(session.revoked().is_empty());
    assert_eq!(session.lives(), (true, true));
    assert_eq!(session.revoke(&token).status(), 200);
    assert_eq!(session.lives(), (false, false));
}

#[test]
fn access_tokens_may_not_be_revocable() {
    let mut session = Session::new(Dials { revocation_refuses_access: true, ..Dials::default() });
    let (refresh, access) = (session.refresh.clone(), session.access.clone());
    let answer = session.revoke(&access);
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (400, "unsupported_token_type"));
    assert_eq!(session.lives(), (true, true));
    assert_eq!(session.revoke("unknown").status(), 200);
    assert_eq!(session.revoke(&refresh).status(), 200);
    assert_eq!(session.lives(), (false, false));
}

#[test]
fn a_server_may_want_clients_to_authenticate() {
    let methods = vec!["client_secret_basic".to_owned()];
    let dials = || Dials { revocation_auth_methods: Some(methods.clone()), ..Dials::default() };
    let mut session = Session::new(dials());
    let advertised = &session.found.server["revocation_endpoint_auth_methods_supported"];
    assert_eq!(*advertised, json!(["client_secret_basic"]));
    let token = session.refresh.clone();
    let answer = session.revoke(&token);
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (401, "invalid_client"));
    assert_eq!(session.lives(), (true, true));

    for (method, taken) in [("client_secret_basic", true), ("client_secret_post", false)] {
        session.client = register(&mut session.memory, &session.found, method);
        let code = code(&mut session.memory, &session.found, &session.client, "files:read");
        let tokens = json_of(&redeem(&mut session.memory, &session.found, &session.client, &code, &[]));
        let token = tokens["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(session.revoke(&token).status(), if taken { 200 } else { 401 }, "{method}");
        assert_eq!(session.revoked().contains(&token), taken);
    }
    let session = Session::new(Dials::default());
    assert_eq!(session.found.server["revocation_endpoint_auth_methods_supported"], Value::Null);
}
