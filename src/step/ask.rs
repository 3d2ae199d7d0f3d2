//! Awaits the person's word on a client identifier.

use super::server_metadata::Found;
use super::{Pending, Step, Turn, World, client};
use crate::base::breach::{Breach, Kind};
use crate::event::{Answer, Told};
use crate::preregistered::is_client_id;
use crate::wire::client::{Client, Origin};

const CLAUSE: &str = "MCP 2026-07-28, client registration";

#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) pending: Pending,
    found: Found,
}

pub(crate) fn begin(world: &mut World, found: Found) -> Turn {
    let pending = world.ask(&found.server.issuer);
    Turn::Await(Step::Asking(Box::new(Asking { pending, found })))
}

impl Asking {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Answer::Told(Some(told)) = answer else {
            let expected = format!("a client identifier for {}", self.found.server.issuer);
            return Breach::new(Kind::NoClient, CLAUSE, expected, "none").into();
        };
        match read(world, told) {
            Ok(client) => client::agreed(world, self.found, client, "the person named a client"),
            Err(breach) => breach.into(),
        }
    }
}

fn read(world: &World, told: Told) -> Result<Client, Breach> {
    let id = told.client_id.trim().to_owned();
    if !is_client_id(&id) {
        let expected = "printable ASCII characters";
        return Err(Breach::new(Kind::NoClient, "RFC 6749 appendix A.1", expected, "something else"));
    }
    let secret = told.client_secret.filter(|secret| !secret.expose().is_empty());
    Ok(Client {
        secret,
        redirect_uris: vec![world.config.redirect_url().to_owned()],
        registered_at: Some(world.now),
        ..Client::new(id, Origin::Prompted)
    })
}
