//! Microsoft: Entra ID in its forms, and Fabric, whose authorization server it is.

use mcp_auth::wire::server_metadata::Pkce;
use mcp_auth::{IssuerPolicy, Preset, ResourceIndicator};
use mcp_auth_testbed::*;
use url::Url;

use super::*;
use crate::stage::{Stage, json};
use crate::{Flow, flow};

/// The tenant of an organization.
const TENANT: &str = "3f2a9c10-5b7e-4d38-9a61-0c4be27d8f15";
/// The tenant that stands for personal accounts.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// What Fabric asks scopes of.
const FABRIC: &str = "https://api.fabric-like.example/.default";

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "entra-like.strict",
            "Only the appended OpenID form answers, and what is there does not say that S256 is supported: refused.",
            &["pkce-advertised", "forms-in-order"],
            &["pkce_unsupported"],
            || lists(entra(IssuerPolicy::default())),
        ),
        flow(
            "entra-like.resource",
            "With S256 assumed, the resource's own URL is refused as AADSTS9010010 would, because the scopes are of an application.",
            &["resource-sent", "authorization-errors"],
            &["authorization_failed"],
            || lists(entra(IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))),
        )
        .by(&["pkce: assume_s256"]),
        flow(
            "entra-like.refresh",
            "A refresh without scope is refused; the grant counts as dead, and the person logs in again.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                lists_twice(entra(IssuerPolicy::with(|it| {
                    it.pkce = Pkce::AssumeS256;
                    it.resource = ResourceIndicator::Omit;
                })))
            },
        )
        .by(&["pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-like.policy",
            "The preset: S256 is assumed, `resource` is left out, and `scope` goes with the refresh.",
            &["own-deviation", "refresh-scope"],
            &["logged_in", "refreshed"],
            || lists_twice(entra(Preset::EntraLike.policy())),
        )
        .by(&["refresh_scope"]),
        flow(
            "entra-like.override",
            "A server that wants the application's identifier URI as `resource` gets it.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::EntraLike.policy();
                policy.resource = ResourceIndicator::Override("api://app-1".to_owned());
                let mut stage = entra(policy);
                stage.dials().resource_parameter = ResourceParameter::Only("api://app-1".to_owned());
                lists(stage)
            },
        )
        .by(&["pkce: assume_s256", "resource: override"]),
        flow(
            "entra-organizations-like.strict",
            "The metadata names `{tenantid}` literally, which is another issuer than the one that was named.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(entra_organizations(IssuerPolicy::default())),
        ),
        flow(
            "entra-organizations-like.iss",
            "With that issuer taken by policy, `iss` in the callback is the tenant of who logged in: refused.",
            &["iss-judged"],
            &["issuer_mismatch"],
            || {
                let mut policy = Preset::EntraOrganizationsLike.policy();
                policy.issuer_aliases.clear();
                lists(entra_organizations(policy))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-organizations-like.policy",
            "The preset: the literal issuer, and any tenant's `iss` at that host.",
            &["own-deviation"],
            &["logged_in"],
            || lists(entra_organizations(Preset::EntraOrganizationsLike.policy())),
        )
        .by(&["metadata_issuer", "issuer_aliases"]),
        flow(
            "entra-common-like.strict",
            "`/common` names the same literal issuer.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(entra_common(IssuerPolicy::default())),
        ),
        flow(
            "entra-common-like.policy",
            "The same preset; `iss` is the tenant that stands for personal accounts.",
            &["own-deviation"],
            &["logged_in"],
            || lists(entra_common(Preset::EntraOrganizationsLike.policy())),
        )
        .by(&["metadata_issuer", "issuer_aliases"]),
        flow(
            "entra-consumers-like.strict",
            "The metadata below `/consumers` names the one tenant that is meant, and that is another issuer.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(entra_consumers(IssuerPolicy::default())),
        ),
        flow(
            "entra-consumers-like.policy",
            "That tenant's issuer is taken for it by policy, with the rest of the preset.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::EntraLike.policy();
                policy.metadata_issuer = Some(consumers());
                lists(entra_consumers(policy))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-b2c-like.strict",
            "Here too nothing says that S256 is supported: refused.",
            &["pkce-advertised", "forms-in-order"],
            &["pkce_unsupported"],
            || lists(entra_b2c(IssuerPolicy::default())),
        ),
        flow(
            "entra-b2c-like.policy",
            "Entra's preset. The authorization endpoint has a query of its own, with the policy of the tenant in it; it is kept.",
            &["own-deviation", "query-kept"],
            &["logged_in"],
            || lists(entra_b2c(Preset::EntraLike.policy())),
        )
        .by(&["pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-ciam-like.strict",
            "The resource names the tenant by its domain. The metadata has moved within the origin, to the tenant's number; the redirect is followed, and the issuer there has the number in the place of both names: refused.",
            &["issuer-held", "own-limits"],
            &["issuer_mismatch"],
            || lists(entra_ciam(IssuerPolicy::default())),
        ),
        flow(
            "entra-ciam-like.policy",
            "Entra's preset, and the issuer by number in the place of the one by name.",
            &["own-deviation", "own-limits"],
            &["logged_in"],
            || {
                let mut policy = Preset::EntraLike.policy();
                policy.metadata_issuer = Some(ciam_issuer());
                lists(entra_ciam(policy))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "resource: omit"]),
        flow(
            "fabric-like.strict",
            "The resource is the origin, of which the server's path is a part; its document has an `issuer`, which is none of ours. It names Entra's `/organizations`, whose metadata has `{tenantid}` literally: refused.",
            &["issuer-held", "resource-unknown-members"],
            &["issuer_mismatch"],
            || lists(fabric(IssuerPolicy::default())),
        ),
        flow(
            "fabric-like.policy",
            "Entra's preset for `/organizations`, but that `resource` is sent: it is the identifier of the application whose scopes are asked for, and a slash more would make it another.",
            &["own-deviation", "resource-unknown-members", "resource-sent"],
            &["logged_in"],
            || {
                let mut policy = Preset::EntraOrganizationsLike.policy();
                policy.resource = ResourceIndicator::Send;
                lists(fabric(policy))
            },
        )
        .by(&["metadata_issuer", "issuer_aliases", "pkce: assume_s256"]),
    ]
}

