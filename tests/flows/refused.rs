//! What a refused renewal leads to, as `docs/renewal.md` tells it, where time passes, somebody else writes, or a person asks.

use mcp_auth::{Action, ClientMetadata, Event, Outcome, Purpose as Sent, Scopes, SendFailure};
use mcp_auth_testbed::*;

use crate::begun::{expired, listed, meets};
use crate::ended::{answered, ends, fails, request, waits};
use crate::stage::{REDIRECT, Stage};
use crate::{Flow, flow};

fn refresh_fault(nth: u32, what: Trouble) -> Fault {
    Fault { purpose: Purpose::Refresh, nth, what }
}

fn refresh_token(stage: &Stage) -> Option<String> {
    let kept = stage.records.values().next()?;
    kept.refresh_token.as_ref().map(|token| token.expose().to_owned())
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = passing();
    flows.extend(dead());
    flows.extend(persons());
    flows
}

fn passing() -> Vec<Flow> {
    vec![
        flow(
            "refresh.back-off",
            "A server that is down for long: nothing is sent for 2 s, then 4 s, up to 5 min, less up to half by chance; then the token is as good as ever.",
            &["own-renewal"],
            &[
                "logged_in",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "unexpected_status",
                "refreshed",
            ],
            || {
                let faults = (1..=9).map(|nth| refresh_fault(nth, Trouble::Status(503))).collect();
                let mut stage = expired(Dials { faults, ..Dials::default() });
                for most in [2, 4, 8, 16, 32, 64, 128, 256, 300] {
                    let failure = fails(&mut stage, Event::Restore);
                    let wait = waits(&stage, &failure);
                    assert!((most / 2..=most).contains(&wait), "{wait} of {most}");
                    stage.now += wait;
                }
                stage.restore();
                assert_eq!(stage.world.count(Purpose::Refresh), 10);
                stage
            },
        ),
        flow(
            "refresh.left-alone",
            "While a server is left alone nothing is sent to it: the next attempt ends with the same failure.",
            &["own-renewal"],
            &["logged_in", "unexpected_status", "unexpected_status"],
            || {
                let mut stage = meets(Trouble::Status(503));
                let first = fails(&mut stage, Event::Restore);
                let second = fails(&mut stage, Event::Restore);
                assert_eq!((first.retry_at, stage.world.count(Purpose::Refresh)), (second.retry_at, 1));
                stage
            },
        ),
        flow(
            "refresh.retry-after-bounded",
            "A server that wants to be left alone for a day is left alone for an hour.",
            &["own-renewal"],
            &["logged_in", "unexpected_status"],
            || {
                let mut stage = meets(Trouble::RetryAfter(503, 86_400));
                let failure = fails(&mut stage, Event::Restore);
                assert_eq!(waits(&stage, &failure), 3600);
                stage
            },
        ),
        flow(
            "refresh.not-sent",
            "There is no connection: the refresh token was not spent, is kept, and is sent later.",
            &["own-renewal", "refresh-kept"],
            &["logged_in", "unreachable", "refreshed"],
            || {
                let mut stage = expired(Dials::default());
                let before = refresh_token(&stage);
                stage.tell(Event::Restore);
                let send = request(&mut stage, Sent::Refresh);
                stage.tell(send.fail(SendFailure::NotSent("there is no network".to_owned())));
                let failure = stage.ended().unwrap_err();
                assert_eq!(refresh_token(&stage), before);
                stage.now += waits(&stage, &failure);
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.outcome-unknown",
            "No answer comes in time, nor to the token once more: what became of it is not known, and no browser opens.",
            &["own-lost-answer", "refresh-kept"],
            &["logged_in", "outcome_unknown"],
            || {
                let mut stage = expired(Dials::default());
                stage.tell(Event::Restore);
                for _ in 0..2 {
                    let send = request(&mut stage, Sent::Refresh);
                    stage.tell(send.fail(SendFailure::TimedOut));
                }
                let failure = stage.ended().unwrap_err();
                assert!(failure.retry_at.is_some() && stage.opened.len() == 1);
                stage
            },
        ),
    ]
}

fn dead() -> Vec<Flow> {
    vec![
        flow(
            "refresh.dead-grant.serves-on",
            "The grant is dead, and the access token is not: it serves to its end, and only then a person logs in, without registering anew.",
            &["token-errors", "own-renewal"],
            &["logged_in", "kept", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.revoke_everything();
                stage.now += 3575;
                stage.restore();
                assert_eq!((refresh_token(&stage), stage.opened.len()), (None, 1));
                stage.now += 30;
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Registration), 1);
                stage
            },
        ),
        flow(
            "refresh.dead-client.serves-on",
            "The server no longer knows the client, and the access token lives: it serves to its end; the login that follows registers anew, once.",
            &["token-errors", "own-disowned"],
            &["logged_in", "kept", "anonymous", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.purge_clients();
                stage.now += 3575;
                stage.restore();
                assert_eq!((stage.records.len(), stage.opened.len()), (0, 1));
                stage.now += 30;
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Registration), 2);
                stage
            },
        ),
        flow(
            "refresh.dead-grant.newer-record",
            "The grant is dead, and somebody else has logged in meanwhile: the record of theirs is not buried, but taken.",
            &["own-store", "token-errors"],
            &["logged_in", "kept"],
            || {
                let mut stage = expired(Dials::default());
                stage.world.revoke_everything();
                stage.tell(Event::Restore);
                let send = request(&mut stage, Sent::Refresh);
                answered(&mut stage, send);
                let save = stage.until(|action| matches!(action, Action::Store(_)));
                stage.beside(|other| {
                    other.log_in();
                });
                let conflict = stage.answer(save).unwrap();
                stage.tell(conflict);
                stage.ended().unwrap();
                assert!(refresh_token(&stage).is_some());
                stage
            },
        ),
        flow(
            "refresh.dead-client.newer-record",
            "A request is refused, the server no longer knows the client, and somebody else has registered meanwhile: their record is not forgotten (`forgotten: false`), but taken, and no browser opens.",
            &["own-store", "token-errors"],
            &["logged_in", "kept"],
            || {
                let mut stage = expired(Dials::default());
                stage.world.purge_clients();
                let refused = stage.refused();
                stage.tell(refused);
                let forget = stage.until(|action| matches!(action, Action::Forget(_)));
                stage.beside(|other| {
                    other.log_in();
                });
                let opened = stage.opened.len();
                let not_forgotten = stage.answer(forget).unwrap();
                stage.tell(not_forgotten);
                stage.ended().unwrap();
                assert_eq!((stage.records.len(), stage.opened.len()), (1, opened));
                stage
            },
        ),
    ]
}

