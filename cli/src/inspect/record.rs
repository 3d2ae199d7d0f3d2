//! The client itself, as far as it goes without registering and without asking anybody: for a trace of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use mcp_auth::trace::Recorder;
use mcp_auth::{
    Action, Authorizer, Challenge, Config, Event, Policy, Purpose, Reach, Saving, Scopes, Seed, SendFailure,
    Timestamp,
};
use mcp_auth_reqwest::Exchanger;

use super::evidence::Evidence;

/// How many actions of the machine are seen to. A walk through every candidate takes fewer.
const MAX_ACTIONS: usize = 500;
/// Where no answer ever comes back to.
const NOWHERE: &str = "http://127.0.0.1/callback";
/// As which client it is written down.
pub(crate) const CLIENT: &str = "mcp-auth inspect";
/// Why it goes no further.
pub(crate) const NO_FURTHER: &str = "an inspection registers nothing, asks for no token and asks nobody";

/// How far it may go.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How long each request may take.
    pub(super) within: Duration,
    pub(super) reach: Option<Reach>,
}

/// Runs the client, and gives `sink` the lines of the trace.
pub(super) async fn run(
    exchanger: &Exchanger,
    seen: &Evidence,
    limits: Limits,
    sink: impl FnMut(&str) + Send + 'static,
) -> Result<(), String> {
    let config = Config::new(seen.server.as_given(), CLIENT, NOWHERE);
    let config = config.policy(Policy::with(|it| it.reach = limits.reach));
    let seed = Seed::generate().map_err(|error| format!("no seed can be drawn: {error}"))?;
    let mut recorder = Recorder::new(&config, &seed, sink);
    let mut machine = Authorizer::new(config, seed).map_err(|breach| breach.to_string())?;
    let mut next = Some(begin(&mut recorder, seen));
    for _ in 0..MAX_ACTIONS {
        if let Some(event) = next.take() {
            recorder.event(now(), &event);
            machine.handle(now(), event);
        }
        let action = machine.poll();
        recorder.action(&action);
        next = match action {
            Action::Load(load) => Some(load.reply(None)),
            Action::Store(save) => Some(save.reply(Saving::Failed(NO_FURTHER.to_owned()))),
            Action::Forget(forget) => Some(forget.fail(NO_FURTHER)),
            Action::Send(send) => {
                let open = matches!(send.purpose(), Purpose::ResourceMetadata | Purpose::ServerMetadata);
                let within = limits.within.min(send.deadline().since(now()));
                let request = send.request();
                let answer = match open {
                    true => exchanger.exchange(request, send.reach(), send.max_bytes(), within).await,
                    false => Err(SendFailure::NotSent(NO_FURTHER.to_owned())),
                };
                Some(match answer {
                    Ok(answer) => send.reply(answer),
                    Err(failure) => send.fail(failure),
                })
            }
            Action::Open(open) => Some(open.fail(NO_FURTHER)),
            Action::Show(show) => Some(show.fail(NO_FURTHER)),
            Action::Ask(ask) => Some(ask.decline()),
            Action::Sign(sign) => Some(sign.fail(NO_FURTHER)),
            Action::Supply(supply) => Some(supply.fail(NO_FURTHER)),
            Action::Release(_) | Action::Renewed(_) | Action::Finish(_) => None,
            Action::Wait(_) => break,
        };
    }
    Ok(())
}

/// What the server answered to a request without a token, and what follows from it. A server that asks for no login is
/// asked for one, to see whether it has metadata.
fn begin(recorder: &mut Recorder, seen: &Evidence) -> Event {
    let answered = seen.refusal().map(|(wire, answer)| (wire.method(), answer));
    let log_in = Event::LogIn { scopes: Scopes::new() };
    let Some((operation, answer)) = answered else { return log_in };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::UNAUTHORIZED);
    let fields: &HeaderMap = &answer.fields;
    recorder.request(now(), "POST", seen.server.url(), operation, false);
    recorder.response(now(), status, fields);
    let challenge = Challenge::of(status, fields, None, 0);
    challenge.map_or(log_in, |challenge| Event::Challenged(challenge.operation(operation)))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(since.as_secs())
}