fn entra_dials(path: &str) -> Dials {
    by_hand(Dials {
        issuer_path: path.to_owned(),
        server_metadata: ServerMetadata::OpenidAppended,
        challenge_methods: ChallengeMethods::Absent,
        auth_methods: Some(texts(&["client_secret_post", "private_key_jwt", "client_secret_basic"])),
        server_scopes: Some(texts(&["openid", "profile", "email", "offline_access"])),
        resource_scopes: Some(texts(&["api://app-1/mcp.read"])),
        required_scopes: texts(&["api://app-1/mcp.read"]),
        resource_parameter: ResourceParameter::Refused,
        revocation: false,
        refresh_tokens: RefreshTokens::WithOfflineAccess,
        ..bare()
    })
}

fn entra(policy: IssuerPolicy) -> Stage {
    let mut stage = Stage::named("entra-like", entra_dials(&format!("/{TENANT}/v2.0")), |config, world| {
        stays(known(config, world)).issuer(world.issuer(0), policy)
    });
    // A refresh for the client's own application does not say by itself what it is for.
    stage.instead = Some(Box::new(|request| {
        let body = String::from_utf8_lossy(request.body());
        let bare = body.contains("grant_type=refresh_token") && !body.contains("scope=");
        bare.then(|| {
            json(400, r#"{"error":"invalid_request","error_description":"AADSTS90009: scope is missing"}"#)
        })
    }));
    stage
}

/// The issuer of the tenant that stands for personal accounts.
fn consumers() -> String {
    format!("https://auth.entra-consumers-like.example/{PERSONAL}/v2.0")
}

fn entra_consumers(policy: IssuerPolicy) -> Stage {
    let dials = Dials { issuer: IssuerValue::Raw(consumers()), ..entra_dials("/consumers/v2.0") };
    Stage::named("entra-consumers-like", dials, |config, world| {
        known(config, world).issuer(world.issuer(0), policy)
    })
}

fn entra_b2c(policy: IssuerPolicy) -> Stage {
    let dials =
        Dials { authorization_query: "p=B2C_1_signin".to_owned(), ..entra_dials(&format!("/{TENANT}/v2.0")) };
    Stage::named("entra-b2c-like", dials, |config, world| {
        known(config, world).issuer(world.issuer(0), policy)
    })
}

/// The issuer of a tenant that has a host of its own: its number stands in the host too.
fn ciam_issuer() -> String {
    format!("https://{TENANT}.entra-ciam-like.example/{TENANT}/v2.0")
}

fn entra_ciam(policy: IssuerPolicy) -> Stage {
    let own = "https://auth.entra-ciam-like.example";
    let named = "/contoso.example/v2.0";
    let dials = Dials {
        issuer: IssuerValue::Raw(ciam_issuer()),
        endpoint_paths: [
            ("authorize", format!("/{TENANT}/oauth2/v2.0/authorize")),
            ("token", format!("/{TENANT}/oauth2/v2.0/token")),
            ("jwks", format!("/{TENANT}/discovery/v2.0/keys")),
        ]
        .into(),
        ..entra_dials(named)
    };
    let stage = Stage::named("entra-ciam-like", dials, |config, world| {
        known(config, world).issuer(world.issuer(0), policy)
    });
    let place = |tenant: &str| format!("{own}/{tenant}/v2.0/.well-known/openid-configuration");
    let (by_name, by_number) = (place("contoso.example"), place(TENANT));
    let mut stage = found_at(stage, &by_name, &by_number);
    let mut found = stage.instead.take().unwrap();
    stage.instead = Some(Box::new(move |request| {
        let moved = || http::Response::builder().status(308).header("location", &by_number).body(Vec::new());
        if request.uri() == &*by_name { moved().ok() } else { found(request) }
    }));
    stage
}

/// Where any tenant may log in: the metadata has a place for it in its issuer, and `iss` is that of who did.
fn any_tenant(server: &str, path: &str, dials: Dials, policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer_path: path.to_owned(),
        issuer: IssuerValue::Raw("https://login.microsoftonline.com/{tenantid}/v2.0".to_owned()),
        iss: Iss::SentOnly,
        ..dials
    };
    let origins = Origins {
        server: server.to_owned(),
        authorization_servers: vec!["https://login.microsoftonline.com".to_owned()],
        ..Origins::default()
    };
    let mut stage =
        Stage::at(origins, dials, |config, world| known(config, world).issuer(world.issuer(0), policy));
    stage.changed = Some(|callback| of_tenant(&callback, TENANT));
    stage
}

