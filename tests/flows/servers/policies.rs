//! Policies that no kind of server is known by: what is refused without, and works with.

use mcp_auth::base::guard::Reach;
use mcp_auth::{IssuerPolicy, IssuerScopes, Policy, Preregistered};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::Stage;
use crate::{Flow, flow};

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "scopes.unnamed",
            "The server needs a scope that neither a challenge nor metadata names: the token is not enough, and to ask again brings no more.",
            &["step-ups-bounded"],
            &["logged_in", "logged_in", "logged_in", "insufficient_scope"],
            || lists(unnamed(IssuerPolicy::default())),
        ),
        flow(
            "scopes.unnamed.policy",
            "That scope is always asked for, by policy.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let also = IssuerScopes::with(|it| it.also = scopes("account:read"));
                lists(unnamed(IssuerPolicy::with(|it| it.scopes = also)))
            },
        )
        .by(&["scopes"]),
        flow(
            "guard.intranet",
            "The authorization server of a public MCP server is at a private address: refused before anything is sent there.",
            &["no-private-addresses", "https-only"],
            &["url_refused"],
            || lists(intranet(Policy::default())),
        ),
        flow(
            "guard.intranet.policy",
            "Any address is allowed by policy.",
            &["metadata-used"],
            &["logged_in"],
            || lists(intranet(Policy::with(|it| it.reach = Some(Reach::Any)))),
        )
        .by(&["reach"]),
        flow(
            "client.server-names-issuer",
            "A client with a secret and no issuer, which no machine is made with unless the caller trusts the server to name it: the one that is named first is shown the secret.",
            &["preregistered", "own-deviation"],
            &["logged_in"],
            || lists(trusting()),
        )
        .by(&["server_names_issuer"]),
    ]
}

fn unnamed(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        challenge_scope: false,
        required_scopes: texts(&["files:read", "account:read"]),
        step_up: StepUp::Unnamed,
        ..Dials::default()
    };
    Stage::at(Origins::default(), dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn intranet(policy: Policy) -> Stage {
    let origins =
        Origins { authorization_servers: vec!["https://10.1.2.3".to_owned()], ..Origins::default() };
    Stage::at(origins, Dials::default(), |config, _| config.policy(policy))
}

fn trusting() -> Stage {
    Stage::at(Origins::default(), confidential("client_secret_basic", Dials::default()), |config, _| {
        let client = Preregistered::unbound("client-1").secret("a-secret-of-client-1");
        config.preregistered(client.trusting_the_server_to_name_the_issuer())
    })
}
