//! Awaits the token answer to a refresh token (RFC 6749 §6).

use http::StatusCode;

use super::{Aim, Pending, Step, Terms, Turn, World, exchange, restore, save};
use crate::base::breach::Kind;
use crate::credential::Credential;
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::trail::Verdict;
use crate::wire::token::Grant;

const CLAUSE: &str = "RFC 6749 §6";

#[derive(Debug)]
pub(crate) struct Refreshing {
    pub(crate) pending: Pending,
    aim: Aim,
    held: Box<Credential>,
    terms: Terms,
}

impl Refreshing {
    pub(crate) fn begin(world: &mut World, mut aim: Aim, held: Box<Credential>) -> Turn {
        let generation = aim.next_generation();
        let terms = Terms {
            server: held.authorization_server.clone(),
            client: held.client.clone(),
            resource: held.resource.clone(),
            resource_metadata: held.resource_metadata.clone(),
            asked: held.asked.clone(),
            replaces: aim.replaces,
            generation: generation.max(held.generation.next()),
        };
        let Some(refresh_token) = &held.refresh_token else {
            aim.held = Some(held);
            return restore::discover(world, aim);
        };
        let grant = Grant::RefreshToken { refresh_token, scopes: None };
        match exchange::send(world, &terms, grant, CLAUSE) {
            Ok(pending) => {
                world.note(Verdict::Decided, "the refresh token is used", CLAUSE);
                Turn::Await(Step::Refreshing(Box::new(Self { pending, aim, held, terms })))
            }
            Err(breach) => breach.into(),
        }
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { mut aim, held, terms, .. } = self;
        let gone = matches!(&answer, Answer::Response(it) if matches!(it.status, StatusCode::NOT_FOUND | StatusCode::GONE));
        let token = match exchange::read(world, &terms, answer, CLAUSE) {
            Ok(token) => token,
            // Only the server's own word that the grant, the client or the endpoint is no more leads to a person.
            // Whatever may pass by itself is a failure, and the refresh token is kept.
            Err(breach) if gone || matches!(breach.kind, Kind::GrantRejected | Kind::ClientRejected) => {
                world.spent = Some(held.generation);
                if breach.kind == Kind::ClientRejected {
                    world.disown(&held.authorization_server.issuer, &held.client);
                }
                aim.held = Some(held);
                if std::mem::replace(&mut aim.reread, true) {
                    return restore::discover(world, aim);
                }
                // It may have been refused because another process has used it meanwhile, and stored its successor.
                return restore::begin(world, aim);
            }
            Err(breach) => return breach.into(),
        };
        let credential = Box::new(Credential {
            generation: terms.generation,
            granted: token.granted.unwrap_or_else(|| held.granted.clone()),
            access_token: token.access_token,
            refresh_token: token.refresh_token.or_else(|| held.refresh_token.clone()),
            obtained_at: world.now,
            expires_at: token.expires_at,
            ..*held
        });
        save::begin(world, credential, aim.replaces, TokenSource::Refreshed)
    }
}