fn entra_organizations(policy: IssuerPolicy) -> Stage {
    let path = "/organizations/v2.0";
    any_tenant("https://mcp.entra-organizations-like.example", path, entra_dials(path), policy)
}

fn entra_common(policy: IssuerPolicy) -> Stage {
    let path = "/common/v2.0";
    let mut stage = any_tenant("https://mcp.entra-common-like.example", path, entra_dials(path), policy);
    stage.changed = Some(|callback| of_tenant(&callback, PERSONAL));
    stage
}

/// The callback, with the tenant in the place that the issuer has for it.
fn of_tenant(callback: &str, tenant: &str) -> String {
    let mut url = Url::parse(callback).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let named = pairs.iter().map(|(name, value)| (name, value.replace("{tenantid}", tenant)));
    url.query_pairs_mut().clear().extend_pairs(named);
    url.into()
}

fn fabric(policy: IssuerPolicy) -> Stage {
    let path = "/organizations/v2.0";
    let dials = Dials {
        mcp_path: "/v1/mcp".to_owned(),
        resource: ResourceValue::Root,
        resource_parameter: ResourceParameter::Required,
        resource_scopes: Some(texts(&[FABRIC])),
        required_scopes: texts(&[FABRIC]),
        ..entra_dials(path)
    };
    let mut stage = any_tenant("https://api.fabric-like.example", path, dials, policy);
    let issuer = stage.world.issuer(0);
    let document = serde_json::json!({
        "resource": stage.world.resource(),
        "issuer": issuer,
        "authorization_servers": [issuer],
        "scopes_supported": [FABRIC],
    });
    stage.instead = Some(Box::new(move |request| {
        let here = request.uri().path().contains("oauth-protected-resource");
        here.then(|| json(200, &document.to_string()))
    }));
    stage
}
