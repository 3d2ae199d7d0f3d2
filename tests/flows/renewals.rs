//! The life of a grant, as `docs/renewal.md` tells it: one flow for each line of its tables.

use mcp_auth::{Action, Event, Preregistered};
use mcp_auth_testbed::*;

use crate::begun::{listed, meets};
use crate::ended::request;
use crate::stage::{self, REDIRECT, Stage, Store};
use crate::{Flow, flow};

/// Read from the store, in a new process: what is written down is what comes of the record.
fn restarted(dials: Dials) -> Stage {
    let mut stage = listed(dials);
    stage.restart();
    stage
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = refusals();
    flows.extend(starts());
    flows.extend(cut_off());
    flows.extend(moves());
    flows
}

fn starts() -> Vec<Flow> {
    vec![
        flow(
            "restart.live",
            "A restart with a token that lives costs no exchange.",
            &["own-restart"],
            &["kept"],
            || {
                let mut stage = restarted(Dials::default());
                stage.restore().call("tools/list", None);
                stage
            },
        ),
        flow(
            "restart.expired",
            "A restart with a token that has run out costs one exchange: the record names all it needs.",
            &["own-restart"],
            &["refreshed"],
            || {
                let mut stage = restarted(Dials::default());
                stage.now += 4000;
                stage.restore().call("tools/list", None);
                stage
            },
        ),
        flow(
            "restart.nothing",
            "A restart with an empty store: no person is asked.",
            &["own-restart"],
            &["anonymous"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh",
            "A token is renewed before it runs out, with the record held; its successor is stored before anyone is told.",
            &["own-renewal", "own-store", "refresh-replaced"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = listed(Dials::default());
                stage.now += 3575;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.after-401",
            "A token that the server refuses is renewed once, without a person.",
            &["lifetime-not-counted-on"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.expire_access_tokens();
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.not-rotated",
            "The refresh answer has no refresh token: the old one is kept.",
            &["refresh-kept"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let mut stage = listed(Dials { rotation: Rotation::None, ..Dials::default() });
                for _ in 0..2 {
                    stage.now += 4000;
                    stage.call("tools/list", None);
                }
                stage
            },
        ),
        flow(
            "refresh.none",
            "There is no refresh token: a person is asked when the token has run out.",
            &["refresh-not-counted-on"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
    ]
}

fn refusals() -> Vec<Flow> {
    vec![
        flow(
            "refresh.transient",
            "503 with `Retry-After`: the token is kept, a failure says when to come back, and no browser opens.",
            &["retry-after", "own-renewal"],
            &["logged_in", "unexpected_status", "refreshed"],
            || {
                let mut stage = meets(Trouble::RetryAfter(503, 60));
                stage.restore();
                stage.now += 60;
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.serves-on",
            "A server that is down while the token lives: it serves to its end.",
            &["own-renewal"],
            &["logged_in", "kept"],
            || {
                let mut stage = meets(Trouble::Status(503));
                stage.now -= 425;
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.unknown",
            "The answer is lost: the token is sent once more at once. The server takes it for reuse and ends the grant, and the trail says so.",
            &["own-lost-answer"],
            &["logged_in", "anonymous"],
            || {
                let mut stage = meets(Trouble::DropAfter);
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.unknown.grace",
            "The same where the server allows the token once more.",
            &["own-lost-answer"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = meets(Trouble::DropAfter);
                stage.dials().rotation = Rotation::TimeGrace(60);
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.dead-grant",
            "`invalid_grant`: the record loses its refresh token and keeps client and scopes; the login that follows registers nobody.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.revoke_everything();
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.dead-client",
            "`invalid_client`: the record goes, and the client is registered anew, once.",
            &["token-errors", "own-disowned"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.purge_clients();
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.dead-configured-client",
            "A configured client that the server does not know is not mended by a login: a failure says so.",
            &["token-errors", "preregistered"],
            &["logged_in", "configuration"],
            || {
                let dials =
                    Dials { clients: vec![PreRegistered::public("client-1", REDIRECT)], ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.preregistered(Preregistered::new(world.issuer(0), "client-1"))
                });
                stage.call("tools/list", None);
                stage.dials().clients.clear();
                stage.now += 4000;
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.secret-expired",
            "A registered secret has run out: it is not even sent, and the client is registered anew.",
            &["registered-counts"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let dials = Dials {
                    secret_lifetime: Some(2000),
                    auth_methods: Some(vec!["client_secret_basic".to_owned()]),
                    ..Dials::default()
                };
                let mut stage = listed(dials);
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.endpoint-gone",
            "The token endpoint is gone: nothing is changed in the store, and the login reads the metadata again.",
            &["metadata-used"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.move_token_endpoint(404);
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.misconfigured",
            "`invalid_target`: nothing is changed, and a failure says what the server misses.",
            &["resource-refused", "token-errors"],
            &["logged_in", "token_endpoint_error"],
            || {
                let body = br#"{"error":"invalid_target"}"#.to_vec();
                let mut stage = meets(Trouble::Answer(400, "application/json", body));
                stage.restore();
                stage
            },
        ),
    ]
}

fn cut_off() -> Vec<Flow> {
    vec![
        flow(
            "refresh.cancelled",
            "A refresh that is called off is brought to its end: the answer may be the only copy of a token.",
            &["own-calling-off"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = listed(Dials::default());
                stage.now += 4000;
                stage.tell(Event::Restore);
                let send = Action::Send(request(&mut stage, mcp_auth::Purpose::Refresh));
                stage.tell(Event::Cancelled);
                let answer = stage.answer(send).unwrap();
                stage.run(answer);
                stage
            },
        ),
        flow(
            "refresh.abandoned",
            "Whoever drove the machine is gone with a refresh on its way; the next attempt sends the token once more, with a server that allows it.",
            &["own-lost-answer", "own-calling-off"],
            &["logged_in", "cancelled", "refreshed"],
            || {
                let mut stage = listed(Dials { rotation: Rotation::TimeGrace(60), ..Dials::default() });
                stage.now += 4000;
                stage.tell(Event::Restore);
                let send = Action::Send(request(&mut stage, mcp_auth::Purpose::Refresh));
                let _ = stage.answer(send);
                stage.tell(Event::Abandoned);
                stage.settle();
                stage.restore();
                stage
            },
        ),
        flow(
            "store.not-kept",
            "The store keeps nothing: the tokens serve in memory, the outcome says so, and they are offered again.",
            &["own-store"],
            &["logged_in", "kept"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.store = Store::FailsToWrite;
                stage.call("tools/list", None);
                stage.store = Store::Works;
                stage.now += 60;
                stage.restore();
                stage
            },
        ),
        flow(
            "store.unreadable",
            "A store that cannot be read: a token that it has too is not spent.",
            &["own-store"],
            &["logged_in", "store_failed"],
            || {
                let mut stage = listed(Dials::default());
                stage.store = Store::FailsToRead;
                stage.now += 4000;
                stage.restore();
                stage
            },
        ),
        flow(
            "store.busy",
            "Somebody else holds the record: it is asked for again until a lease must have ended, and then given up.",
            &["own-store"],
            &["logged_in", "store_busy"],
            || {
                let mut stage = listed(Dials::default());
                stage.store = Store::Busy;
                stage.now += 4000;
                stage.person = stage::Person::Ignores;
                stage.restore();
                stage
            },
        ),
        flow(
            "step-up.renewed-beside",
            "While a person consents to more, the present grant is renewed beside the login.",
            &["own-renewal"],
            &["logged_in", "beside it: refreshed", "logged_in"],
            || {
                let mut stage = listed(Dials { access_lifetime: 60, ..Dials::default() });
                stage.person = stage::Person::Ignores;
                let scopes = mcp_auth::Scopes::parse("files:write").unwrap();
                stage.tell(Event::LogIn { scopes });
                stage.settle();
                stage.now += 57;
                stage.tell(Event::Restore);
                stage.settle();
                let callback = stage.consent();
                stage.run(callback);
                stage
            },
        ),
    ]
}

fn moves() -> Vec<Flow> {
    vec![
        flow(
            "store.adopted",
            "Another process has renewed the token meanwhile: its record is taken, and nothing is sent.",
            &["own-store"],
            &["logged_in", "kept"],
            || {
                let mut stage = listed(Dials::default());
                stage.now += 4000;
                stage.beside(|other| {
                    other.restore();
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "refresh.older-refusal",
            "A refusal of an older token adopts the present one and starts nothing.",
            &["own-store"],
            &["logged_in", "refreshed", "kept"],
            || {
                let mut stage = listed(Dials::default());
                let older = stage.refused();
                stage.now += 4000;
                stage.restore();
                stage.run(older);
                stage
            },
        ),
        flow(
            "clock.backwards",
            "A record that comes from the future, for the clock was set back: it is renewed.",
            &["own-renewal"],
            &["refreshed"],
            || {
                let mut stage = restarted(Dials::default());
                stage.now -= 5000;
                stage.restore();
                stage
            },
        ),
        flow(
            "moved.authorization-server",
            "The resource names another authorization server: a new registration there, and nothing of the old one is shown to it.",
            &[
                "servers-apart",
                "credentials-not-shared",
                "credentials-elsewhere",
                "registered-anew",
                "metadata-anew",
            ],
            &["logged_in", "refreshed", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.dials().authorization_servers = AuthorizationServers::SecondOnly;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "moved.redirect-port",
            "The redirect URI has another port than the registered one: registered anew.",
            &["loopback-port", "redirect-registered"],
            &["kept", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                let url = stage.world.server_url();
                stage.restart_with(|_| {
                    mcp_auth::Config::new(url, "Example client", "http://127.0.0.1:3001/callback")
                });
                stage.restore();
                stage.run(Event::LogIn { scopes: mcp_auth::Scopes::parse("files:write").unwrap() });
                stage
            },
        ),
        flow(
            "moved.client-purged",
            "A consent that times out may be a client that the server no longer knows: the next login registers another.",
            &["own-disowned"],
            &["consent_timed_out", "logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.person = stage::Person::Ignores;
                stage.log_in();
                stage.person = stage::Person::Consents;
                stage.log_in();
                stage
            },
        ),
    ]
}