fn persons() -> Vec<Flow> {
    const DOCUMENT: &str = "https://app.example/client.json";
    vec![
        flow(
            "login.not-renewable",
            "A person asks for a login, and the grant cannot be renewed: they are asked anew, and the old tokens are kept until there are new ones.",
            &["token-errors", "resource-refused"],
            &["logged_in", "logged_in"],
            || {
                let body = br#"{"error":"invalid_target"}"#.to_vec();
                let what = Trouble::Answer(400, "application/json", body);
                let mut stage = meets(what);
                let before = stage.records.clone();
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                let open = stage.until(|action| matches!(action, Action::Open(_)));
                assert_eq!((stage.world.count(Purpose::Refresh), &stage.records), (1, &before));
                assert!(stage.answer(open).is_none());
                stage.ended().unwrap();
                assert_ne!(stage.records, before);
                stage
            },
        ),
        flow(
            "login.server-down",
            "A person asks for a login while the server is being left alone: they need not wait.",
            &["own-renewal"],
            &["logged_in", "unexpected_status", "logged_in"],
            || {
                let mut stage = expired(Dials {
                    faults: (1..=2).map(|nth| refresh_fault(nth, Trouble::Status(503))).collect(),
                    ..Dials::default()
                });
                fails(&mut stage, Event::Restore);
                ends(&mut stage, Event::LogIn { scopes: Scopes::new() }).unwrap();
                assert_eq!(stage.opened.len(), 2);
                stage
            },
        ),
        flow(
            "client.document-page",
            "The server cannot fetch the client's document, and only the person sees it: the host says so, and the login begins again by registering, which is remembered.",
            &["clients-in-order", "own-disowned"],
            &["logged_in"],
            || {
                let document = ClientMetadata::new("Example client", REDIRECT);
                let dials = Dials {
                    client_documents: [(
                        DOCUMENT.to_owned(),
                        document.document(DOCUMENT, None, None).unwrap(),
                    )]
                    .into(),
                    client_document_fetch: DocumentFetch::Page,
                    ..Dials::default()
                };
                let mut stage =
                    Stage::at(Origins::default(), dials, |config, _| config.metadata_document(DOCUMENT));
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.settle();
                assert_eq!(stage.world.count(Purpose::Registration), 0);
                stage.tell(Event::ClientDisowned);
                stage.settle();
                let callback = stage.consent();
                let Ok(Outcome::Authorized(done)) = ends(&mut stage, callback) else { panic!("no login") };
                assert_ne!(done.client_id, DOCUMENT);
                stage
            },
        ),
        flow(
            "moved.client-disowned",
            "The browser shows that the server does not know the client: the host says so, and the login begins again with another.",
            &["own-disowned"],
            &["logged_in"],
            || {
                let mut stage = disowned(1);
                let callback = stage.consent();
                ends(&mut stage, callback).unwrap();
                assert_eq!(stage.world.count(Purpose::Registration), 2);
                stage
            },
        ),
        flow(
            "moved.client-disowned-twice",
            "The server does not know the other client either: that is the end of it.",
            &["own-disowned", "authorization-errors"],
            &["client_rejected"],
            || {
                let stage = disowned(2);
                assert_eq!(stage.world.count(Purpose::Registration), 2);
                stage
            },
        ),
    ]
}

/// A login in whose browser the server shows so often that it does not know the client.
fn disowned(times: usize) -> Stage {
    let mut stage = Stage::plain(Dials::default());
    stage.tell(Event::LogIn { scopes: Scopes::new() });
    stage.settle();
    for _ in 0..times {
        stage.tell(Event::ClientDisowned);
        stage.settle();
    }
    stage
}
