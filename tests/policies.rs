//! What policy allows one issuer, and nothing beside it.

mod support;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::{
    Challenge, Config, Event, GrantType, IssuerPolicy, IssuerScopes, Kind, Outcome, Policy, Preregistered,
    Preset, RefreshScope, ResourceIndicator, ScopeRule, Scopes, TokenSource, Verdict,
};
use mcp_auth_testbed::{
    Dials, IssuerValue, PreRegistered, Purpose, ResourceParameter, ResourceValue, Rotation,
};
use support::{REDIRECT, Rig, authorized};

const NAMED: &str = "https://as.example";
const OTHER: &str = "https://elsewhere.example/other";

fn by_issuer(change: impl FnOnce(&mut IssuerPolicy)) -> impl FnOnce(Config) -> Config {
    let policy = IssuerPolicy::with(change);
    move |config| config.issuer(NAMED, policy)
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

fn deviations(rig: &Rig) -> Vec<String> {
    let trail = rig.auth.trail();
    let entries = trail.entries().iter().filter(|entry| entry.verdict == Verdict::Deviation);
    entries.map(|entry| entry.note.to_string()).collect()
}

fn renamed(issuer: &str) -> impl FnOnce(Config) -> Config {
    let policy = IssuerPolicy::with(|it| it.metadata_issuer = Some(issuer.to_owned()));
    move |config| {
        let client = Preregistered::new(NAMED, "by-hand").secret("configured-secret");
        config.preregistered(client).issuer(NAMED, policy)
    }
}

fn of_another_issuer() -> Dials {
    let clients =
        vec![PreRegistered::confidential("by-hand", "configured-secret", "client_secret_basic", REDIRECT)];
    Dials { issuer: IssuerValue::Other, clients, ..Dials::default() }
}

#[test]
fn another_issuer_in_the_metadata_is_taken_by_name_alone() {
    for wrong in [NAMED, "https://elsewhere.example", "https://elsewhere.example/other/"] {
        let mut rig = Rig::with(of_another_issuer(), renamed(wrong));
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::IssuerMismatch, "{wrong}");
    }
    let mut rig = Rig::with(of_another_issuer(), renamed(OTHER));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.auth.authorized().unwrap().issuer, OTHER);
    assert!(deviations(&rig).iter().any(|note| note.contains("`metadata_issuer`")), "{:?}", deviations(&rig));
    // The client is the one of the issuer by the name that the resource has for it, in whatever is done with it.
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    rig.restart(renamed(OTHER));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    let Outcome::LoggedOut(done) = rig.run(Event::LogOut).unwrap() else { panic!("{}", rig.auth.trail()) };
    assert!(done.is_complete(), "{done:?}");
}

#[test]
fn a_record_is_used_only_while_policy_takes_its_issuer() {
    let mut rig = Rig::with(of_another_issuer(), renamed(OTHER));
    rig.call("tools/list", None).unwrap();
    for configure in [renamed("https://elsewhere.example/another"), renamed(NAMED)] {
        rig.restart(configure);
        assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
        assert!(rig.auth.trail().to_string().contains("another than the one that was named"));
    }
    rig.restart(renamed(OTHER));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
}

#[test]
fn scope_goes_with_a_refresh_by_policy_alone() {
    let sent = |configure: Box<dyn FnOnce(Config) -> Config>| {
        // The answer has no scope, so what was granted stays what it was.
        let mut rig = Rig::with(Dials { rotation: Rotation::None, ..Dials::default() }, configure);
        rig.call("tools/list", None).unwrap();
        for _ in 0..2 {
            rig.now += 3600;
            rig.run(Event::Restore).unwrap();
        }
        let refreshes = rig.world.exchanges().iter().filter(|it| it.is_for(Purpose::Refresh));
        let scopes: Vec<_> = refreshes.map(|it| it.parameter("scope").map(str::to_owned)).collect();
        (scopes, deviations(&rig).concat().contains("`refresh_scope`"))
    };
    assert_eq!(sent(Box::new(|config| config)), (vec![None, None], false));
    let granted = by_issuer(|it| it.refresh_scope = RefreshScope::Granted);
    let both = Some("files:read".to_owned());
    assert_eq!(sent(Box::new(granted)), (vec![both.clone(), both], true));
}

/// Whatever names no resource, or another, says so: a login, each renewal, and a client on its own behalf.
#[test]
fn a_resource_that_policy_changes_is_said_of_every_attempt_and_once() {
    let other = "https://mcp.example/other".to_owned();
    for (rule, note) in [
        (ResourceIndicator::Omit, "`resource` is left out by `resource: omit`"),
        (ResourceIndicator::Override(other), "`resource` is another by `resource: override`"),
    ] {
        for grant in [GrantType::AuthorizationCode, GrantType::ClientCredentials] {
            let clients =
                vec![PreRegistered::confidential("by-hand", "the-secret", "client_secret_basic", REDIRECT)];
            let client_credentials = Some(Default::default());
            let resource_parameter = ResourceParameter::Ignored;
            let dials = Dials { clients, client_credentials, resource_parameter, ..Dials::default() };
            let policy = IssuerPolicy::with(|it| it.resource = rule.clone());
            let mut rig = Rig::with(dials, |config| {
                let client = Preregistered::new(NAMED, "by-hand").secret("the-secret");
                config.preregistered(client).grant_type(grant).issuer(NAMED, policy)
            });
            rig.log_in().unwrap();
            assert_eq!(deviations(&rig), [note]);
            rig.now += 3600;
            assert_ne!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
            assert_eq!(deviations(&rig), [note]);
        }
    }
}

