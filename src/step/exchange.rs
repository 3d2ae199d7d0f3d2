//! Awaits the token answer to an authorization code (RFC 6749 §4.1.3).

use std::borrow::Cow;
use std::sync::Arc;

use super::fetch::unanswered;
use super::post::{Letter, Post, Posted};
use super::{Step, Terms, Turn, World, client};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::credential::{AuthorizationServer, Credential, Generation, VERSION};
use crate::event::{Answer, Response, SendFailure};
use crate::outcome::TokenSource;
use crate::policy::ResourceIndicator;
use crate::trail::Verdict;
use crate::wire::client::{Client, Origin};
use crate::wire::token::{Grant, TokenAnswer, TokenRequest, TokenShape};

const CLAUSE: &str = "RFC 6749 §4.1.3";

#[derive(Clone, Debug)]
pub(crate) struct Exchanging {
    pub(crate) post: Box<Post>,
    terms: Terms,
}

pub(crate) fn begin(world: &mut World, terms: Terms, code: &Secret, code_verifier: &Secret) -> Turn {
    world.bind(&terms.server);
    let redirect_uri = world.config.redirect_url().to_owned();
    let grant = Grant::AuthorizationCode { code, redirect_uri: &redirect_uri, code_verifier };
    match post(world, &terms, grant, CLAUSE) {
        Ok(post) => Turn::Await(Step::Exchanging(Box::new(Exchanging { post, terms }))),
        Err(breach) => breach.into(),
    }
}

/// Posts a token request to the one endpoint that belongs to the grant's issuer.
pub(crate) fn post(
    world: &mut World,
    terms: &Terms,
    grant: Grant<'_>,
    clause: &'static str,
) -> Result<Box<Post>, Breach> {
    note_resource(world, &terms.server.named);
    let policy = world.config.issuer_policy(&terms.server.named);
    let resource = indicated(&policy.resource, &terms.resource);
    let purpose = match grant {
        Grant::RefreshToken { .. } => Purpose::Refresh,
        Grant::AuthorizationCode { .. }
        | Grant::ClientCredentials { .. }
        | Grant::JwtBearer { .. }
        | Grant::TokenExchange { .. }
        | Grant::DeviceCode { .. } => Purpose::Token,
    };
    let client = presented(world, &terms.server, &terms.client);
    let request = TokenRequest { grant, client: &client, resource, assertion: None };
    let letter = Letter {
        purpose,
        to: terms.token_endpoint(world, clause)?,
        clause,
        issuer: terms.server.issuer.clone(),
        parameters: request.parameters(),
        client,
        binding: terms.binding.clone(),
    };
    Post::begin(world, letter)
}

/// As much of the client as is presented. How it authenticates was settled when it was chosen or taken up; where policy
/// says so, that is noted. Whoever is shown its secret is the only one from then on.
pub(crate) fn presented(world: &mut World, server: &AuthorizationServer, client: &Client) -> Client {
    if client.secret.is_some() {
        world.bind(server);
    }
    let Client { method, algorithm, origin, .. } = *client;
    if let Some((_, true)) = client::method(world, server, client) {
        let note = format!("the client authenticates with {} by `auth_method`", method.as_str());
        world.note(Verdict::Deviation, note, "RFC 8414 §2");
    }
    let secret = client.secret.clone();
    Client { secret, method, algorithm, ..Client::new(client.id.as_str(), origin) }
}

/// What goes out as `resource`: the same in the authorization request, the exchange, and every renewal.
pub(crate) fn indicated<'a>(rule: &'a ResourceIndicator, resource: &'a str) -> Option<&'a str> {
    match rule {
        ResourceIndicator::Send => Some(resource),
        ResourceIndicator::Override(text) => Some(text),
        ResourceIndicator::Omit => None,
    }
}

/// Notes, once for each attempt, that policy changes the resource indicator. Whatever names a resource comes by here first.
pub(crate) fn note_resource(world: &mut World, issuer: &str) {
    let note = match &world.config.issuer_policy(issuer).resource {
        ResourceIndicator::Send => return,
        ResourceIndicator::Override(_) => "`resource` is another by `resource: override`",
        ResourceIndicator::Omit => "`resource` is left out by `resource: omit`",
    };
    if !world.trail.entries().iter().any(|entry| entry.note == note) {
        world.note(Verdict::Deviation, note, "RFC 8707 §2");
    }
}

