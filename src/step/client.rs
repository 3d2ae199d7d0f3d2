//! Who the client is to this authorization server: configured, by its metadata document, registered before,
//! registered now, or named by the person, in this order (MCP 2026-07-28, client registration).

use super::server_metadata::Found;
use super::{Terms, Turn, World, ask, consent, registration};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::without_query;
use crate::config::Preregistered;
use crate::credential::AuthorizationServer;
use crate::trail::Verdict;
use crate::wire::client::{AuthMethod, Client, Origin};
use crate::wire::server_metadata::ServerMetadata;

const ORDER: &str = "MCP 2026-07-28, client registration";
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
    world.note(Verdict::Decided, how, ORDER);
    if let Some(method) = world.config.issuer_policy(&found.server.named).auth_method {
        let note = format!("the client authenticates with {} by `auth_method`", method.as_str());
        world.note(Verdict::Deviation, note, "RFC 8414 §2");
    }
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

/// The methods that the server offers, or the one that policy says instead.
pub(crate) fn offered(
    world: &World,
    server: &AuthorizationServer,
    metadata: &ServerMetadata,
) -> Option<Vec<String>> {
    let policy = world.config.issuer_policy(&server.named);
    let fixed = policy.auth_method.map(|method| vec![method.as_str().to_owned()]);
    fixed.or_else(|| metadata.token_endpoint_auth_methods_supported.clone())
}

fn configured(world: &World, found: &Found) -> Result<Option<Client>, Breach> {
    let server = &found.server;
    let is_for = |known: &&Preregistered| {
        known.issuer.as_ref().is_none_or(|issuer| world.config.is_issuer(issuer, &server.named))
    };
    let Some(known) = world.config.known_clients().iter().find(is_for) else {
        return moved(world, found).map(|()| None);
    };
    // A client bound to no issuer is bound by its first grant.
    if known.issuer.is_none() {
        moved(world, found)?;
    }
    let offered = offered(world, server, &found.metadata);
    let method = match known.method {
        Some(method) => method,
        None => Client::method_for(known.client_secret.is_some(), offered.as_deref())?,
    };
    if method != AuthMethod::None && known.client_secret.is_none() {
        let expected = format!("a client secret for {}", method.as_str());
        return Err(Breach::new(Kind::Configuration, "RFC 6749 §2.3", expected, "none"));
    }
    Ok(Some(Client {
        secret: known.client_secret.clone(),
        method,
        ..Client::new(&known.client_id, Origin::Preregistered)
    }))
}

/// A configured client that served this resource at another authorization server is not offered to this one, and
/// no other client quietly takes its place.
fn moved(world: &World, found: &Found) -> Result<(), Breach> {
    let held = found.aim.held.as_ref().filter(|held| held.client.origin == Origin::Preregistered);
    match held.filter(|held| held.authorization_server.issuer != found.server.issuer) {
        None => Ok(()),
        Some(held) => {
            let expected =
                format!("{}, for which the client is configured", held.authorization_server.issuer);
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
