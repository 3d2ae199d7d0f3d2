//! Awaits the answer to a registration request (RFC 7591).

use std::borrow::Cow;

use super::fetch::unanswered;
use super::server_metadata::Found;
use super::world::{Order, Sent};
use super::{Pending, Step, Turn, World, client};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::redaction::Redaction;
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::event::Answer;
use crate::grant_type::GrantType;
use crate::trail::Verdict;
use crate::wire::client::{AuthMethod, Client, method_to_register};
use crate::wire::registration::Registration;

const CLAUSE: &str = "RFC 7591 §3";

#[derive(Clone, Debug)]
pub(crate) struct Registering {
    pub(crate) pending: Pending,
    carried: Redaction,
    to: Endpoint,
    found: Found,
    method: AuthMethod,
    /// The scopes that it names: what will be asked for, or none.
    scopes: Scopes,
}

/// Registers for what will be asked for and nothing else, because some servers refuse a scope that they do not know.
pub(crate) fn begin(world: &mut World, found: Found, to: Endpoint) -> Turn {
    let scopes = found.asked.clone();
    send(world, found, to, scopes)
}

fn send(world: &mut World, found: Found, to: Endpoint, scopes: Scopes) -> Turn {
    match request(world, &found, &to, &scopes) {
        Ok((Sent { pending, carried }, method)) => {
            let registering = Registering { pending, carried, to, found, method, scopes };
            Turn::Await(Step::Registering(Box::new(registering)))
        }
        Err(breach) => breach.into(),
    }
}

fn request(
    world: &mut World,
    found: &Found,
    to: &Endpoint,
    scopes: &Scopes,
) -> Result<(Sent, AuthMethod), Breach> {
    let method = match by_policy(world, found) {
        Some(method) => method_to_register(Some(&[method.as_str().to_owned()]))?,
        None => method_to_register(found.token_endpoint_auth_methods_supported.as_deref())?,
    };
    let server = &found.server;
    let statement = world.config.software_statement_for(&server.named).cloned();
    let mut client = Cow::Borrowed(world.config.client());
    if *world.config.flow() == GrantType::DeviceCode {
        let device_code = "urn:ietf:params:oauth:grant-type:device_code";
        client.to_mut().grant_types = [device_code, "refresh_token"].map(str::to_owned).to_vec();
    }
    let body = client.registration_body(method, scopes, statement.as_ref());
    let text = String::from_utf8(body).unwrap_or_default();
    let bearer = world.config.registration_token(&server.named);
    let authorization = bearer.map(|token| Secret::new(format!("Bearer {}", token.expose())));
    world.note(Verdict::Decided, ["register, to authenticate with ", method.as_str()].concat(), CLAUSE);
    let sent = world.send(Order {
        purpose: Purpose::Registration,
        to,
        clause: CLAUSE,
        authorization: authorization.as_ref(),
        proof: None,
        content: Some(("application/json", Secret::new(text))),
        secrets: statement.iter().collect(),
    })?;
    Ok((sent, method))
}

/// The method that policy names, whatever the server lists or registers. None does at endpoints that are guessed.
fn by_policy(world: &World, found: &Found) -> Option<AuthMethod> {
    let policy = world.config.issuer_policy(&found.server.named).auth_method;
    policy.filter(|_| !found.guessed)
}

impl Registering {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let mut retry_at = None;
        let (status, read) = match answer.response() {
            Ok(response) => {
                let status = response.status.as_u16();
                retry_at = response.retry_at(world.now);
                (
                    Some(status),
                    Registration::read(status, &response.body).and_then(|it| self.judge(world, it)),
                )
            }
            Err(failure) => (None, Err(unanswered(&failure, CLAUSE))),
        };
        match read {
            Ok(client) => {
                let note = ["registered as ", &client.id].concat();
                world.taken(self.to.as_given(), status.unwrap_or_default(), note, CLAUSE);
                world.learnt.register(&self.found.server.issuer, &client);
                client::agreed(world, self.found, client, "the client as it is registered now")
            }
            Err(breach) => {
                let breach = self.carried.clear(breach);
                world.passed_over(self.to.as_given(), status, &breach);
                world.retry_at = retry_at;
                if breach.error.as_deref() == Some("invalid_client_metadata") && !self.scopes.is_empty() {
                    let note = "some servers register no scopes: once more without";
                    world.note(Verdict::Decided, note, "RFC 7591 §2");
                    return send(world, self.found, self.to, Scopes::new());
                }
                let refused = matches!(breach.kind, Kind::RegistrationRejected | Kind::RegistrationUnusable);
                if refused && world.config.policies().ask_for_client {
                    client::without_client(world, self.found)
                } else {
                    breach.into()
                }
            }
        }
    }

    fn judge(&self, world: &World, registration: Registration) -> Result<Client, Breach> {
        let registration = match by_policy(world, &self.found) {
            Some(method) => registration.with_method(method),
            None => registration,
        };
        let client = registration.judge(self.method, world.config.redirect_url(), world.now)?;
        // A metadata document comes first; where it is supported and could not be used, that is remembered.
        let supported = self.found.client_id_metadata_document_supported;
        let instead_of = world.config.client_document().filter(|_| supported).map(str::to_owned);
        // A server that registers fewer than it was asked for would do so again; it is asked for them all the same.
        let scopes = client.scopes.as_ref().map(|registered| registered.union(&self.scopes));
        Ok(Client { instead_of, scopes, ..client })
    }
}
