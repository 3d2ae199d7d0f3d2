//! The first step of every attempt: what does the store hold, and does it serve?

use super::{Aim, Pending, Refreshing, Step, Turn, World, consent, resource_metadata};
use crate::base::breach::{Breach, Kind};
use crate::credential::{Credential, VERSION};
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::policy::{ScopeSources, ServerChoice};
use crate::step::Terms;
use crate::trail::Verdict;
use crate::wire::client::{Client, Origin};
use crate::wire::resource_metadata::covers;

#[derive(Debug)]
pub(crate) struct Restoring {
    pub(crate) pending: Pending,
    aim: Aim,
}

/// Begins an attempt.
pub(crate) fn begin(world: &mut World, aim: Aim) -> Turn {
    let pending = world.load();
    Turn::Await(Step::Restoring(Box::new(Restoring { pending, aim })))
}

impl Restoring {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let mut aim = self.aim;
        match answer {
            Answer::Found(found) => {
                let found = found.map(|found| *found);
                // A store that lost a record, or kept an older one, does not take away what is in memory.
                aim.replaces = found.as_ref().map(|found| found.generation);
                let newer = found
                    .filter(|found| aim.held.as_ref().is_none_or(|held| held.generation < found.generation));
                if let Some(newer) = newer.and_then(|found| adopt(world, found)) {
                    aim.held = Some(Box::new(newer));
                }
            }
            Answer::LoadFailed(why) => {
                let breach =
                    Breach::new(Kind::StoreFailed, "mcp-auth, credential store", "a record, or none", why);
                if aim.held.is_none() {
                    return breach.into();
                }
                world.trail.breach(world.now, Verdict::PassedOver, None, None, &breach);
            }
            Answer::Saved(_)
            | Answer::Response(_)
            | Answer::SendFailed(_)
            | Answer::Told(_)
            | Answer::Unasked(_) => {}
        }
        decide(world, aim)
    }
}

/// What the credential at hand is good for.
fn decide(world: &mut World, mut aim: Aim) -> Turn {
    let Some(held) = aim.held.take() else { return discover(world, aim) };
    let refused = aim.refused == Some(held.generation);
    let challenged = aim.demand.scope.as_ref().filter(|_| aim.step_up);
    let required = challenged.map_or_else(|| aim.wanted.clone(), |scope| scope.union(&aim.wanted));
    let sufficient = required.is_subset(&held.granted);
    if sufficient && !(aim.step_up && refused) {
        if !refused && held.is_live(world.now, world.config.policies().expiry_margin) {
            return Turn::Granted { credential: held, source: TokenSource::Kept, unsaved: None };
        }
        // A token that was renewed for this very request and refused again will not get better by renewing.
        let spent = world.spent == Some(held.generation);
        if held.refresh_token.is_some() && !spent && !(refused && aim.renewed) {
            return Refreshing::begin(world, aim, held);
        }
    }
    aim.step_up |= !sufficient;
    aim.held = Some(held);
    discover(world, aim)
}

/// A person is needed.
pub(crate) fn discover(world: &mut World, aim: Aim) -> Turn {
    if !aim.interactive {
        return Turn::Anonymous;
    }
    if let Some(breach) = aim.quiet {
        return breach.into();
    }
    match known_terms(world, &aim) {
        Some(terms) => consent::begin(world, terms),
        None => resource_metadata::begin(world, aim),
    }
}

/// A step-up to known scopes needs no discovery: the record names the server, the endpoints and the client. Unless
/// the challenge names metadata elsewhere than where the record's was found; then that is read.
fn known_terms(world: &World, aim: &Aim) -> Option<Terms> {
    let held = aim.held.as_ref().filter(|held| aim.step_up && world.knows(held))?;
    let elsewhere = |url: &String| held.resource_metadata.as_ref() != Some(url);
    if aim.demand.resource_metadata.iter().any(elsewhere) {
        return None;
    }
    let challenged = aim.demand.scope.as_ref();
    if challenged.is_none() && aim.wanted.is_empty() {
        return None;
    }
    if !held.client.usable(world.now, world.config.redirect_url()) {
        return None;
    }
    let sources = ScopeSources {
        challenged: Some(challenged.unwrap_or(&aim.wanted)),
        asked: Some(&held.asked),
        wanted: Some(&aim.wanted),
        step_up: true,
        ..ScopeSources::default()
    };
    Some(Terms {
        server: held.authorization_server.clone(),
        client: held.client.clone(),
        resource: held.resource.clone(),
        resource_metadata: held.resource_metadata.clone(),
        asked: world.config.scope_rule().select(sources),
        replaces: aim.replaces,
        generation: aim.next_generation(),
    })
}

/// A record is used only if it is of this form, this server, this client and this authorization server. What the
/// record says is not trusted further than what the wire says: its URLs pass the guard when they are used.
fn adopt(world: &mut World, found: Credential) -> Option<Credential> {
    let reason = if found.version != VERSION {
        Some("it has another version")
    } else if found.server != world.config.server_url() || !covers(&found.resource, world.server.url()) {
        Some("it is for another resource")
    } else if !is_chosen(world, &found) {
        Some("it is from another authorization server than the one that policy names")
    } else if http::HeaderValue::from_str(found.access_token.expose()).is_err() {
        Some("its token is none that a header field may carry")
    } else {
        None
    };
    let client = current_client(world, &found);
    match (reason, client) {
        (None, Some(client)) => Some(Credential { client, ..found }),
        (reason, _) => {
            let reason = reason.unwrap_or("it is of another client than the one that is configured");
            world.note(
                Verdict::PassedOver,
                format!("the stored credential: {reason}"),
                "mcp-auth, credential store",
            );
            None
        }
    }
}

fn is_chosen(world: &World, found: &Credential) -> bool {
    match &world.config.policies().authorization_server {
        ServerChoice::InOrder => true,
        ServerChoice::Pinned(issuer) => world.config.is_issuer(issuer, &found.authorization_server.named),
    }
}

/// The record's client, if the configuration still has it that way. A configured secret may have been changed
/// since, so it is taken from the configuration.
fn current_client(world: &World, found: &Credential) -> Option<Client> {
    let server = &found.authorization_server;
    let configured = world.config.known_clients().iter().find(|known| match &known.issuer {
        Some(issuer) => world.config.is_issuer(issuer, &server.named),
        None => known.client_id == found.client.id,
    });
    match (configured, found.client.origin) {
        (Some(known), Origin::Preregistered) if known.client_id == found.client.id => {
            Some(Client { secret: known.client_secret.clone(), ..found.client.clone() })
        }
        (Some(_), _) | (None, Origin::Preregistered) => None,
        (None, Origin::MetadataDocument) => {
            let same = world.config.client_document() == Some(found.client.id.as_str());
            same.then(|| found.client.clone())
        }
        (None, Origin::Dynamic | Origin::Prompted) => Some(found.client.clone()),
    }
}
