//! Slack: the authorization server of its MCP server, and its plain API.

use mcp_auth::{Config, IssuerPolicy, Preregistered, Preset, ScopeRule};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{REDIRECT, Stage, json};
use crate::{Flow, flow};

const SERVER: &str = "https://mcp.slack-like.example";
/// What is asked for a person.
const SLACK_SCOPES: &str = "channels:history chat:write";
/// The same in the plain API.
const USER_SCOPE: &str = "channels:history,chat:write";

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "slack-like.strict",
            "The metadata at the MCP server names the issuer of the workspaces, which is another than its own: refused.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(slack(SlackIssuer::Another, IssuerPolicy::default(), "")),
        ),
        flow(
            "slack-like.scope",
            "Where it names its own, the endpoints are elsewhere, at paths of their own. Nothing names scopes, and a request without is refused.",
            &["scope-needed", "authorization-errors"],
            &["authorization_failed"],
            || lists(slack(SlackIssuer::Own, IssuerPolicy::default(), "")),
        ),
        flow(
            "slack-like.redirect",
            "The redirect URI is held to the letter: at another port the browser shows an error, and nobody comes back.",
            &["authorization-errors"],
            &["consent_timed_out"],
            || {
                let redirect = "http://127.0.0.1:3001/callback";
                lists(slack_at(SlackIssuer::Own, Preset::SlackLike.policy(), SLACK_SCOPES, redirect))
            },
        ),
        flow(
            "slack-like.refused",
            "`ok` is false in an answer with status 200, and `error` says why: no token, in the server's word.",
            &["token-errors"],
            &["token_endpoint_error"],
            || {
                let mut stage = slack(SlackIssuer::Own, Preset::SlackLike.policy(), SLACK_SCOPES);
                let mut found = stage.instead.take().unwrap();
                stage.instead = Some(Box::new(move |request| {
                    let token = request.uri().path() == "/api/oauth.v2.user.access";
                    let no = || json(200, r#"{"ok":false,"error":"invalid_code"}"#);
                    token.then(no).or_else(|| found(request))
                }));
                lists(stage)
            },
        ),
        flow(
            "slack-like.nested",
            "With scopes of the caller's, the token comes a level down, where nobody looks by default.",
            &["token-answers"],
            &["malformed"],
            || lists(slack(SlackIssuer::Own, IssuerPolicy::default(), SLACK_SCOPES)),
        ),
        flow(
            "slack-like.policy",
            "The preset, the workspaces' issuer by name, and scopes: the token under `authed_user`, its type `user`, its scopes with commas between, while those at the top are empty.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::SlackLike.policy();
                policy.metadata_issuer = Some("https://slack-like.example".to_owned());
                lists(slack(SlackIssuer::Another, policy, SLACK_SCOPES))
            },
        )
        .by(&["metadata_issuer", "token_shape"]),
        flow(
            "slack-like.plain",
            "The plain API takes a person's scopes in `user_scope`. A request without is refused.",
            &["authorization-errors"],
            &["authorization_failed"],
            || lists(slack_plain(Preset::SlackLike.policy())),
        ),
        flow(
            "slack-like.plain.policy",
            "The preset, and `user_scope` in `extra`, with commas between the scopes: the token comes under `authed_user` too.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::SlackLike.policy();
                policy.extra.push(("user_scope".to_owned(), USER_SCOPE.to_owned()));
                lists(slack_plain(policy))
            },
        )
        .by(&["token_shape", "extra"]),
    ]
}

/// Whose issuer the metadata names that is found at the MCP server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SlackIssuer {
    /// The workspace's: so it was first.
    Another,
    /// The MCP server's own: so it was later.
    Own,
}

fn slack(issuer: SlackIssuer, policy: IssuerPolicy, scope: &str) -> Stage {
    slack_at(issuer, policy, scope, REDIRECT)
}

/// The API for people, which MCP's server names.
fn slack_dials() -> Dials {
    Dials {
        authorization_servers: AuthorizationServers::Raw(texts(&[SERVER])),
        endpoint_paths: [
            ("authorize", "/oauth/v2_user/authorize".to_owned()),
            ("token", "/api/oauth.v2.user.access".to_owned()),
        ]
        .into(),
        token_body: TokenBody::Nested,
        token_extra: vec![("scope", "".into())],
        token_type: TokenType::Other("user".to_owned()),
        scope_answer: ScopeAnswer::Commas,
        scope_missing: ScopeMissing::Refused,
        challenge_scope: false,
        resource_scopes: None,
        required_scopes: texts(&["channels:history", "chat:write"]),
        resource_parameter: ResourceParameter::Ignored,
        revocation: false,
        ..by_hand(bare())
    }
}

fn slack_at(issuer: SlackIssuer, policy: IssuerPolicy, scope: &str, redirect: &str) -> Stage {
    let issuer = match issuer {
        SlackIssuer::Another => IssuerValue::Exact,
        SlackIssuer::Own => IssuerValue::Raw(SERVER.to_owned()),
    };
    let only = Some(scopes(scope)).filter(|it| !it.is_empty());
    slack_stage(Dials { issuer, ..slack_dials() }, |world| {
        let rule = ScopeRule::with(|it| it.only = only);
        let config = comes_back_to(redirect, world).preregistered(Preregistered::new(SERVER, "client-1"));
        config.scopes(rule).issuer(SERVER, policy)
    })
}

/// The plain API, for bots and people at once: what is for a person has a parameter of its own.
fn slack_plain(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer: IssuerValue::Raw(SERVER.to_owned()),
        endpoint_paths: [
            ("authorize", "/oauth/v2/authorize".to_owned()),
            ("token", "/api/oauth.v2.access".to_owned()),
        ]
        .into(),
        scope_missing: ScopeMissing::Defaulted,
        required_parameter: Some(("user_scope".to_owned(), USER_SCOPE.to_owned())),
        ..slack_dials()
    };
    slack_stage(dials, |world| {
        let config = comes_back_to(REDIRECT, world).preregistered(Preregistered::new(SERVER, "client-1"));
        config.issuer(SERVER, policy)
    })
}

fn slack_stage(dials: Dials, configure: impl FnOnce(&World) -> Config) -> Stage {
    let origins = Origins {
        server: SERVER.to_owned(),
        authorization_servers: vec!["https://slack-like.example".to_owned()],
        ..Origins::default()
    };
    let stage = Stage::at(origins, dials, |_, world| configure(world));
    found_at(
        stage,
        "https://slack-like.example/.well-known/oauth-authorization-server",
        "https://mcp.slack-like.example/.well-known/oauth-authorization-server",
    )
}
