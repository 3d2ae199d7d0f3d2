//! Who the client is to this authorization server: configured, by its metadata document, registered before,
//! registered now, or named by the person, in this order (MCP 2026-07-28, client registration).

use super::server_metadata::Found;
use super::{Terms, Turn, World, ask, consent, registration};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::without_query;
use crate::credential::AuthorizationServer;
use crate::trail::Verdict;
use crate::wire::client::{AuthMethod, Client, Origin};
use crate::wire::server_metadata::ServerMetadata;

const ORDER: &str = "MCP 2026-07-28, client registration";
const FALLBACKS: &str = "MCP 2025-03-26, fallbacks for servers without metadata discovery";
const BINDING: &str = "MCP 2026-07-28, authorization server binding";

pub(crate) fn choose(world: &mut World, found: Found) -> Turn {
    match configured(world, &found) {
        Ok(Some(client)) => return agreed(world, found, client, "the configured client"),
        Ok(None) => {}
        Err(breach) => return breach.into(),
    }
    if let Some(id) = by_document(world, &found) {
        let client = Client {
            redirect_uris: vec![world.config.redirect_url().to_owned()],
            ..Client::new(id, Origin::MetadataDocument)
        };
        return agreed(world, found, client, "the client's metadata document is its identifier");
    }
    if let Some(client) = known(world, &found) {
        return agreed(world, found, client, "the client as it is registered already");
    }
    if found.metadata.registration_endpoint.is_some() && world.config.may_register() {
        return registration::begin(world, found);
    }
    without_client(world, found)
}

/// No way is left but the person.
pub(crate) fn without_client(world: &mut World, found: Found) -> Turn {
    if world.config.policies().ask_for_client {
        return ask::begin(world, found);
    }
    if let Some(other) = world.config.known_clients().iter().find_map(|client| client.issuer.as_ref()) {
        let got = format!("{}, which offers no registration", found.server.issuer);
        return Breach::new(Kind::ClientBoundElsewhere, BINDING, format!("the issuer {other}"), got).into();
    }
    let expected = "a configured client, a supported metadata document, or a registration endpoint";
    let got = format!("none of them for {}", found.server.issuer);
    Breach::new(Kind::NoClient, ORDER, expected, got).into()
}

/// The client is settled: go on to the person.
pub(crate) fn agreed(world: &mut World, found: Found, client: Client, how: &'static str) -> Turn {
    let client = match settled(world, &found, client) {
        Ok(client) => client,
        Err(breach) => return breach.into(),
    };
    world.note(Verdict::Decided, how, ORDER);
    if found.aim.held.is_none() && client.origin != Origin::Preregistered {
        let elsewhere = world.config.known_clients().iter().find_map(|known| known.issuer.as_ref());
        if let Some(elsewhere) = elsewhere {
            let note = format!("a client is configured for {elsewhere}, but not for {}", found.server.issuer);
            world.note(Verdict::Decided, note, BINDING);
        }
    }
    let terms = Terms {
        server: found.server,
        client,
        resource: found.resource.identifier,
        resource_metadata: found.resource.metadata,
        asked: found.asked,
    };
    consent::begin(world, found.aim, terms)
}

/// A client with the way in which it authenticates: as the caller says, else as it is registered, else by what the server
/// lists. A server whose endpoints are guessed is shown no secret.
fn settled(world: &World, found: &Found, client: Client) -> Result<Client, Breach> {
    if client.secret.is_some() && is_guess(world, found) {
        let got = "none, and a client secret is not sent to a guessed endpoint";
        return Err(Breach::new(Kind::FallbackRefused, FALLBACKS, "authorization server metadata", got));
    }
    let method = match (method(world, &found.server, &client), client.origin) {
        (Some((method, _)), _) => method,
        (None, Origin::Dynamic | Origin::MetadataDocument) => client.method,
        (None, Origin::Preregistered | Origin::Prompted) => {
            let listed = found.metadata.token_endpoint_auth_methods_supported.as_deref();
            Client::method_for(client.secret.is_some(), listed)?
        }
    };
    if method == AuthMethod::PrivateKeyJwt {
        let expected = "none, client_secret_basic or client_secret_post";
        return Err(Breach::new(Kind::Unsupported, "RFC 7523 §2.2", expected, method.as_str()));
    }
    if method.needs_secret() && client.secret.is_none() {
        let expected = format!("a client secret for {}", method.as_str());
        return Err(Breach::new(Kind::Configuration, "RFC 6749 §2.3", expected, "none"));
    }
    Ok(Client { method, ..client })
}