/// The resource indicator, as a parameter.
pub(crate) fn indication(world: &mut World, terms: &Terms) -> Vec<(Cow<'static, str>, Secret)> {
    note_resource(world, &terms.server.named);
    let policy = world.config.issuer_policy(&terms.server.named);
    let resource = indicated(&policy.resource, &terms.resource);
    resource.map(|resource| ("resource".into(), Secret::from(resource))).into_iter().collect()
}

/// The record of new tokens. Its generation is given when it is written.
pub(crate) fn credential(world: &World, terms: Terms, token: TokenAnswer) -> Credential {
    let Terms { server, client, resource, resource_metadata, asked, binding, endpoints: _ } = terms;
    Credential {
        version: VERSION,
        generation: Generation::default(),
        server: world.config.server_url().into(),
        resource,
        resource_metadata,
        authorization_server: server,
        client,
        granted: token.granted.unwrap_or_else(|| asked.clone()),
        asked,
        access_token: token.access_token,
        refresh_token: token.refresh_token,
        binding,
        obtained_at: world.now,
        expires_at: token.expires_at,
    }
}

/// Reads a token answer, and writes into the trail what came of it: nothing of what the request carried.
pub(crate) fn read(
    world: &mut World,
    terms: &Terms,
    carried: &Redaction,
    answered: Result<&Response, &SendFailure>,
    clause: &'static str,
) -> Result<TokenAnswer, Breach> {
    let url = &terms.server.token_endpoint;
    let response =
        answered.map_err(|failure| carried.clear(unanswered(failure, clause))).inspect_err(|breach| {
            world.passed_over(url, None, breach);
        })?;
    let status = response.status.as_u16();
    let shape = world.config.issuer_policy(&terms.server.named).token_shape;
    let bound = terms.binding.is_some();
    match TokenAnswer::read(status, response.content_type(), &response.body, world.now, shape, bound) {
        Ok(token) => {
            taken(world, terms, status, &token);
            Ok(token)
        }
        Err(breach) => {
            let breach = configured(terms, carried.clear(breach));
            world.passed_over(url, Some(status), &breach);
            Err(breach)
        }
    }
}

/// Writes into the trail what sort of token came.
pub(crate) fn taken(world: &mut World, terms: &Terms, status: u16, token: &TokenAnswer) {
    if world.config.issuer_policy(&terms.server.named).token_shape != TokenShape::default() {
        world.note(Verdict::Deviation, "the answer is read by `token_shape`", "RFC 6749 §5.1");
    }
    let renewable = if token.refresh_token.is_some() { "with" } else { "without" };
    let sort = if terms.binding.is_some() { "a token that is bound to the key" } else { "a Bearer token" };
    let note = format!("{sort}, {renewable} a refresh token");
    world.taken(&terms.server.token_endpoint, status, note, "RFC 6749 §5.1");
}

/// A client that the caller configured is not mended by registering or logging in again, but by the caller.
pub(crate) fn configured(terms: &Terms, breach: Breach) -> Breach {
    if breach.kind != Kind::ClientRejected || terms.client.origin != Origin::Preregistered {
        return breach;
    }
    let expected = format!("{} to know the configured client {}", terms.server.issuer, terms.client.id);
    let error = breach.error;
    Breach { error, ..Breach::new(Kind::Configuration, "RFC 6749 §5.2", expected, breach.got) }
}

/// A client that the server does not know is not used again.
pub(crate) fn disown_rejected(world: &mut World, terms: &Terms, breach: &Breach) {
    if breach.kind == Kind::ClientRejected {
        world.learnt.disown(&terms.server.issuer, &terms.client);
    }
}

impl Exchanging {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, terms } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => return Turn::Await(Step::Exchanging(Box::new(Self { post, terms }))),
            Posted::Failed(breach) => return breach.into(),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let retry_at = answer.retry_at(world.now);
        match read(world, &terms, &carried, answer.response().as_deref(), CLAUSE) {
            Ok(token) => {
                let credential = credential(world, terms, token);
                Turn::Obtained(Arc::new(credential), TokenSource::LoggedIn)
            }
            Err(breach) => {
                world.retry_at = retry_at;
                disown_rejected(world, &terms, &breach);
                breach.into()
            }
        }
    }
}
