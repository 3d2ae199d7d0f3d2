//! `rmcp`'s client side of authorization.
//!
//! Its `state` is drawn anew each time, so the answer of the browser is made of the URL that it opens: two allocations
//! and some hundred instructions that are not its own.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http::{Response, header};
use mcp_auth_benches::documents;
use rmcp::transport::auth::{
    AuthorizationManager, AuthorizationRequest, OAuthHttpClient, OAuthHttpClientFuture, OAuthHttpRequest,
    OAuthState,
};

/// Answers that are ready, and how many were taken.
pub struct Network {
    answers: Mutex<VecDeque<Response<Vec<u8>>>>,
    taken: AtomicUsize,
    /// Whether each exchange takes a while, so that others can begin meanwhile.
    slow: AtomicBool,
}

impl Network {
    pub fn new(answers: impl IntoIterator<Item = Response<Vec<u8>>>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self { answers, taken: AtomicUsize::new(0), slow: AtomicBool::new(false) })
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl OAuthHttpClient for Network {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        std::hint::black_box(&request);
        self.taken.fetch_add(1, Ordering::Relaxed);
        let answer =
            self.answers.lock().expect("one thread").pop_front().expect("an answer for each request");
        let mut waits = u8::from(self.slow.load(Ordering::Relaxed));
        Box::pin(async move {
            std::future::poll_fn(|_| match waits {
                0 => Poll::Ready(()),
                _ => {
                    waits -= 1;
                    Poll::Pending
                }
            })
            .await;
            Ok(answer)
        })
    }
}

/// What is ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("everything is ready"),
    }
}

/// What the login is told.
pub struct Told {
    pub network: Arc<Network>,
    challenge: String,
}

impl Told {
    fn with(answers: Vec<Response<Vec<u8>>>) -> Self {
        let fields = documents::refusal();
        let challenge = fields[header::WWW_AUTHENTICATE].to_str().expect("text").to_owned();
        Self { network: Network::new(answers), challenge }
    }

    /// Once before it counts, so that the source of its randomness is ready.
    pub fn new() -> Self {
        drop(login(Self::with(documents::answers())));
        Self::with(documents::answers())
    }
}

impl Default for Told {
    fn default() -> Self {
        Self::new()
    }
}

/// The login.
pub fn login(told: Told) -> OAuthState {
    now(log_in(told))
}

async fn log_in(told: Told) -> OAuthState {
    let mut state =
        OAuthState::new_with_oauth_http_client(documents::SERVER, told.network).await.expect("a URL");
    let request = AuthorizationRequest::new(documents::REDIRECT)
        .with_client_name(documents::NAME)
        .with_challenge(told.challenge);
    state.start_authorization(request).await.expect("a session");
    let url = state.get_authorization_url().await.expect("a URL");
    let (_, rest) = url.split_once("state=").expect("a state");
    let csrf = rest.split('&').next().expect("its value");
    state.handle_callback_url(&documents::callback(csrf)).await.expect("tokens");
    state
}

/// The manager of an authorized client.
pub fn authorized() -> AuthorizationManager {
    match login(Told::new()) {
        OAuthState::Authorized(manager) => manager,
        _ => panic!("it is authorized"),
    }
}

/// The call that hands out a live token.
pub fn access(manager: &AuthorizationManager) -> String {
    now(manager.get_access_token()).expect("a token")
}

/// So many requests find at once that the token has run out, and each wants one that serves: how many exchanges they cost.
pub fn burst(requests: usize) -> usize {
    let mut token = documents::token();
    token["expires_in"] = 0.into();
    let mut answers = documents::answers();
    answers.pop();
    answers.push(documents::answer(200, &token));
    answers.extend((0..requests).map(|_| documents::answer(200, &documents::token())));
    let told = Told::with(answers);
    let network = told.network.clone();
    let OAuthState::Authorized(manager) = login(told) else { panic!("it is authorized") };
    let before = network.taken();
    network.slow.store(true, Ordering::Relaxed);
    let mut tasks: Vec<_> = (0..requests).map(|_| Box::pin(manager.get_access_token())).collect();
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
    }
    network.taken() - before
}
