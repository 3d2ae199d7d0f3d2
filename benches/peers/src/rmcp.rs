//! `rmcp`'s client side of authorization.
//!
//! Its `state` is drawn anew each time, so the answer of the browser is made of the URL that it opens: two allocations
//! and some hundred instructions that are not its own.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http::{Response, header};
use mcp_auth_benches::documents;
use rmcp::transport::auth::{
    AuthorizationManager, AuthorizationRequest, OAuthHttpClient, OAuthHttpClientFuture, OAuthHttpRequest,
    OAuthState,
};

/// Answers that are ready.
pub struct Network {
    answers: Mutex<VecDeque<Response<Vec<u8>>>>,
}

impl Network {
    pub fn new(answers: impl IntoIterator<Item = Response<Vec<u8>>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()) })
    }
}

impl OAuthHttpClient for Network {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        std::hint::black_box(&request);
        let answer =
            self.answers.lock().expect("one thread").pop_front().expect("an answer for each request");
        Box::pin(std::future::ready(Ok(answer)))
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
