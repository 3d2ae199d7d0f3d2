//! A person with another device (RFC 8628), against the testbed's servers.

mod served;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth::{GrantType, Kind, Scopes, Timestamp, TokenSource};
use mcp_auth_reqwest::{Answers, Builder, Client, Consent, DeviceCode, Error, Observed, Shown};
use mcp_auth_testbed::{Confirmation, Device, Dials, Purpose, Served, serve};
use served::{config, count, echo, kind, refused, request, soon};
use url::Url;

/// What was shown, and how much of it has been taken away again.
#[derive(Clone, Default)]
struct Screen {
    codes: Arc<Mutex<Vec<DeviceCode>>>,
    gone: Arc<AtomicUsize>,
    /// How many were still shown when the end of their attempt was told.
    late: Arc<AtomicUsize>,
    /// How many attempts were told to have ended with a login.
    ended: Arc<AtomicUsize>,
    /// Whether it panics when a code is taken away.
    breaks: bool,
}

/// A code on the screen.
struct Window(Screen);

impl Drop for Window {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0.breaks, "the screen is broken");
    }
}

impl Consent for Screen {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        unreachable!("no browser is opened here")
    }

    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        self.codes.lock().unwrap().push(code);
        Ok(Box::new(Window(self.clone())))
    }
}

impl Screen {
    fn shown(&self) -> Vec<DeviceCode> {
        self.codes.lock().unwrap().clone()
    }

    /// How many codes have been shown, and how many of them are gone.
    fn counts(&self) -> (usize, usize) {
        assert_eq!(self.late.load(Ordering::SeqCst), 0);
        (self.codes.lock().unwrap().len(), self.gone.load(Ordering::SeqCst))
    }
}

async fn rig(device: Device, screen: Screen) -> (Served, Client) {
    let seen = screen.clone();
    let observe = move |observed: Observed<'_>| {
        if let Observed::Finished(outcome) = observed {
            // No assertion here: the task that a panic takes down drops what is shown, and another goes on.
            let (shown, gone) = seen.counts();
            seen.late.fetch_add(shown - gone, Ordering::SeqCst);
            let logged_in = |done: &mcp_auth::Authorized| usize::from(done.source == TokenSource::LoggedIn);
            if let Ok(mcp_auth::Outcome::Authorized(done)) = outcome {
                seen.ended.fetch_add(logged_in(done), Ordering::SeqCst);
            }
        }
    };
    rig_with(device, |builder| builder.consent(screen).observe(observe)).await
}

async fn rig_with(device: Device, with: impl FnOnce(Builder) -> Builder) -> (Served, Client) {
    let device = Device { interval: 1, ..device };
    let served = serve(Dials { device: Some(device), ..Dials::default() }).await.unwrap();
    let config = config(&served).grant_type(GrantType::DeviceCode);
    let client = with(served::builder(config)).build().unwrap();
    (served, client)
}

/// Sends a request, and lets the person decide once the code is there.
async fn decided(allow: bool) -> (Served, Client, DeviceCode, Result<reqwest::Response, Error>) {
    decided_at(Screen::default(), allow).await
}

/// The same at a screen.
async fn decided_at(
    screen: Screen,
    allow: bool,
) -> (Served, Client, DeviceCode, Result<reqwest::Response, Error>) {
    let (served, client) = rig(Device::default(), screen.clone()).await;
    let sent = tokio::spawn({
        let (client, request) = (client.clone(), request(&served, "echo"));
        async move { client.send(request).await }
    });
    soon(async {
        while screen.shown().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!sent.is_finished());
    assert_eq!(screen.counts(), (1, 0));
    let code = screen.shown().remove(0);
    assert!(served.world().enter_user_code(&code.user_code, allow));
    let answer = soon(sent).await.unwrap();
    assert_eq!(screen.counts(), (1, 1));
    (served, client, code, answer)
}

#[tokio::test]
async fn a_request_is_answered_once_the_person_has_confirmed() {
    let (served, client, code, answer) = decided(true).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
    assert!(code.verification_uri.as_str().starts_with(&served.world().issuer(0)));
    let complete = code.verification_uri_complete.unwrap();
    assert!(complete.query_pairs().any(|(name, value)| name == "user_code" && value == code.user_code));
    // What it got is renewed as any grant.
    served.world().expire_access_tokens();
    assert_eq!(echo(&client, &served).await, 200);
    assert_eq!((count(&served, Purpose::Refresh), count(&served, Purpose::DeviceAuthorization)), (1, 1));
}

#[tokio::test]
async fn a_screen_that_breaks_hides_no_end() {
    let screen = Screen { breaks: true, ..Screen::default() };
    let (served, client, _, answer) = decided_at(screen.clone(), true).await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
    assert_eq!(screen.ended.load(Ordering::SeqCst), 1);
    assert_eq!(count(&served, Purpose::DeviceAuthorization), 1);
}

#[tokio::test]
async fn a_person_who_denies_is_heard() {
    let (_served, _client, _, answer) = decided(false).await;
    assert_eq!(kind(&answer.unwrap_err()), Kind::AccessDenied);
}

#[tokio::test]
async fn a_code_that_expires_is_a_typed_failure() {
    let screen = Screen::default();
    let device = Device { confirmation: Confirmation::Never, expires_in: 2, ..Device::default() };
    let (served, client) = rig(device, screen.clone()).await;
    assert_eq!(refused(&client, &served).await, Kind::ConsentTimedOut);
    assert_eq!(screen.counts(), (1, 1));
    assert!((1..=3).contains(&count(&served, Purpose::DevicePoll)));
}

#[tokio::test]
async fn many_requests_are_one_code_and_can_be_called_off() {
    let screen = Screen::default();
    let (served, client) = rig(Device::default(), screen.clone()).await;
    let sent: Vec<_> = (0..5)
        .map(|_| {
            let (client, request) = (client.clone(), request(&served, "echo"));
            tokio::spawn(async move { client.send(request).await })
        })
        .collect();
    soon(async {
        while count(&served, Purpose::DevicePoll) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(screen.counts(), (1, 0));
    client.cancel();
    for sent in sent {
        assert_eq!(kind(&soon(sent).await.unwrap().unwrap_err()), Kind::Cancelled);
    }
    assert_eq!(screen.counts(), (1, 1));
}

struct Unable;

impl Consent for Unable {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        unreachable!("no browser is opened here")
    }
}

struct Panicking;

impl Consent for Panicking {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        unreachable!("no browser is opened here")
    }

    fn show(&self, _: DeviceCode) -> Result<Shown, String> {
        panic!("no screen")
    }
}

#[tokio::test]
async fn a_code_that_cannot_be_shown_ends_it() {
    let (served, client) = rig_with(Device::default(), |it| it.consent(Unable)).await;
    assert_eq!(refused(&client, &served).await, Kind::Unasked);
    let (_served, client) = rig_with(Device::default(), |it| it.consent(Panicking)).await;
    let error = soon(client.log_in(Scopes::new())).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unasked);
    assert!(soon(client.restore()).await.unwrap().is_none());
}
