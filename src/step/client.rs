//! Who the client is to this authorization server: configured, by its metadata document, registered before,
//! registered now, or named by the person, in this order (MCP 2026-07-28, client registration).

use std::sync::Arc;

use super::server_metadata::Found;
use super::{Terms, Turn, World, ask, obtain, registration};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::without_query;
use crate::credential::AuthorizationServer;
use crate::grant_type::GrantType;
use crate::preregistered::not_alone;
use crate::trail::Verdict;
use crate::wire::client::{AuthMethod, Client, Origin};
use crate::wire::jws::Algorithm;

const ORDER: &str = "MCP 2026-07-28, client registration";
const FALLBACKS: &str = "MCP 2025-03-26, fallbacks for servers without metadata discovery";
const BINDING: &str = "MCP 2026-07-28, authorization server binding";

pub(crate) fn choose(world: &mut World, found: Found) -> Turn {
    match configured(world, &found) {
        Ok(Some(client)) => return agreed(world, found, client, "the configured client"),
        Ok(None) => {}
        Err(breach) => return breach.into(),
    }
    if !world.config.flow().needs_person() {
        return nobody(world, found);
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
    match found.endpoints.registration.clone().filter(|_| world.config.may_register()) {
        Some(to) => registration::begin(world, found, to),
        None => without_client(world, found),
    }
}

/// Where no person is needed the client is configured. A workload can do without: what its platform says is enough
/// (RFC 7521 §4.1).
fn nobody(world: &mut World, found: Found) -> Turn {
    if *world.config.flow() == GrantType::WorkloadIdentity && world.config.known_clients().is_empty() {
        let client = Client::new("", Origin::Preregistered);
        return agreed(world, found, client, "no client: the workload's JWT says who asks");
    }
    let expected = "a configured client for this authorization server";
    let others: Vec<_> = world.config.known_clients().iter().filter_map(|it| it.issuer.as_deref()).collect();
    let got = match others.as_slice() {
        [] => format!("none for {}", found.server.issuer),
        others => format!("none for {}, byte for byte, but for {}", found.server.issuer, others.join(", ")),
    };
    Breach::new(Kind::NoClient, ORDER, expected, got).into()
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

/// The client is settled: go on to whoever decides.
pub(crate) fn agreed(world: &mut World, found: Found, client: Client, how: &'static str) -> Turn {
    let client = match settled(world, &found, client) {
        Ok(client) => client,
        Err(breach) => return breach.into(),
    };
    world.note(Verdict::Decided, how, ORDER);
    // Whoever is shown what only its own server may see is that server from now on, as with a code or a secret.
    if client.method == AuthMethod::PrivateKeyJwt || !world.config.flow().needs_person() {
        world.bind(&found.server);
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
        resource: found.resource.identifier.into(),
        resource_metadata: found.resource.metadata.map(Arc::from),
        asked: found.asked,
        binding: found.binding,
        endpoints: Some(found.endpoints),
    };
    obtain::begin(world, found.aim, terms)
}

/// A client with the way in which it authenticates: as the caller says, else as it is registered, else by what the server
/// lists. A server whose endpoints are guessed is shown no secret, and nothing that is signed.
fn settled(world: &World, found: &Found, client: Client) -> Result<Client, Breach> {
    let guess = found.guessed;
    let refuse =
        |got| Err(Breach::new(Kind::FallbackRefused, FALLBACKS, "authorization server metadata", got));
    if client.secret.is_some() && guess {
        return refuse("none, and a client secret is not sent to a guessed endpoint");
    }
    let method = match method(world, &found.server, &client) {
        Some((method, _)) => method,
        None => usual(world, found, &client)?,
    };
    if method == AuthMethod::None && *world.config.flow() == GrantType::ClientCredentials {
        return Err(not_alone());
    }
    let keyed = method == AuthMethod::PrivateKeyJwt;
    if keyed && guess {
        return refuse("none, and no assertion is sent to a guessed endpoint");
    }
    if method.needs_secret() && client.secret.is_none() {
        let expected = format!("a client secret for {}", method.as_str());
        return Err(Breach::new(Kind::Configuration, "RFC 6749 §2.3", expected, "none"));
    }
    let algorithm = keyed.then(|| signs_with(world, found)).transpose()?;
    Ok(Client { method, algorithm, ..client })
}

/// How a client authenticates of which the caller says nothing. One that has a key uses it, where the server takes it.
fn usual(world: &World, found: &Found, client: &Client) -> Result<AuthMethod, Breach> {
    let listed = found.token_endpoint_auth_methods_supported.as_deref();
    let key = world.config.key_of_client().map(|_| Client::check_key_method(listed));
    match (client.origin, key) {
        (Origin::Preregistered | Origin::Prompted, Some(taken)) if client.secret.is_none() => {
            taken.map(|()| AuthMethod::PrivateKeyJwt)
        }
        (Origin::MetadataDocument, Some(Ok(()))) if listed.is_some() => Ok(AuthMethod::PrivateKeyJwt),
        (Origin::Preregistered | Origin::Prompted, _) => Client::method_for(client.secret.is_some(), listed),
        (Origin::Dynamic | Origin::MetadataDocument, _) => Ok(client.method),
    }
}

/// What the client's assertions are signed with at this server.
fn signs_with(world: &World, found: &Found) -> Result<Algorithm, Breach> {
    let key = world.config.key_of_client().ok_or_else(|| {
        Breach::new(Kind::Configuration, "RFC 7523 §2.2", "a key of the client for private_key_jwt", "none")
    })?;
    let listed = found.token_endpoint_auth_signing_alg_values_supported.as_deref();
    Algorithm::choose(&key.algorithms, listed, "RFC 8414 §2")
}

/// How the caller wants a client to authenticate, if it says so, and whether it does by `auth_method`: what it says of one
/// client is closer than what it says of all. A client without a secret is public, whatever policy says; a workload without
/// a client has nobody to authenticate.
pub(crate) fn method(
    world: &World,
    server: &AuthorizationServer,
    client: &Client,
) -> Option<(AuthMethod, bool)> {
    if client.id.is_empty() {
        return Some((AuthMethod::None, false));
    }
    let known = world.config.client_for(&server.named).filter(|known| known.client_id == client.id);
    let own = known.and_then(|known| known.method);
    if let Some(own) = own.filter(|_| client.origin == Origin::Preregistered) {
        return Some((own, false));
    }
    let policy = world.config.issuer_policy(&server.named).auth_method;
    let fits = |method: &AuthMethod| !method.needs_secret() || client.secret.is_some();
    policy.filter(fits).map(|method| (method, true))
}

fn configured(world: &mut World, found: &Found) -> Result<Option<Client>, Breach> {
    let server = &found.server;
    let Some(known) = world.config.client_for(&server.named).cloned() else {
        return moved(world, found).map(|()| None);
    };
    // A client bound to no issuer is bound by the first code or secret that it sends, or by what it signs or hands on.
    if known.issuer.is_none() {
        moved(world, found)?;
        let shown =
            if known.client_secret.is_some() { "the secret" } else { "what the client signs or hands on" };
        if known.server_names_issuer {
            let note = format!("whom the MCP server names is shown {shown}, by `server_names_issuer`");
            world.note(Verdict::Deviation, note, BINDING);
        }
    }
    Ok(Some(Client { secret: known.client_secret, ..Client::new(known.client_id, Origin::Preregistered) }))
}

/// A configured client that served this resource at another authorization server is not offered to this one, and
/// no other client quietly takes its place.
fn moved(world: &World, found: &Found) -> Result<(), Breach> {
    let held = found.aim.held.as_ref().filter(|held| held.client.origin == Origin::Preregistered);
    // A record may have been written by anybody, so it does not unsay what this machine has seen.
    let mut bound =
        held.map(|held| &held.authorization_server.issuer).into_iter().chain(world.learnt.bound());
    match bound.find(|bound| **bound != found.server.issuer) {
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
    let supported = found.client_id_metadata_document_supported;
    let document = world.config.client_document().filter(|_| supported)?;
    let issuer = &found.server.issuer;
    let held = found.aim.held.as_ref().filter(|held| held.authorization_server.issuer == *issuer);
    let refused = world.learnt.has_disowned(issuer, document)
        || held.is_some_and(|held| held.client.instead_of.as_deref() == Some(document));
    let another_way = found.endpoints.registration.is_some() && world.config.may_register();
    (!refused || !another_way).then(|| document.to_owned())
}

/// The client that this authorization server registered, if it can be used still.
fn known(world: &World, found: &Found) -> Option<Client> {
    let held = found.aim.held.as_ref().filter(|held| {
        let same = held.authorization_server.issuer == found.server.issuer;
        same && world.knows(held) && matches!(held.client.origin, Origin::Dynamic | Origin::Prompted)
    });
    let known = [held.map(|held| &held.client), world.learnt.registered(&found.server.issuer)];
    let fits = |it: &&Client| it.usable(world.now, world.config.redirect_url()) && it.may_ask(&found.asked);
    known.into_iter().flatten().find(fits).cloned()
}
