//! Whether what was written down, a record or a login that waits, is of this configuration.

use super::{World, client};
use crate::credential::AuthorizationServer;
use crate::grant_type::{Binding, Binds, GrantType};
use crate::policy::{Legacy, ServerChoice};
use crate::wire::client::{AuthMethod, Client, Origin};
use crate::wire::resource_metadata::covers;

/// Whether tokens are bound to the configured key, if they are bound, and they are if they must be.
pub(crate) fn is_bound_here(world: &World, binding: Option<&Binding>) -> bool {
    let key = world.config.key_of_proofs();
    match binding {
        Some(binding) => key.is_some_and(|key| {
            key.public.thumbprint() == binding.thumbprint && key.public.check(binding.algorithm).is_ok()
        }),
        None => key.is_none_or(|key| key.binds != Binds::Always),
    }
}

/// Whether what a login was begun with, or what came of it, is of this configuration; gives the client as it is configured
/// now.
pub(crate) fn fits(
    world: &World,
    resource: &str,
    server: &AuthorizationServer,
    client: &Client,
) -> Result<Client, &'static str> {
    let policy = world.config.policies();
    let chosen = match &policy.authorization_server {
        ServerChoice::InOrder => true,
        ServerChoice::Pinned(issuer) => world.config.is_issuer(issuer, &server.named),
    };
    if !world.config.issuer_policy(&server.named).takes_issuer(&server.named, &server.issuer) {
        Err("its authorization server is another than the one that was named")
    } else if !covers(resource, world.place.server.url()) {
        Err("it is for another resource")
    } else if !chosen {
        Err("it is from another authorization server than the one that policy names")
    } else if server.legacy && policy.legacy == Legacy::Refused {
        Err("its authorization server was found by the fallback, which policy refuses")
    } else {
        current_client(world, server, client).ok_or("it is of another client than the one that is configured")
    }
}

/// The client of a record, if the configuration still has it that way. How a configured client authenticates is the
/// configuration's to say; its secret stays the record's, and is the configured one only where both are the same.
fn current_client(world: &World, server: &AuthorizationServer, client: &Client) -> Option<Client> {
    if client.id.is_empty() {
        // Only a workload is known without a client.
        let nobody = *world.config.flow() == GrantType::WorkloadIdentity && client.method == AuthMethod::None;
        return Some(client.clone()).filter(|_| nobody && world.config.known_clients().is_empty());
    }
    // Without a person the client is configured or there is none: who it is says whom it is vouched before.
    let person = world.config.flow().needs_person();
    let client = match (world.config.client_for(&server.named), client.origin) {
        (Some(known), Origin::Preregistered) if known.client_id == client.id => Some(client.clone()),
        (Some(_), _) | (None, Origin::Preregistered) => None,
        (None, Origin::MetadataDocument) => {
            let same = world.config.client_document() == Some(client.id.as_str());
            (person && same).then(|| client.clone())
        }
        (None, Origin::Dynamic | Origin::Prompted) => person.then(|| client.clone()),
    }?;
    let client = match client::method(world, server, &client) {
        Some((method, _)) => Client { method, ..client },
        None => client,
    };
    if client.method != AuthMethod::PrivateKeyJwt {
        return Some(client);
    }
    // Registration gives no such client, a person is asked for one only if policy says so, and a record has no say in what
    // a key signs with.
    let gives = match client.origin {
        Origin::Dynamic => false,
        Origin::Prompted => world.config.policies().ask_for_client,
        Origin::Preregistered | Origin::MetadataDocument => true,
    };
    let key = world.config.key_of_client().filter(|_| gives)?;
    let known = client.algorithm.filter(|known| key.algorithms.contains(known));
    let algorithm = Some(known.or_else(|| key.algorithms.first().copied())?);
    Some(Client { algorithm, ..client })
}
