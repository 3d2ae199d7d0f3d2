//! rmcp, used as its guide says: a refusal's challenge begins a login, an `AuthClient` hands out the token and mends what it
//! can, more scope is asked for by `request_scope_upgrade`, a stored record is taken up by `initialize_from_store`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, Response};
use mcp_auth_benches::documents;
use mcp_auth_testbed::{Browsed, Dials, RegistrationScope};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationManager, AuthorizationMetadata, AuthorizationRequest,
    InMemoryCredentialStore, OAuthClientConfig, OAuthState,
};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use serde_json::json;

use super::network::Network;
use super::{CLIENT, Count, DOCUMENT, Keeping, Known, call, dials, seen};

const READ: &str = "read_file";
const WRITE: &str = "write_file";

/// The MCP server behind rmcp's transport: what an `AuthClient` sends with a token.
#[derive(Clone)]
struct Server(Arc<Network>);

type Failed = StreamableHttpError<std::io::Error>;
type Events = Pin<Box<dyn Stream<Item = Result<sse_stream::Sse, sse_stream::Error>> + Send>>;

impl StreamableHttpClient for Server {
    type Error = std::io::Error;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        _message: ClientJsonRpcMessage,
        _session: Option<Arc<str>>,
        token: Option<String>,
        _headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        // On its way like any other, so that a burst is refused together.
        let request = self.0.with(|world, _| call(world, READ, token.map(bearer).as_ref()));
        let answer = self.0.send(request, false).await;
        match answer.status().is_success() {
            true => Ok(StreamableHttpPostResponse::Accepted),
            false => Err(StreamableHttpError::AuthRequired(AuthRequiredError::new(named(&answer)))),
        }
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        _session: Arc<str>,
        _token: Option<String>,
        _headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failed> {
        Ok(())
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        _session: Option<Arc<str>>,
        _last: Option<String>,
        _token: Option<String>,
        _headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Events, Failed> {
        Err(StreamableHttpError::Io(std::io::ErrorKind::Unsupported.into()))
    }
}

fn bearer(token: String) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).expect("a token")
}

fn named(refusal: &Response<Vec<u8>>) -> String {
    refusal.headers()[WWW_AUTHENTICATE].to_str().expect("text").to_owned()
}

/// One process of rmcp's, and what outlives it.
struct Process {
    network: Arc<Network>,
    store: InMemoryCredentialStore,
    known: Known,
}

impl Process {
    fn new(known: Known, turn: impl FnOnce(&mut Dials)) -> Self {
        let mut dials = dials(known);
        turn(&mut dials);
        Self { network: Network::new(dials), store: InMemoryCredentialStore::new(), known }
    }

    async fn manager(&self) -> AuthorizationManager {
        let url = self.network.with(|world, _| world.server_url());
        let manager = AuthorizationManager::new_with_oauth_http_client(url, self.network.clone()).await;
        let mut manager = manager.expect("a URL");
        manager.set_credential_store(self.store.clone());
        manager
    }

    /// What the server says to a call of this tool.
    fn refusal(&self, tool: &str, token: Option<&str>) -> Option<String> {
        let answer = self.network.with(|world, now| {
            let request = call(world, tool, token.map(|token| bearer(token.to_owned())).as_ref());
            world.handle(now, request)
        });
        (!answer.status().is_success()).then(|| named(&answer))
    }

    /// A login that this challenge begins.
    async fn log_in(&self, challenge: String) -> Result<OAuthState, String> {
        let mut request = AuthorizationRequest::new(documents::REDIRECT)
            .with_client_name(documents::NAME)
            .with_initial_scope_selection()
            .with_challenge(challenge);
        request = match self.known {
            Known::Registers => request,
            Known::Document => request.with_client_metadata_url(DOCUMENT),
            Known::Configured => request.with_preregistered_client(CLIENT),
        };
        let mut state = OAuthState::Unauthorized(self.manager().await);
        state.start_authorization(request).await.map_err(|error| error.to_string())?;
        let url = state.get_authorization_url().await.map_err(|error| error.to_string())?;
        self.consent(&mut state, &url).await?;
        Ok(state)
    }