#[test]
fn the_scopes_of_an_issuer_hold_for_a_step_up_too() {
    let also = by_issuer(|it| it.scopes = IssuerScopes::with(|it| it.also = scopes("files:write")));
    let mut rig = Rig::with(Dials::default(), also);
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
    assert!(deviations(&rig).concat().contains("`scopes`"));
    // A step-up that needs no discovery.
    let never = IssuerPolicy::with(|it| it.scopes = IssuerScopes::with(|it| it.never = scopes("files:read")));
    let dials = Dials { clients: vec![PreRegistered::public("by-hand", REDIRECT)], ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.preregistered(Preregistered::new(NAMED, "by-hand")));
    rig.call("tools/list", None).unwrap();
    let record = rig.store.clone();
    rig.restart(|config| config.preregistered(Preregistered::new(NAMED, "by-hand")).issuer(NAMED, never));
    rig.store = record;
    let kept = authorized(rig.run(Event::Restore).unwrap());
    let demand = r#"Bearer error="insufficient_scope", scope="files:read files:write""#;
    let fields = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, demand.parse().unwrap())]);
    let challenge = Challenge::of(StatusCode::FORBIDDEN, &fields, Some(kept.generation), 0).unwrap();
    let before = rig.count(Purpose::ServerMetadata);
    rig.run(Event::Challenged(challenge)).unwrap();
    assert_eq!(rig.count(Purpose::ServerMetadata), before);
    assert_eq!(rig.asked("scope").as_deref(), Some("files:write"));
    assert!(
        rig.auth.trail().to_string().contains("`scopes` of this issuer's policy"),
        "{}",
        rig.auth.trail()
    );
}

#[test]
fn what_is_the_same_in_any_case_is_no_deviation() {
    let never = by_issuer(|it| it.scopes = IssuerScopes::with(|it| it.never = scopes("openid")));
    let mut rig = Rig::with(Dials::default(), never);
    rig.call("tools/list", None).unwrap();
    assert_eq!(deviations(&rig), [""; 0]);
    // A caller that wants to stay logged in is asked for `offline_access`, where no policy says otherwise.
    for (policy, asked) in [
        (IssuerPolicy::default(), "files:read offline_access"),
        (Preset::SalesforceLike.policy(), "files:read refresh_token"),
        (Preset::GoogleLike.policy(), "files:read"),
    ] {
        let mut rig = Rig::with(Dials::default(), |config| {
            config.scopes(ScopeRule::with(|it| it.stay_logged_in = true)).issuer(NAMED, policy)
        });
        let _ = rig.call("tools/list", None);
        assert_eq!(rig.asked("scope").as_deref(), Some(asked));
    }
}

fn called(alias: &str) -> impl FnOnce(Config) -> Config {
    let policy = Policy::with(|it| it.resource_alias = Some(alias.to_owned()));
    move |config| config.policy(policy)
}

#[test]
fn another_name_of_the_server_is_taken_byte_for_byte_and_the_token_is_its_own() {
    let alias = "https://elsewhere.example/mcp";
    let dials = Dials {
        resource: ResourceValue::Raw(alias.to_owned()),
        resource_parameter: ResourceParameter::Ignored,
        ..Dials::default()
    };
    for wrong in ["https://elsewhere.example/mcp/", "https://elsewhere.example", "https://mcp.example/mcp"] {
        let mut rig = Rig::with(dials.clone(), called(wrong));
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::ResourceMismatch, "{wrong}");
    }
    let mut rig = Rig::with(dials.clone(), called(alias));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.auth.authorized().unwrap().resource, "https://mcp.example/mcp");
    assert_eq!(rig.asked("resource").as_deref(), Some("https://mcp.example/mcp"));
    assert!(deviations(&rig).concat().contains("`resource_alias`"));
    // What goes out as `resource` is the issuer's policy to say.
    let overridden = IssuerPolicy::with(|it| it.resource = ResourceIndicator::Override(alias.to_owned()));
    let mut rig = Rig::with(dials, |config| called(alias)(config).issuer(NAMED, overridden));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("resource").as_deref(), Some(alias));
    assert_eq!(rig.auth.authorized().unwrap().resource, "https://mcp.example/mcp");
    // A server that goes by its own name deviates from nothing.
    let mut rig = Rig::with(Dials::default(), called(alias));
    rig.call("tools/list", None).unwrap();
    assert_eq!(deviations(&rig), [""; 0]);
}

#[test]
fn no_preset_is_chosen_by_itself() {
    let config = Config::new("https://mcp.example/mcp", "Test", REDIRECT);
    let written = serde_json::to_value(&config).unwrap();
    assert_eq!(written["issuers"], serde_json::json!([]));
    for preset in Preset::ALL {
        assert_ne!(preset.policy(), IssuerPolicy::default(), "{preset:?} changes nothing");
        let with = config.clone().issuer(NAMED, preset.policy());
        mcp_auth::Authorizer::new(with.clone(), mcp_auth::Seed::new([1; 32])).unwrap();
        let again: Config = serde_json::from_value(serde_json::to_value(&with).unwrap()).unwrap();
        assert_eq!(again, with);
    }
}