/// How the caller wants a client to authenticate, if it says so, and whether it does by `auth_method`: what it says of one
/// client is closer than what it says of all. A client without a secret is public, whatever policy says.
pub(crate) fn method(
    world: &World,
    server: &AuthorizationServer,
    client: &Client,
) -> Option<(AuthMethod, bool)> {
    let known = world.config.client_for(&server.named).filter(|known| known.client_id == client.id);
    let own = known.and_then(|known| known.method);
    if let Some(own) = own.filter(|_| client.origin == Origin::Preregistered) {
        return Some((own, false));
    }
    let policy = world.config.issuer_policy(&server.named).auth_method;
    let fits = |method: &AuthMethod| !method.needs_secret() || client.secret.is_some();
    policy.filter(fits).map(|method| (method, true))
}

/// Whether nothing is known of the server but where its endpoints would be by MCP 2025-03-26.
pub(crate) fn is_guess(world: &World, found: &Found) -> bool {
    found.server.legacy && found.metadata == ServerMetadata::legacy(world.server.url())
}

fn configured(world: &World, found: &Found) -> Result<Option<Client>, Breach> {
    let server = &found.server;
    let Some(known) = world.config.client_for(&server.named) else {
        return moved(world, found).map(|()| None);
    };
    // A client bound to no issuer is bound by the first code that it sends.
    if known.issuer.is_none() {
        moved(world, found)?;
    }
    Ok(Some(Client {
        secret: known.client_secret.clone(),
        ..Client::new(&known.client_id, Origin::Preregistered)
    }))
}

/// A configured client that served this resource at another authorization server is not offered to this one, and
/// no other client quietly takes its place.
fn moved(world: &World, found: &Found) -> Result<(), Breach> {
    let held = found.aim.held.as_ref().filter(|held| held.client.origin == Origin::Preregistered);
    let bound = held.map(|held| &held.authorization_server.issuer).or(world.bound.as_ref());
    match bound.filter(|bound| **bound != found.server.issuer) {
        None => Ok(()),
        Some(bound) => {
            let expected = format!("{bound}, for which the client is configured");
            let got = format!(
                "{}, which {} names now",
                found.server.issuer,
                without_query(world.config.server_url())
            );
            Err(Breach::new(Kind::ClientBoundElsewhere, BINDING, expected, got))
        }
    }
}

/// The metadata document, unless this authorization server could not use it and there is another way.
fn by_document(world: &World, found: &Found) -> Option<String> {
    let supported = found.metadata.client_id_metadata_document_supported;
    let document = world.config.client_document().filter(|_| supported)?;
    let issuer = &found.server.issuer;
    let held = found.aim.held.as_ref().filter(|held| held.authorization_server.issuer == *issuer);
    let refused = world.has_disowned(issuer, document)
        || held.is_some_and(|held| held.client.instead_of.as_deref() == Some(document));
    let another_way = found.metadata.registration_endpoint.is_some() && world.config.may_register();
    (!refused || !another_way).then(|| document.to_owned())
}

/// The client that this authorization server registered, if it can be used still.
fn known(world: &World, found: &Found) -> Option<Client> {
    let held = found.aim.held.as_ref().filter(|held| {
        let same = held.authorization_server.issuer == found.server.issuer;
        same && world.knows(held) && matches!(held.client.origin, Origin::Dynamic | Origin::Prompted)
    });
    let known = [held.map(|held| &held.client), world.registered(&found.server.issuer)];
    let fits = |it: &&Client| it.usable(world.now, world.config.redirect_url()) && it.may_ask(&found.asked);
    known.into_iter().flatten().find(fits).cloned()
}