    async fn consent(&self, state: &mut OAuthState, url: &str) -> Result<(), String> {
        let Browsed::Callback(callback) = self.network.with(|world, now| world.browse(now, url)) else {
            return Err("the server shows a page instead".to_owned());
        };
        state.handle_callback_url(&callback).await.map_err(|error| {
            let (_, query) = callback.split_once('?').unwrap_or_default();
            let refused = query.split('&').find_map(|pair| pair.strip_prefix("error="));
            refused.map_or_else(|| error.to_string(), |refused| format!("the server refuses: {refused}"))
        })
    }

    fn logged_in(&self) -> OAuthState {
        let challenge = self.refusal(READ, None).expect("a challenge");
        self.network.run(self.log_in(challenge)).expect("a login")
    }

    /// So many requests at once through one `AuthClient`, as rmcp's transport sends them. A challenge where it gives up.
    fn requests(&self, client: &AuthClient<Server>, many: usize) -> Result<(), String> {
        let message = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let message: ClientJsonRpcMessage = serde_json::from_value(message).expect("a message");
        let url: Arc<str> = self.network.with(|world, _| world.server_url()).into();
        let post = |_| client.post_message(url.clone(), message.clone(), None, None, HashMap::new());
        for answer in self.network.drive((0..many).map(post)) {
            match answer {
                Ok(_) => {}
                Err(StreamableHttpError::AuthRequired(required)) => {
                    return Err(required.www_authenticate_header);
                }
                Err(other) => panic!("{other}"),
            }
        }
        Ok(())
    }

    fn client(&self, manager: AuthorizationManager) -> AuthClient<Server> {
        AuthClient::new(Server(self.network.clone()), manager)
    }

    /// What the host may keep of an earlier login.
    fn metadata(&self) -> AuthorizationMetadata {
        let resolved = self.network.run(async { self.manager().await.resolve_metadata().await });
        resolved.expect("metadata").metadata
    }

    /// Another process takes up the record, and what else the host has kept.
    fn restored(&self, metadata: Option<AuthorizationMetadata>) -> AuthorizationManager {
        let work = async {
            let mut manager = self.manager().await;
            let kept = metadata.is_some();
            if let Some(metadata) = metadata {
                manager.set_metadata(metadata);
            }
            assert!(manager.initialize_from_store().await.expect("a record"), "it is taken up");
            if kept {
                // The record does not say where answers come back.
                let (client_id, _) = manager.get_credentials().await.expect("a record");
                let config = OAuthClientConfig::new(client_id, documents::REDIRECT);
                manager.configure_client(config).expect("metadata is there");
            }
            manager
        };
        self.network.run(work)
    }

    /// What this cost, held against what the servers saw besides requests to the MCP server.
    fn cost(&self, work: impl FnOnce() -> Result<(), String>) -> Result<Count, String> {
        let before = self.network.count();
        let seen_before = self.network.with(|world, _| seen(world));
        work()?;
        let cost = self.network.count() - before;
        // rmcp asks the MCP server itself for its challenge too.
        assert!(cost.exchanges >= self.network.with(|world, _| seen(world)) - seen_before);
        Ok(cost)
    }
}

fn into_manager(state: OAuthState) -> AuthorizationManager {
    state.into_authorization_manager().expect("it is authorized")
}

pub(super) fn cold(known: Known, turn: impl FnOnce(&mut Dials)) -> Result<Count, String> {
    let process = Process::new(known, turn);
    process.cost(|| {
        let state = process.logged_in();
        process.requests(&process.client(into_manager(state)), 1)
    })
}

