//! Awaits the person: the authorization request is in the browser, its response comes to the redirect URI.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Aim, Pending, Step, Terms, Turn, World, exchange, push, restore};
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::base::seed::Draw;
use crate::base::time::Timestamp;
use crate::event::{Answer, RequestId};
use crate::trail::Verdict;
use crate::wire::authorization::{AuthorizationRequest, code_challenge};
use crate::wire::callback::{Answered, Callback, Expected, Iss, Refused};
use crate::wire::challenge::Demand;
use crate::wire::client::{Client, Origin};
use crate::wire::pushed::Pushed;

const REQUEST: &str = "RFC 6749 §4.1.1";

#[derive(Clone, Debug)]
pub(crate) struct Consenting {
    pub(crate) pending: Pending,
    aim: Aim,
    consent: Consent,
}

/// Everything that the response will be held against, and what follows it: one record for one `state`, used once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) terms: Terms,
    pub(crate) state: Secret,
    code_verifier: Secret,
}

impl Consent {
    /// The same, with the client as it is configured now.
    pub(crate) fn of(mut self, client: Client) -> Self {
        self.terms.client = client;
        self
    }
}

pub(crate) fn begin(world: &mut World, aim: Aim, terms: Terms) -> Turn {
    let state = Secret::new(world.draws.token(Draw::State));
    let code_verifier = Secret::new(world.draws.token(Draw::CodeVerifier));
    let consent = Consent { terms, state, code_verifier };
    let endpoint = match consent.terms.authorization_endpoint(world, REQUEST) {
        Ok(endpoint) => endpoint,
        Err(breach) => return breach.into(),
    };
    note_deviations(world, &consent);
    let policy = world.config.issuer_policy(&consent.terms.server.named);
    let code_challenge = code_challenge(&consent.code_verifier);
    let request = AuthorizationRequest {
        endpoint: &endpoint,
        client_id: &consent.terms.client.id,
        redirect_uri: world.config.redirect_url(),
        scopes: &consent.terms.asked,
        state: consent.state.expose(),
        code_challenge: &code_challenge,
        resource: exchange::indicated(&policy.resource, &consent.terms.resource),
        dpop_jkt: consent.terms.binding.as_ref().map(|binding| binding.thumbprint.as_str()),
        extra: &policy.extra,
    };
    if let Some(url) = consent.terms.server.pushed_authorization_request_endpoint.clone() {
        let parameters = request.parameters().map(|parameters| {
            let owned =
                |(name, value): (&str, Cow<'_, str>)| (Cow::Owned(name.to_owned()), Secret::new(value));
            parameters.into_iter().map(owned).collect()
        });
        return match parameters {
            Ok(parameters) => push::begin(world, aim, consent, &url, parameters),
            Err(breach) => breach.into(),
        };
    }
    match request.url() {
        Ok(url) => open(world, aim, consent, url),
        Err(breach) => breach.into(),
    }
}

/// The request was pushed ahead; the browser carries the reference to it.
pub(crate) fn open_pushed(world: &mut World, aim: Aim, consent: Consent, pushed: &Pushed) -> Turn {
    let terms = &consent.terms;
    let endpoint = terms.authorization_endpoint(world, REQUEST);
    match endpoint.and_then(|endpoint| pushed.url(&endpoint, &terms.client.id)) {
        Ok(url) => open(world, aim, consent, url),
        Err(breach) => breach.into(),
    }
}

fn open(world: &mut World, aim: Aim, consent: Consent, url: Url) -> Turn {
    world.note(Verdict::Decided, ["ask for consent at ", &consent.terms.server.issuer].concat(), REQUEST);
    let pending = world.open(url);
    Turn::Await(Step::Consenting(Box::new(Consenting { pending, aim, consent })))
}

fn note_deviations(world: &mut World, consent: &Consent) {
    exchange::note_resource(world, &consent.terms.server.named);
    let policy = world.config.issuer_policy(&consent.terms.server.named);
    let names: Vec<_> = policy.extra.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        let note = format!("`extra` adds {}", names.join(" and "));
        world.note(Verdict::Deviation, note, REQUEST);
    }
}

