//! Requests of the small client, authorized by rmcp.

use std::cell::{Cell, RefCell};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use rmcp::transport::auth::enterprise::{
    EmaAuthorizationServer, EmaClientAuthentication, EmaExchangeRequest,
};
use rmcp::transport::auth::{
    AuthorizationManager, AuthorizationRequest, ClientCredentialsConfig, JwtSigningAlgorithm,
    OAuthHttpClient, OAuthHttpClientFuture, OAuthHttpRequest, OAuthState,
};
use serde_json::{Map, Value};

use crate::answer::Body;
use crate::browser::Browser;
use crate::causes::with_causes;
use crate::mcp::Transport;

/// The one client identifier that the suite's authorization servers take for a metadata document.
const CLIENT_DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";
/// Nothing listens there: the suite's browser never follows the redirect.
const REDIRECT: &str = "http://localhost:3000/callback";
/// How often one request is authorized: rmcp leaves that to its caller, and the suite allows three.
const AUTHORIZATIONS: u32 = 3;

/// What the suite hands over.
pub(crate) struct Given(Map<String, Value>);

impl Given {
    pub(crate) fn read(context: Option<&str>) -> Result<Self, String> {
        let Some(text) = context else { return Ok(Self(Map::new())) };
        serde_json::from_str(text).map(Self).map_err(|_| "MCP_CONFORMANCE_CONTEXT is no object".to_owned())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn needed(&self, name: &str) -> Result<String, String> {
        self.text(name).map(str::to_owned).ok_or_else(|| format!("{name} was not handed over"))
    }
}

/// How a request stands.
enum Standing {
    /// The state machine of rmcp's for a person's login.
    Person(Box<OAuthState>),
    /// A token that was obtained without one.
    Token(String),
}

pub(crate) struct Player {
    url: String,
    given: Given,
    http: reqwest::Client,
    browser: Browser,
    standing: RefCell<Option<Standing>>,
    authorizations: Cell<u32>,
}

impl Player {
    pub(crate) fn new(url: &str, given: Given) -> Result<Self, String> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = http.build().map_err(|error| error.to_string())?;
        let browser = Browser::new(http.clone());
        let (standing, authorizations) = (RefCell::new(None), Cell::new(0));
        Ok(Self { url: url.to_owned(), given, http, browser, standing, authorizations })
    }

    async fn token(&self) -> Result<Option<String>, String> {
        match self.standing.take() {
            None => Ok(None),
            Some(Standing::Token(token)) => {
                self.standing.replace(Some(Standing::Token(token.clone())));
                Ok(Some(token))
            }
            Some(Standing::Person(state)) => {
                let OAuthState::Authorized(manager) = &*state else {
                    return Err("a login has not ended".into());
                };
                let token = manager.get_access_token().await.map_err(told)?;
                self.standing.replace(Some(Standing::Person(state)));
                Ok(Some(token))
            }
        }
    }

    /// What follows a refusal. `Ok` if the request is to be sent again.
    async fn authorize(&self, answer: &reqwest::Response) -> Result<(), String> {
        let challenge = answer.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = challenge.unwrap_or_default().to_owned();
        let more = answer.status() == StatusCode::FORBIDDEN;
        let name = self.given.text("name").unwrap_or_default();
        let standing = match self.standing.take() {
            Some(Standing::Person(mut state)) if more => {
                let (_, rest) = challenge.split_once("scope=\"").ok_or("403 without a scope")?;
                let scope = rest.split('"').next().unwrap_or_default();
                let url = state.request_scope_upgrade(scope, REDIRECT).await.map_err(told)?;
                self.consent(&mut state, &url).await?;
                Standing::Person(state)
            }
            _ if name.contains("client-credentials") => self.own(&challenge).await?,
            _ if self.given.text("idp_issuer").is_some() => self.enterprise(&challenge).await?,
            _ if self.given.text("valid_jwt").is_some() => return Err("rmcp has no such grant".to_owned()),
            _ => self.person(challenge).await?,
        };
        self.standing.replace(Some(standing));
        Ok(())
    }

    async fn person(&self, challenge: String) -> Result<Standing, String> {
        let mut state = OAuthState::new(self.url.as_str(), None).await.map_err(told)?;
        let mut request = AuthorizationRequest::new(REDIRECT)
            .with_client_name("rmcp, counted")
            .with_client_metadata_url(CLIENT_DOCUMENT)
            .with_initial_scope_selection()
            .with_challenge(challenge);
        if let Some(client) = self.given.text("client_id") {
            request = request.with_preregistered_client(client);
        }
        if let Some(secret) = self.given.text("client_secret") {
            request = request.with_client_secret(secret);
        }
        state.start_authorization(request).await.map_err(told)?;
        let url = state.get_authorization_url().await.map_err(told)?;
        self.consent(&mut state, &url).await?;
        Ok(Standing::Person(Box::new(state)))
    }