/// The `AuthClient` gives up with the challenge, and a login begins: anew, or with the manager that is there.
fn again(process: &Process, manager: AuthorizationManager, keeping: Keeping) -> Result<(), String> {
    let client = process.client(manager);
    let challenge = process.requests(&client, 1).expect_err("the grant has ended");
    if keeping == Keeping::Record {
        let state = process.network.run(process.log_in(challenge))?;
        return process.requests(&process.client(into_manager(state)), 1);
    }
    process.network.run(async {
        let manager = client.auth_manager.lock().await;
        let url = manager.get_authorization_url(&["files:read"]).await.map_err(|error| error.to_string())?;
        let Browsed::Callback(callback) = process.network.with(|world, now| world.browse(now, &url)) else {
            return Err("the server shows a page instead".to_owned());
        };
        let answer =
            AuthorizationCallback::from_redirect_url(&callback).map_err(|error| error.to_string())?;
        let (code, state, issuer) = (&answer.code, &answer.csrf_token, answer.issuer.as_deref());
        let exchanged = manager.exchange_code_for_token_with_issuer(code, state, issuer).await;
        exchanged.map(drop).map_err(|error| error.to_string())
    })?;
    process.requests(&client, 1)
}

pub(super) fn ended(keeping: Keeping) -> Result<Count, String> {
    let process = Process::new(Known::Registers, |_| ());
    let manager = into_manager(process.logged_in());
    process.network.with(|world, _| world.revoke_everything());
    process.cost(|| again(&process, manager, keeping))
}

fn kept(process: &Process, keeping: Keeping) -> Option<AuthorizationMetadata> {
    (keeping == Keeping::Metadata).then(|| process.metadata())
}

pub(super) fn ended_restored(keeping: Keeping) -> Result<Count, String> {
    let process = Process::new(Known::Registers, |_| ());
    drop(process.logged_in());
    process.network.with(|world, _| world.revoke_everything());
    let metadata = kept(&process, keeping);
    process.cost(|| again(&process, process.restored(metadata), keeping))
}

pub(super) fn restored_live(keeping: Keeping) -> Result<Count, String> {
    let process = Process::new(Known::Registers, |_| ());
    drop(process.logged_in());
    let metadata = kept(&process, keeping);
    process.cost(|| process.requests(&process.client(process.restored(metadata)), 1))
}

/// A login whose token has run out as it comes; the next ones live.
fn run_out() -> (Process, OAuthState) {
    let process = Process::new(Known::Registers, |dials| dials.access_lifetime = 0);
    let state = process.logged_in();
    process.network.with(|world, _| world.dials_mut().access_lifetime = 3600);
    (process, state)
}

pub(super) fn restored_expired(keeping: Keeping) -> Result<Count, String> {
    let (process, _) = run_out();
    let metadata = kept(&process, keeping);
    process.cost(|| process.requests(&process.client(process.restored(metadata)), 1))
}

pub(super) fn expired(requests: usize) -> Result<Count, String> {
    let (process, state) = run_out();
    let client = process.client(into_manager(state));
    process.cost(|| process.requests(&client, requests))
}

pub(super) fn refused(requests: usize) -> Result<Count, String> {
    let process = Process::new(Known::Registers, |_| ());
    let client = process.client(into_manager(process.logged_in()));
    process.network.with(|world, _| world.expire_access_tokens());
    process.cost(|| process.requests(&client, requests))
}

pub(super) fn stepped_up(known: Known, scope: RegistrationScope) -> Result<Count, String> {
    let process = Process::new(known, |dials| dials.registration_scope = scope);
    let mut state = process.logged_in();
    let token = |state: &OAuthState| match state {
        OAuthState::Authorized(manager) => process.network.run(manager.get_access_token()).expect("a token"),
        _ => panic!("it is authorized"),
    };
    let challenge = process.refusal(WRITE, Some(&token(&state))).expect("it takes more");
    let (_, rest) = challenge.split_once("scope=\"").expect("a scope");
    let wanted = rest.split('"').next().expect("its value").to_owned();
    process.cost(|| {
        process.network.run(async {
            let url = state.request_scope_upgrade(&wanted, documents::REDIRECT).await;
            let url = url.map_err(|error| error.to_string())?;
            process.consent(&mut state, &url).await
        })?;
        let left = process.refusal(WRITE, Some(&token(&state)));
        left.map_or(Ok(()), |challenge| Err(format!("refused again: {challenge}")))
    })
}
