//! Failures that nothing else ends with: requests that are not answered, and answers that are something else.

use mcp_auth::{Action, Event, Purpose as Sent, Scopes, SendFailure};
use mcp_auth_testbed::*;

use crate::begun::listed;
use crate::ended::request;
use crate::stage::Stage;
use crate::{Flow, flow};

/// A login in which a request of this kind fails so.
fn unsent(purpose: Sent, failure: SendFailure) -> Stage {
    let mut stage = Stage::plain(Dials::default());
    stage.tell(Event::LogIn { scopes: Scopes::new() });
    let send = request(&mut stage, purpose);
    stage.tell(send.fail(failure));
    stage.ended().unwrap_err();
    stage
}

/// A login whose callback is changed so.
fn called(change: fn(String) -> String) -> Stage {
    let mut stage = Stage::plain(Dials::default());
    stage.changed = Some(change);
    stage.call("tools/list", None);
    assert_eq!(stage.world.count(Purpose::Token), 0);
    stage
}

fn fault(purpose: Purpose, what: Trouble) -> Dials {
    Dials { faults: vec![Fault { purpose, nth: 0, what }], ..Dials::default() }
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = unanswered();
    flows.extend(documents());
    flows.extend(callbacks());
    flows
}

fn unanswered() -> Vec<Flow> {
    vec![
        flow(
            "code.not-sent",
            "There is no connection to the token endpoint (`not_sent`): a failure, and the code is not sent again.",
            &["code-once", "own-unanswered"],
            &["unreachable"],
            || unsent(Sent::Token, SendFailure::NotSent("there is no network".to_owned())),
        ),
        flow(
            "code.timed-out",
            "No answer to the code comes in time: whether it was used is not known, and it is not sent again.",
            &["code-once", "own-unanswered"],
            &["timed_out"],
            || unsent(Sent::Token, SendFailure::TimedOut),
        ),
        flow(
            "guard.private-name",
            "The name of the server's metadata resolves to a private address (`address_refused`): nothing is sent there.",
            &["no-private-addresses", "own-unanswered"],
            &["address_refused"],
            || unsent(Sent::ServerMetadata, SendFailure::AddressRefused("10.0.0.1".to_owned())),
        ),
        flow(
            "registration.unreachable",
            "The registration endpoint cannot be reached: a failure that says so, and no browser opens.",
            &["registration-may-fail", "own-unanswered"],
            &["unreachable"],
            || {
                let stage =
                    unsent(Sent::Registration, SendFailure::NotSent("there is no network".to_owned()));
                assert!(stage.opened.is_empty());
                stage
            },
        ),
    ]
}

fn documents() -> Vec<Flow> {
    vec![
        flow(
            "resource-metadata.no-servers",
            "The metadata names no authorization server: nothing is guessed.",
            &["resource-metadata", "metadata-before-fallback"],
            &["no_authorization_server"],
            || {
                listed(Dials {
                    authorization_servers: AuthorizationServers::Raw(Vec::new()),
                    ..Dials::default()
                })
            },
        ),
        flow(
            "server-metadata.page",
            "Where the server's metadata should be there is a page, at every place.",
            &["metadata-answers", "own-unanswered"],
            &["not_a_document"],
            || listed(fault(Purpose::ServerMetadata, Trouble::Html)),
        ),
        flow(
            "token.page",
            "The answer to the code is a page.",
            &["token-answers", "own-unanswered"],
            &["not_a_document"],
            || listed(fault(Purpose::CodeExchange, Trouble::Html)),
        ),
        flow(
            "registration.page",
            "The answer to the registration is a page.",
            &["registered-counts", "own-unanswered"],
            &["not_a_document"],
            || listed(fault(Purpose::Registration, Trouble::Html)),
        ),
        flow(
            "token.truncated",
            "Half of the answer to the code is missing: what is there is not used.",
            &["token-answers", "own-unanswered"],
            &["malformed"],
            || listed(fault(Purpose::CodeExchange, Trouble::Truncated)),
        ),
    ]
}

fn callbacks() -> Vec<Flow> {
    vec![
        flow(
            "callback.malformed",
            "The response has a code and an error: it is neither, and the code is not exchanged.",
            &["authorization-errors"],
            &["callback_malformed"],
            || called(|callback| format!("{callback}&error=server_error")),
        ),
        flow(
            "callback.doubled",
            "The response has two codes: neither is exchanged.",
            &["parameters-once"],
            &["callback_malformed"],
            || called(|callback| format!("{callback}&code=another")),
        ),
        flow(
            "callback.empty",
            "The response has neither code nor error.",
            &["authorization-errors"],
            &["callback_malformed"],
            || called(|callback| callback.replace("code=", "cod=")),
        ),
        flow(
            "login.no-browser",
            "There is no browser, or nobody who listens for the answer (`unasked`): the login ends, and nothing is held against the person.",
            &["external-browser", "own-unattended"],
            &["unasked", "logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                let Action::Open(open) = stage.until(|it| matches!(it, Action::Open(_))) else {
                    unreachable!()
                };
                stage.tell(open.fail("there is no browser"));
                stage.ended().unwrap_err();
                stage.log_in();
                stage
            },
        ),
    ]
}
