//! Awaits the answer to a registration request (RFC 7591).

use super::fetch::unanswered;
use super::server_metadata::Found;
use super::world::Order;
use super::{Pending, Step, Turn, World, client};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::event::Answer;
use crate::trail::Verdict;
use crate::wire::client::{AuthMethod, Client, method_to_register};
use crate::wire::registration::Registration;

const CLAUSE: &str = "RFC 7591 §3";

#[derive(Clone, Debug)]
pub(crate) struct Registering {
    pub(crate) pending: Pending,
    found: Found,
    method: AuthMethod,
}

pub(crate) fn begin(world: &mut World, found: Found) -> Turn {
    match request(world, &found) {
        Ok((pending, method)) => {
            Turn::Await(Step::Registering(Box::new(Registering { pending, found, method })))
        }
        Err(breach) => breach.into(),
    }
}

fn request(world: &mut World, found: &Found) -> Result<(Pending, AuthMethod), Breach> {
    let offered = client::offered(world, &found.server, &found.metadata);
    let method = method_to_register(offered.as_deref())?;
    let body = world.config.client().registration_body(method, &found.asked);
    let text = String::from_utf8(body).unwrap_or_default();
    let server = &found.server;
    let bearer = world.config.registration_token(&server.named);
    let authorization = bearer.map(|token| Secret::new(format!("Bearer {}", token.expose())));
    world.note(Verdict::Decided, format!("register, to authenticate with {}", method.as_str()), CLAUSE);
    let pending = world.send(Order {
        purpose: Purpose::Registration,
        url: found.metadata.registration_endpoint.as_deref().unwrap_or_default(),
        clause: CLAUSE,
        authorization: authorization.as_ref(),
        content: Some(("application/json", Secret::new(text))),
    })?;
    Ok((pending, method))
}

impl Registering {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let url = self.found.metadata.registration_endpoint.clone().unwrap_or_default();
        let (status, read) = match answer.response() {
            Ok(response) => {
                let status = response.status.as_u16();
                (
                    Some(status),
                    Registration::read(status, &response.body).and_then(|it| self.judge(world, it)),
                )
            }
            Err(failure) => (None, Err(unanswered(&failure, CLAUSE))),
        };
        match read {
            Ok(client) => {
                world.taken(&url, status.unwrap_or_default(), format!("registered as {}", client.id), CLAUSE);
                world.register(&self.found.server.issuer, &client);
                client::agreed(world, self.found, client, "the client as it is registered now")
            }
            Err(breach) => {
                world.passed_over(&url, status, &breach);
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
        let client = registration.judge(self.method, world.config.redirect_url(), world.now)?;
        // A metadata document comes first; where it is supported and could not be used, that is remembered.
        let supported = self.found.metadata.client_id_metadata_document_supported;
        let instead_of = world.config.client_document().filter(|_| supported).map(str::to_owned);
        Ok(Client { instead_of, ..client })
    }
}
