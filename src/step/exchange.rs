//! Awaits the token answer to an authorization code (RFC 6749 §4.1.3).

use super::consent::indicated;
use super::fetch::unanswered;
use super::world::Order;
use super::{Pending, Step, Terms, Turn, World};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::credential::{Credential, Generation, VERSION};
use crate::event::Answer;
use crate::trail::Verdict;
use crate::wire::client::Origin;
use crate::wire::token::{Grant, TokenAnswer, TokenRequest, TokenShape};

const CLAUSE: &str = "RFC 6749 §4.1.3";

#[derive(Clone, Debug)]
pub(crate) struct Exchanging {
    pub(crate) pending: Pending,
    terms: Terms,
}

pub(crate) fn begin(world: &mut World, terms: Terms, code: &Secret, code_verifier: &Secret) -> Turn {
    let redirect_uri = world.config.redirect_url().to_owned();
    let grant = Grant::AuthorizationCode { code, redirect_uri: &redirect_uri, code_verifier };
    match send(world, &terms, grant, CLAUSE) {
        Ok(pending) => Turn::Await(Step::Exchanging(Box::new(Exchanging { pending, terms }))),
        Err(breach) => breach.into(),
    }
}

/// Sends a token request to the one endpoint that belongs to the grant's issuer.
pub(crate) fn send(
    world: &mut World,
    terms: &Terms,
    grant: Grant<'_>,
    clause: &'static str,
) -> Result<Pending, Breach> {
    let policy = world.config.issuer_policy(&terms.server.named);
    let resource = indicated(&policy.resource, &terms.resource);
    let purpose = match grant {
        Grant::AuthorizationCode { .. } => Purpose::Token,
        Grant::RefreshToken { .. } => Purpose::Refresh,
    };
    let message = TokenRequest { grant, client: &terms.client, resource }.build();
    world.send(Order {
        purpose,
        url: &terms.server.token_endpoint,
        clause,
        authorization: message.authorization.as_ref(),
        content: Some(("application/x-www-form-urlencoded", message.body)),
    })
}

/// Reads a token answer, and writes into the trail what came of it.
pub(crate) fn read(
    world: &mut World,
    terms: &Terms,
    answer: Answer,
    clause: &'static str,
) -> Result<TokenAnswer, Breach> {
    let url = &terms.server.token_endpoint;
    let response =
        answer.response().map_err(|failure| unanswered(&failure, clause)).inspect_err(|breach| {
            world.passed_over(url, None, breach);
        })?;
    let status = response.status.as_u16();
    let content_type = response.fields.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let shape = world.config.issuer_policy(&terms.server.named).token_shape;
    match TokenAnswer::read(status, content_type, &response.body, world.now, shape) {
        Ok(token) => {
            if shape != TokenShape::default() {
                let note = "the answer is read by `token_shape`";
                world.note(Verdict::Deviation, note, "RFC 6749 §5.1");
            }
            let renewable = if token.refresh_token.is_some() { "with" } else { "without" };
            world.taken(url, status, format!("a Bearer token, {renewable} a refresh token"), "RFC 6749 §5.1");
            Ok(token)
        }
        Err(breach) => {
            let breach = configured(terms, breach);
            world.passed_over(url, Some(status), &breach);
            Err(breach)
        }
    }
}

/// A client that the caller configured is not mended by registering or logging in again, but by the caller.
fn configured(terms: &Terms, breach: Breach) -> Breach {
    if breach.kind != Kind::ClientRejected || terms.client.origin != Origin::Preregistered {
        return breach;
    }
    let expected = format!("{} to know the configured client {}", terms.server.issuer, terms.client.id);
    Breach::new(Kind::Configuration, "RFC 6749 §5.2", expected, breach.got)
}

impl Exchanging {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let token = match read(world, &self.terms, answer, CLAUSE) {
            Ok(token) => token,
            Err(breach) => {
                if breach.kind == Kind::ClientRejected {
                    world.disown(&self.terms.server.issuer, &self.terms.client);
                }
                return breach.into();
            }
        };
        let Terms { server, client, resource, resource_metadata, asked } = self.terms;
        Turn::Obtained(Box::new(Credential {
            version: VERSION,
            generation: Generation::default(),
            server: world.config.server_url().to_owned(),
            resource,
            resource_metadata,
            authorization_server: server,
            client,
            granted: token.granted.unwrap_or_else(|| asked.clone()),
            asked,
            access_token: token.access_token,
            refresh_token: token.refresh_token,
            obtained_at: world.now,
            expires_at: token.expires_at,
        }))
    }
}