    async fn consent(&self, state: &mut OAuthState, url: &str) -> Result<(), String> {
        let callback = self.browser.open(url).await?;
        state.handle_callback_url(&callback).await.map_err(told)
    }

    async fn discovered(
        &self,
        challenge: &str,
    ) -> Result<(AuthorizationManager, String, String, String), String> {
        let mut manager = AuthorizationManager::new(self.url.as_str()).await.map_err(told)?;
        let found = manager.resolve_metadata_from_challenge(Some(challenge)).await.map_err(told)?.metadata;
        let issuer = found.issuer.clone().unwrap_or_default();
        let endpoint = found.token_endpoint.clone();
        manager.set_metadata(found);
        Ok((manager, issuer, endpoint, self.url.clone()))
    }

    /// A client that acts for itself.
    async fn own(&self, challenge: &str) -> Result<Standing, String> {
        let (mut manager, _, _, resource) = self.discovered(challenge).await?;
        let (client_id, resource, scopes) = (self.given.needed("client_id")?, Some(resource), Vec::new());
        let config = match self.given.text("private_key_pem") {
            Some(key) => ClientCredentialsConfig::PrivateKeyJwt {
                client_id,
                signing_key: key.as_bytes().to_vec(),
                signing_algorithm: JwtSigningAlgorithm::ES256,
                token_endpoint_audience: None,
                scopes,
                resource,
            },
            None => {
                let client_secret = self.given.needed("client_secret")?;
                ClientCredentialsConfig::ClientSecret { client_id, client_secret, scopes, resource }
            }
        };
        manager.validate_client_credentials_metadata(&config).map_err(told)?;
        manager.configure_client_credentials(&config).map_err(told)?;
        manager.exchange_client_credentials(&config).await.map_err(told)?;
        Ok(Standing::Token(manager.get_access_token().await.map_err(told)?))
    }

    /// rmcp takes issuer and token endpoint from whoever calls it: from the metadata that it reads itself.
    async fn enterprise(&self, challenge: &str) -> Result<Standing, String> {
        let (_, issuer, endpoint, resource) = self.discovered(challenge).await?;
        let (given, id_token) = (|name| self.given.needed(name), self.given.needed("idp_id_token")?);
        let provider = EmaAuthorizationServer::new(
            given("idp_issuer")?,
            given("idp_token_endpoint")?,
            given("idp_client_id")?,
        );
        let secret = EmaClientAuthentication::ClientSecretBasic(
            serde_json::from_value(given("client_secret")?.into()).map_err(|_| "a secret is text")?,
        );
        let server = EmaAuthorizationServer::new(issuer, endpoint, given("client_id")?)
            .with_client_authentication(secret);
        let request = EmaExchangeRequest::new_with_id_token(provider, server, &resource, &id_token);
        let over = Over(self.http.clone());
        let token = request.exchange(&over, &over).await.map_err(told)?;
        let token = serde_json::to_value(&token.access_token).map_err(told)?;
        Ok(Standing::Token(token.as_str().unwrap_or_default().to_owned()))
    }
}

fn told(error: impl std::error::Error + 'static) -> String {
    with_causes(&error)
}

/// rmcp's seam for HTTP, for what does not bring its own.
struct Over(reqwest::Client);

impl OAuthHttpClient for Over {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request.request)?;
            let answer = self.0.execute(request).await?;
            let mut response = Response::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok(response)
        })
    }
}

impl Transport for Player {
    type Body = Incoming;

    async fn send(&self, request: Request<Vec<u8>>, operation: &str) -> Result<Response<Incoming>, String> {
        let said = |why: String| format!("{operation}: {why}");
        loop {
            let mut request = request.clone();
            if let Some(token) = self.token().await.map_err(said)? {
                let value = format!("Bearer {token}").parse().map_err(|_| said("no token".to_owned()))?;
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            let request = reqwest::Request::try_from(request).map_err(|error| said(told(error)))?;
            let answer = self.http.execute(request).await.map_err(|error| said(told(error)))?;
            let refused = matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let so_far = self.authorizations.get();
            if !refused || so_far == AUTHORIZATIONS {
                let mut response = Response::new(());
                *response.status_mut() = answer.status();
                *response.headers_mut() = answer.headers().clone();
                return Ok(response.map(|()| Incoming(answer)));
            }
            self.authorizations.set(so_far + 1);
            self.authorize(&answer).await.map_err(said)?;
        }
    }
}

pub(crate) struct Incoming(reqwest::Response);

impl Body for Incoming {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.chunk().await.map_err(told)?.map(Vec::from))
    }
}
