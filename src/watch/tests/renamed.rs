//! Issuers that policy knows by another name.

use super::*;
use crate::policy::IssuerPolicy;

const NAMED: &str = "https://as.example/tenant";
const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A watch over a run that has seen, at the place of the named issuer, the metadata of `issuer`.
fn watch_of_renamed(policy: IssuerPolicy, issuer: &str) -> Watch {
    watch_of(NAMED, policy, issuer)
}

fn watch_of(named: &str, policy: IssuerPolicy, issuer: &str) -> Watch {
    let config = Config::new("https://mcp.example/mcp", "Test", "http://127.0.0.1:3000/cb")
        .preregistered(Preregistered::new(named, "by-hand").secret("configured-secret"))
        .issuer(named, policy);
    let mut watch = Watch::new(&config);
    watch.event(NOW, &Event::Restore);
    let place = "https://as.example/.well-known/oauth-authorization-server/tenant";
    watch.action(&Action::Send(send(1, Purpose::ServerMetadata, place)));
    let document = format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"https://as.example/authorize",
            "code_challenge_methods_supported":["S256"],
            "token_endpoint":"https://as.example/token"}}"#
    );
    answer(&mut watch, 1, 200, &document);
    assert_eq!(watch.breaches(), [""; 0]);
    watch
}

fn renamed(issuer: &str) -> IssuerPolicy {
    IssuerPolicy::with(|it| it.metadata_issuer = Some(issuer.to_owned()))
}

fn shows_the_secret(mut watch: Watch) -> Watch {
    let form = "grant_type=client_credentials&client_id=by-hand&client_secret=configured-secret";
    watch.action(&token(2, "https://as.example/token", form));
    watch
}

/// What is asked has no default port; any other is another place.
#[test]
fn an_issuer_may_write_out_the_port_that_it_has_anyway() {
    let other = "https://auth.example";
    let named = "https://as.example:443/tenant";
    assert_eq!(shows_the_secret(watch_of(named, renamed(other), other)).breaches(), [""; 0]);
    for elsewhere in ["https://as.example:8443/tenant", "https://as.example:443/tenant2"] {
        let watch = shows_the_secret(watch_of(elsewhere, renamed(other), other));
        seen(&watch, "carries a secret (ClientSecret)");
    }
}

#[test]
fn a_secret_goes_to_its_issuer_by_its_other_name() {
    let other = "https://auth.example";
    assert_eq!(shows_the_secret(watch_of_renamed(renamed(other), other)).breaches(), [""; 0]);
    // Without the policy, or with one about another name, the document is nobody's.
    for policy in [IssuerPolicy::default(), renamed("https://auth.example/"), renamed(NAMED)] {
        let watch = shows_the_secret(watch_of_renamed(policy, other));
        seen(&watch, "carries a secret (ClientSecret)");
    }
}

#[test]
fn any_tenant_may_answer_where_policy_has_a_place_for_it() {
    let alias = "https://login.example/{tenantid}/v2.0";
    let aliases = |aliases: &[&str]| {
        IssuerPolicy::with(|it| it.issuer_aliases = aliases.iter().map(ToString::to_string).collect())
    };
    let exchanged = |policy, tenant: &str| {
        let mut watch = watch_of_renamed(policy, NAMED);
        open(&mut watch, ASKED);
        let iss = format!("https%3A%2F%2Flogin.example%2F{tenant}%2Fv2.0");
        called(&mut watch, &format!("?code=a-good-code&state=state-of-this-run&iss={iss}"));
        let form = "grant_type=authorization_code&code=a-good-code";
        watch.action(&token(2, "https://as.example/token", form));
        watch
    };
    assert_eq!(exchanged(aliases(&[alias]), TENANT).breaches(), [""; 0]);
    for (policy, tenant) in [
        (aliases(&[]), TENANT),
        (aliases(&["https://login.example/{tenant}/v2.0"]), TENANT),
        (aliases(&["https://login.example/{tenantid}"]), TENANT),
        (aliases(&[alias]), "organizations"),
        (aliases(&[alias]), &TENANT.to_uppercase()),
        (aliases(&[alias]), &TENANT[1..]),
        (aliases(&[alias]), &TENANT.replace('-', "0")),
        (aliases(&[alias]), &format!("{TENANT}%2Fx")),
    ] {
        seen(&exchanged(policy, tenant), "without the right state and issuer");
    }
}