impl Consenting {
    /// Takes up a consent that was begun elsewhere.
    pub(crate) fn resume(consent: Consent, deadline: Timestamp) -> Step {
        // No action of this machine is being answered, so the number is one that is never given out.
        let pending = Pending { id: RequestId(0), deadline };
        // Should it have to begin again with another client, it is for the same.
        let Terms { resource_metadata, asked, binding, .. } = &consent.terms;
        let demand = Demand {
            resource_metadata: resource_metadata.iter().map(|url| url.to_string()).collect(),
            dpop: binding.is_some(),
            ..Demand::default()
        };
        let aim = Aim { demand, wanted: asked.clone(), interactive: true, ..Aim::default() };
        Step::Consenting(Box::new(Self { pending, aim, consent }))
    }

    /// What another machine needs to go on. What the guard of this one has let pass is left out: the other has its own.
    pub(crate) fn consent(&self) -> Consent {
        let mut consent = self.consent.clone();
        consent.terms.endpoints = None;
        consent
    }

    pub(crate) fn on(self: Box<Self>, answer: Answer) -> Turn {
        match answer.unasked() {
            Some(why) => Breach::new(Kind::Unasked, REQUEST, "a person who can be asked", why).into(),
            None => Turn::Await(Step::Consenting(self)),
        }
    }

    pub(crate) fn called(self: Box<Self>, world: &mut World, callback: &Callback) -> Turn {
        let server = &self.consent.terms.server;
        let policy = world.config.issuer_policy(&server.named);
        let judged = callback.judge(&Expected {
            state: &self.consent.state,
            issuer: &server.issuer,
            iss_required: world.config.policies().demands_iss(server.iss_parameter_supported),
            issuer_aliases: &policy.issuer_aliases,
        });
        match judged {
            Ok(Answered { code, iss }) => {
                world.note(Verdict::Checked, "`state` is the one that was sent", "RFC 6749 §10.12");
                let issuer = &server.issuer;
                let (verdict, note) = match iss {
                    Iss::Same => (Verdict::Checked, ["`iss` is ", issuer].concat()),
                    Iss::Alias => {
                        (Verdict::Deviation, format!("`iss` is taken for {issuer} by `issuer_aliases`"))
                    }
                    Iss::Absent => (Verdict::Decided, "there is no `iss`, and none is promised".to_owned()),
                };
                world.note(verdict, note, "RFC 9207 §2.4");
                let Consent { terms, code_verifier, .. } = self.consent;
                exchange::begin(world, terms, &code, &code_verifier)
            }
            // Anyone can send a browser to the redirect URI. An answer to another request must not end this one.
            Err(Refused::Foreign(breach)) => {
                world.trail.breach(world.now, Verdict::PassedOver, None, None, &breach);
                Turn::Await(Step::Consenting(self))
            }
            Err(Refused::Fatal(breach)) => {
                let terms = &self.consent.terms;
                match (breach.error.as_deref(), terms.client.origin) {
                    // The server could not make use of the document; there may be another way.
                    (Some("invalid_client" | "unauthorized_client"), Origin::MetadataDocument) => {
                        self.disowned(world, breach)
                    }
                    // It registered this client, and does not let it do what it asks; the next login registers anew.
                    (Some("invalid_client" | "unauthorized_client" | "invalid_scope"), Origin::Dynamic) => {
                        world.learnt.disown(&terms.server.issuer, &terms.client);
                        breach.into()
                    }
                    _ => breach.into(),
                }
            }
        }
    }

    /// The authorization server does not know the client, or cannot use its metadata document: the next way to a
    /// client is tried, once.
    pub(crate) fn disowned(self: Box<Self>, world: &mut World, breach: Breach) -> Turn {
        let Self { aim, consent, .. } = *self;
        let terms = &consent.terms;
        if terms.client.origin == Origin::Preregistered || aim.disowned {
            return breach.into();
        }
        world.learnt.disown(&terms.server.issuer, &terms.client);
        world.trail.breach(world.now, Verdict::PassedOver, None, None, &breach);
        restore::discover(world, Aim { disowned: true, ..aim })
    }

    /// An authorization server that no longer knows the client shows the person an error and sends nobody back
    /// (RFC 6749 §4.1.2.1), which looks like a person who walked away. So a client that registered itself does it
    /// anew next time.
    pub(crate) fn expired(&self, world: &mut World) -> Turn {
        let terms = &self.consent.terms;
        if terms.client.origin == Origin::Dynamic {
            world.learnt.disown(&terms.server.issuer, &terms.client);
        }
        let expected = "an authorization response in time";
        Breach::new(Kind::ConsentTimedOut, "RFC 6749 §4.1.2", expected, "none").into()
    }
}
