//! One flow and more for each kind of server that is known to be odd: how it meets the strict default, and the policy that
//! makes it work. Names, shapes and quirks are facts about those servers; the hosts are made up, but where a preset names
//! them.

mod applications;
mod clouds;
mod identity;
mod libraries;
mod microsoft;
mod policies;
mod products;
mod slack;

use mcp_auth::{Config, Preregistered, ScopeRule, Scopes};
use mcp_auth_testbed::*;

use crate::Flow;
use crate::begun::{bare, lists, lists_twice, open, texts};
use crate::stage::{REDIRECT, Stage, json};

pub(crate) fn flows() -> Vec<Flow> {
    let kinds = [
        microsoft::flows(),
        clouds::flows(),
        identity::flows(),
        applications::flows(),
        slack::flows(),
        products::flows(),
        libraries::flows(),
        policies::flows(),
    ];
    kinds.into_iter().flatten().collect()
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

/// A client that was registered by hand, and no other way to one.
fn by_hand(dials: Dials) -> Dials {
    Dials {
        clients: vec![PreRegistered::public("client-1", REDIRECT)],
        registration: Registration::Absent,
        client_id_metadata_documents: false,
        ..dials
    }
}

/// The same with a secret.
fn confidential(method: &str, dials: Dials) -> Dials {
    Dials {
        clients: vec![PreRegistered::confidential("client-1", "a-secret-of-client-1", method, REDIRECT)],
        auth_methods: Some(texts(&[method])),
        ..by_hand(dials)
    }
}

fn known(config: Config, world: &World) -> Config {
    config.preregistered(Preregistered::new(world.issuer(0), "client-1"))
}

fn secret(config: Config, world: &World) -> Config {
    config.preregistered(Preregistered::new(world.issuer(0), "client-1").secret("a-secret-of-client-1"))
}

fn stays(config: Config) -> Config {
    config.scopes(ScopeRule::with(|it| it.stay_logged_in = true))
}

fn rotating(name: &str, dials: Dials) -> Stage {
    Stage::named(name, dials, |config, _| config)
}

/// The resource names scopes that its authorization server refuses.
fn names_scopes(mut stage: Stage, scopes: &'static [&'static str]) -> Stage {
    let document = serde_json::json!({
        "resource": stage.world.resource(),
        "authorization_servers": [stage.world.issuer(0)],
        "scopes_supported": scopes,
    });
    stage.instead = Some(Box::new(move |request| {
        let here = request.uri().path().contains("oauth-protected-resource");
        here.then(|| json(200, &document.to_string()))
    }));
    stage
}

/// The metadata of the authorization server is found where another issuer's would be: something stands before it.
fn found_at(mut stage: Stage, own: &str, other: &str) -> Stage {
    let ask = http::Request::get(own).body(Vec::new()).unwrap();
    let document = String::from_utf8(stage.world.handle(stage.now, ask).into_body()).unwrap();
    assert!(document.contains("token_endpoint"), "there is no metadata at {own}");
    let other = other.to_owned();
    stage.instead = Some(Box::new(move |request| (request.uri() == &*other).then(|| json(200, &document))));
    stage
}

/// At the root of an origin metadata answers too, with the origin as its issuer and endpoints below this path.
fn root_too(mut stage: Stage, origin: &'static str, path: &str) -> Stage {
    let document = serde_json::json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}{path}/authorize"),
        "token_endpoint": format!("{origin}{path}/token"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    });
    stage.instead = Some(Box::new(move |request| {
        let forms = ["oauth-authorization-server", "openid-configuration"];
        let here = forms.iter().any(|form| request.uri() == &*format!("{origin}/.well-known/{form}"));
        here.then(|| json(200, &document.to_string()))
    }));
    stage
}

/// Says where the browser is to come back, whatever was said before.
fn comes_back_to(redirect: &str, world: &World) -> Config {
    Config::new(world.server_url(), "Example client", redirect)
}
