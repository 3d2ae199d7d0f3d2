//! From the refusal to the authorization server: where metadata may be, what is passed over, and what ends it.

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use http::Response;
use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce};
use mcp_auth::{IssuerPolicy, Kind, Legacy, Policy, Reach, ServerChoice, Verdict};
use mcp_auth_testbed::{
    AuthorizationServers, Challenge, ChallengeMethods, Dials, Fault, IssuerValue, MetadataRedirect,
    PreRegistered, Purpose, RefreshTokens, ResourceMetadata, ResourceValue, SecretDespiteNone,
    ServerMetadata, Trouble, UnknownPath,
};
use support::{REDIRECT, Rig, works};

fn fails(dials: Dials) -> Kind {
    let mut rig = Rig::new(dials);
    let failure = rig.call("tools/list", None).unwrap_err();
    // Nothing was put before a person, and the machine is as usable after as before.
    assert!(rig.opened.is_empty(), "{failure:#}");
    assert!(rig.call("tools/list", None).is_err());
    assert!(!failure.trail.entries().is_empty());
    failure.kind()
}

#[test]
fn every_place_of_resource_metadata() {
    for resource_metadata in [
        ResourceMetadata::Path,
        ResourceMetadata::Root,
        ResourceMetadata::PathAndRoot,
        ResourceMetadata::Custom("/elsewhere/document.json".to_owned()),
    ] {
        let advertised = [true, false];
        let custom = matches!(resource_metadata, ResourceMetadata::Custom(_));
        for advertise_metadata in advertised.into_iter().filter(|advertised| *advertised || !custom) {
            let root = resource_metadata == ResourceMetadata::Root;
            let resource = if root { ResourceValue::Root } else { ResourceValue::Exact };
            let resource_metadata = resource_metadata.clone();
            let rig = works(Dials { resource_metadata, advertise_metadata, resource, ..Dials::default() });
            // What the document says goes out byte for byte.
            let expected = if root { "https://mcp.example" } else { "https://mcp.example/mcp" };
            assert_eq!(rig.asked("resource").as_deref(), Some(expected));
        }
    }
}

#[test]
fn every_shape_of_challenge() {
    for challenge in [
        Challenge::Bearer,
        Challenge::None,
        Challenge::Bare,
        Challenge::Several,
        Challenge::Joined,
        Challenge::DuplicatedMetadata,
        Challenge::BareThenBearer,
    ] {
        works(Dials { challenge, ..Dials::default() });
    }
}

#[test]
fn every_form_of_server_metadata() {
    for issuer_path in ["", "/tenant1"] {
        for server_metadata in [
            ServerMetadata::Oauth,
            ServerMetadata::OpenidInserted,
            ServerMetadata::OpenidAppended,
            ServerMetadata::Everywhere,
        ] {
            works(Dials { server_metadata, issuer_path: issuer_path.to_owned(), ..Dials::default() });
        }
    }
}

#[test]
fn authorization_servers_are_tried_in_turn() {
    let rig = works(Dials { authorization_servers: AuthorizationServers::DeadThenFirst, ..Dials::default() });
    assert_eq!(rig.auth.authorized().unwrap().issuer, "https://as.example");
    works(Dials { authorization_servers: AuthorizationServers::Both, ..Dials::default() });
    works(Dials { authorization_servers: AuthorizationServers::SecondOnly, ..Dials::default() });
}

#[test]
fn policy_picks_the_authorization_server() {
    let pin = |issuer: &str| {
        let policy = Policy::with(|it| it.authorization_server = ServerChoice::Pinned(issuer.to_owned()));
        Rig::with(Dials { authorization_servers: AuthorizationServers::Both, ..Dials::default() }, |config| {
            config.policy(policy)
        })
    };
    let mut rig = pin("https://as2.example");
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.auth.authorized().unwrap().issuer, "https://as2.example");
    let mut rig = pin("https://as3.example");
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::IssuerMismatch);
}

/// The order of the list is the resource's, and may change; a person who is known at one server is not sent to another.
#[test]
fn the_server_that_is_known_comes_first() {
    let list = |servers: &[&str]| {
        let servers = servers.iter().map(|it| format!("https://{it}.example")).collect();
        AuthorizationServers::Raw(servers)
    };
    let issuer = |rig: &Rig| rig.auth.authorized().unwrap().issuer;
    let never = RefreshTokens::Never;
    let mut rig =
        works(Dials { refresh_tokens: never, authorization_servers: list(&["as2"]), ..Dials::default() });
    assert_eq!(issuer(&rig), "https://as2.example");
    rig.world.dials_mut().authorization_servers = list(&["as", "as2"]);
    for restart in [false, true] {
        rig.now += 3600;
        if restart {
            rig.restart(|config| config);
        }
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!((issuer(&rig), rig.count(Purpose::Registration)), ("https://as2.example".to_owned(), 1));
    }
    // Where a client is configured comes before that.
    rig.world.dials_mut().clients = vec![PreRegistered::public("by-hand", REDIRECT)];
    rig.restart(|config| config.preregistered(mcp_auth::Preregistered::new("https://as.example", "by-hand")));
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(issuer(&rig), "https://as.example");
    // A registration that led to no grant counts too.
    let mut rig = Rig::new(Dials { authorization_servers: list(&["as2"]), ..Dials::default() });
    rig.world.dials_mut().person = mcp_auth_testbed::Person::Denies;
    rig.log_in().unwrap_err();
    rig.world.dials_mut().authorization_servers = list(&["as", "as2"]);
    rig.world.dials_mut().person = mcp_auth_testbed::Person::Allows;
    rig.log_in().unwrap();
    assert_eq!((issuer(&rig), rig.count(Purpose::Registration)), ("https://as2.example".to_owned(), 1));
}

/// A list is the server's, and each entry costs exchanges.
#[test]
fn four_authorization_servers_are_tried_and_no_more() {
    let dead = |count: usize| (0..count).map(|number| format!("https://dead.example/{number}"));
    let servers = |count| dead(count).chain(["https://as.example".to_owned()]).collect();
    let dials = |count| Dials {
        authorization_servers: AuthorizationServers::Raw(servers(count)),
        ..Dials::default()
    };
    works(dials(3));
    assert_eq!(fails(dials(4)), Kind::Unreachable);
}

/// Those for which a client is configured come first, wherever they stand in the list.
#[test]
fn the_server_of_a_configured_client_is_tried_however_late_it_stands() {
    let dead = (0..6).map(|number| format!("https://dead.example/{number}"));
    let servers = dead.chain(["https://as.example".to_owned()]).collect();
    let dials = Dials {
        authorization_servers: AuthorizationServers::Raw(servers),
        clients: vec![PreRegistered::public("by-hand", REDIRECT)],
        ..Dials::default()
    };
    let client = mcp_auth::Preregistered::new("https://as.example", "by-hand");
    let mut rig = Rig::with(dials, |config| config.preregistered(client));
    rig.call("tools/list", None).unwrap();
    assert_eq!(
        (rig.auth.authorized().unwrap().issuer.as_str(), rig.count(Purpose::ServerMetadata)),
        ("https://as.example", 1)
    );
}

#[test]
fn metadata_of_another_resource_is_refused() {
    for resource in
        [ResourceValue::OtherOrigin, ResourceValue::SiblingPrefix, ResourceValue::Raw("mcp".to_owned())]
    {
        assert_eq!(fails(Dials { resource, ..Dials::default() }), Kind::ResourceMismatch);
    }
}

#[test]
fn metadata_without_an_authorization_server_is_refused() {
    for authorization_servers in [AuthorizationServers::Empty, AuthorizationServers::Absent] {
        assert_eq!(fails(Dials { authorization_servers, ..Dials::default() }), Kind::NoAuthorizationServer);
    }
}

#[test]
fn another_issuer_is_refused_and_a_slash_needs_a_policy() {
    assert_eq!(fails(Dials { issuer: IssuerValue::Other, ..Dials::default() }), Kind::IssuerMismatch);
    let dials = Dials { issuer: IssuerValue::TrailingSlash, ..Dials::default() };
    assert_eq!(fails(dials.clone()), Kind::IssuerMismatch);
    let lenient = IssuerPolicy::with(|it| it.issuer_match = IssuerMatch::IgnoreLoneSlash);
    let mut rig = Rig::with(dials, |config| config.issuer("https://as.example", lenient));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.auth.authorized().unwrap().issuer, "https://as.example/");
    let deviated = |rig: &Rig| rig.auth.trail().entries().iter().any(|it| it.verdict == Verdict::Deviation);
    assert!(deviated(&rig));
}

#[test]
fn s256_must_be_advertised() {
    for challenge_methods in [ChallengeMethods::PlainOnly, ChallengeMethods::Empty, ChallengeMethods::Absent]
    {
        assert_eq!(fails(Dials { challenge_methods, ..Dials::default() }), Kind::PkceUnsupported);
    }
    works(Dials { challenge_methods: ChallengeMethods::PlainAndS256, ..Dials::default() });
    let assumed = |challenge_methods| {
        let policy = IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256);
        let dials = Dials { challenge_methods, ..Dials::default() };
        Rig::with(dials, |config| config.issuer("https://as.example", policy)).call("tools/list", None)
    };
    assert!(assumed(ChallengeMethods::Absent).is_ok());
    // Where a server says that it supports it, nothing is assumed.
    let mut rig = Rig::with(Dials::default(), |config| {
        config.issuer("https://as.example", IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))
    });
    rig.log_in().unwrap();
    assert!(!rig.auth.trail().to_string().contains("assume_s256"), "{}", rig.auth.trail());
    assert_eq!(assumed(ChallengeMethods::PlainOnly).unwrap_err().kind(), Kind::PkceUnsupported);
}

#[test]
fn metadata_may_move_within_its_origin_only() {
    let same = MetadataRedirect::SameOrigin;
    works(Dials { resource_metadata_redirect: same, server_metadata_redirect: same, ..Dials::default() });
    let other = MetadataRedirect::OtherOrigin;
    assert_eq!(fails(Dials { resource_metadata_redirect: other, ..Dials::default() }), Kind::Redirected);
    assert_eq!(fails(Dials { server_metadata_redirect: other, ..Dials::default() }), Kind::Redirected);
}

/// A document may move, and what it moved to may: three times (RFC 9728 and RFC 8414 say nothing of redirects). One that
/// always moves is asked for no more often, wherever it is looked for.
#[test]
fn a_document_may_move_three_times() {
    for kind in ["oauth-protected-resource", "oauth-authorization-server"] {
        for (moves, arrives) in [(3, true), (4, false), (usize::MAX, false)] {
            let mut rig = Rig::new(Dials::default());
            let seen = Rc::new(RefCell::new(BTreeMap::<String, usize>::new()));
            let asked = Rc::clone(&seen);
            rig.instead = Some(Box::new(move |request| {
                let url = request.uri().to_string();
                let mut asked = asked.borrow_mut();
                let count = asked.entry(url.clone()).or_default();
                *count += 1;
                let moved = url.contains(kind) && *count <= moves;
                moved.then(|| {
                    Response::builder().status(302).header("location", url).body(Vec::new()).unwrap()
                })
            }));
            let _ = rig.log_in();
            let seen = seen.borrow();
            let first = seen.iter().find(|(url, _)| url.contains(kind)).unwrap();
            assert_eq!(*first.1, 4, "{kind}, which moves {moves} times: {seen:?}");
            let other = "openid-configuration";
            let places = seen.keys().filter(|url| url.contains(kind) || url.contains(other)).count();
            assert_eq!(places == 1, arrives, "{kind}: {seen:?}");
            assert!(seen.iter().all(|(url, count)| !url.contains(kind) || *count <= 4), "{kind}: {seen:?}");
        }
    }
}

#[test]
fn endpoints_may_be_on_another_origin() {
    works(Dials { endpoints_elsewhere: true, ..Dials::default() });
}

/// Four of those that a challenge names are tried: the list is the server's, and each costs an exchange.
#[test]
fn four_advertised_places_are_tried_and_no_more() {
    let named: Vec<_> = (0..6)
        .map(|number| format!("resource_metadata=\"https://mcp.example/place/{number}?key=k3y-{number}\""))
        .collect();
    let challenge = Challenge::Raw(format!("Bearer {}", named.join(", ")));
    let rig = works(Dials { challenge, ..Dials::default() });
    let asked = rig.world.exchanges().iter().filter(|it| it.path.starts_with("/place/"));
    assert_eq!(
        asked.map(|it| it.path.as_str()).collect::<Vec<_>>(),
        ["/place/0", "/place/1", "/place/2", "/place/3"]
    );
    // Where they were looked for is told, but not with the query, which may be a key.
    let trail = rig.auth.trail().to_string();
    assert!(trail.contains("https://mcp.example/place/3") && !trail.contains("k3y"), "{trail}");
}

fn old_server() -> Dials {
    Dials {
        resource_metadata: ResourceMetadata::Nowhere,
        advertise_metadata: false,
        challenge: Challenge::Bare,
        server_metadata: ServerMetadata::Nowhere,
        ..Dials::default()
    }
}

#[test]
fn a_server_without_any_metadata_falls_back_to_its_own_origin() {
    for unknown_path in
        [UnknownPath::NotFound, UnknownPath::Page, UnknownPath::Status(401), UnknownPath::Status(403)]
    {
        let rig = works(Dials { unknown_path, ..old_server() });
        let authorized = rig.auth.authorized().unwrap();
        assert!(authorized.legacy);
        assert_eq!(authorized.issuer, "https://mcp.example");
        assert_eq!(rig.asked("resource").as_deref(), Some("https://mcp.example/mcp"));
    }
}

#[test]
fn nothing_but_a_clean_miss_opens_the_fallback() {
    for unknown_path in [UnknownPath::Status(500), UnknownPath::Status(503), UnknownPath::Status(429)] {
        assert_eq!(fails(Dials { unknown_path, ..old_server() }), Kind::UnexpectedStatus);
    }
    for what in [Trouble::Status(500), Trouble::Drop, Trouble::RedirectTo("https://evil.example/".to_owned())]
    {
        let faults = vec![Fault { purpose: Purpose::ResourceMetadata, nth: 0, what }];
        let kind = fails(Dials { faults, ..old_server() });
        assert_ne!(kind, Kind::NotFound);
    }
    // A document for another resource, or one that breaks its format, is no clean miss either.
    for body in
        [r#"{"resource":"https://evil.example/","authorization_servers":["https://as.example"]}"#, "{"]
    {
        let what = Trouble::Answer(200, "application/json", body.as_bytes().to_vec());
        let faults = vec![Fault { purpose: Purpose::ResourceMetadata, nth: 0, what }];
        assert!(matches!(fails(Dials { faults, ..old_server() }), Kind::ResourceMismatch | Kind::Malformed));
    }
    // What the server itself advertises must be there.
    let challenge = Challenge::Raw("Bearer resource_metadata=\"https://mcp.example/gone\"".to_owned());
    assert_eq!(fails(Dials { challenge, ..old_server() }), Kind::NotFound);
}

#[test]
fn the_fallback_can_be_refused_and_never_takes_a_secret() {
    let policy = Policy::with(|it| it.legacy = Legacy::Refused);
    let mut rig = Rig::with(old_server(), |config| config.policy(policy));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
    let client = mcp_auth::Preregistered::new("https://mcp.example", "by-hand").secret("configured-secret");
    let mut rig = Rig::with(old_server(), |config| config.preregistered(client));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
    let mut rig =
        Rig::with(old_server(), |config| config.initial_access_token("https://mcp.example", "hand-out-1"));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
    assert_eq!(rig.count(Purpose::Registration), 0);
    let mut rig =
        Rig::with(old_server(), |config| config.software_statement("https://mcp.example", "hand-out-1"));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
    assert_eq!(rig.count(Purpose::Registration), 0);
}

/// Nobody has said that the guessed endpoints belong together, so no secret is shown to one of them.
#[test]
fn a_guessed_endpoint_sees_no_secret() {
    let rig = works(old_server());
    let registered = rig.world.exchanges().iter().find(|it| it.purpose == Purpose::Registration).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&registered.body).unwrap();
    assert_eq!(body["token_endpoint_auth_method"], "none");
    // What the server gives unasked is not used either.
    works(Dials { secret_despite_none: SecretDespiteNone::Decorative, ..old_server() });
    // A person who hands one out is told.
    let policy = Policy::with(|it| it.ask_for_client = true);
    let known = PreRegistered::confidential("typed-in", "typed-secret", "client_secret_basic", REDIRECT);
    let dials = Dials { clients: vec![known], faults: registration_is_refused(), ..old_server() };
    let mut rig = Rig::with(dials, |config| config.policy(policy.clone()));
    rig.told = Some(("typed-in".to_owned(), Some("typed-secret".into())));
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::FallbackRefused, 0), "{failure:#}");
    assert_eq!(rig.count(Purpose::Token), 0);
    // Without a secret it is as good as any client.
    let dials = Dials {
        clients: vec![PreRegistered::public("typed-in", REDIRECT)],
        faults: registration_is_refused(),
        ..old_server()
    };
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    rig.told = Some(("typed-in".to_owned(), None));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

fn registration_is_refused() -> Vec<Fault> {
    vec![Fault { purpose: Purpose::Registration, nth: 0, what: Trouble::Status(404) }]
}

/// The client was registered when the server's own origin had metadata; it has none any more.
#[test]
fn a_stored_secret_is_not_shown_to_a_guessed_endpoint() {
    let dials = Dials {
        auth_methods: Some(vec!["client_secret_basic".to_owned()]),
        server_metadata: ServerMetadata::Oauth,
        refresh_tokens: RefreshTokens::Never,
        ..old_server()
    };
    let mut rig = works(dials);
    assert!(rig.auth.authorized().unwrap().legacy);
    rig.world.dials_mut().server_metadata = ServerMetadata::Nowhere;
    rig.now += 3600;
    let before = rig.count(Purpose::Token);
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::FallbackRefused, 1), "{failure:#}");
    assert_eq!(rig.count(Purpose::Token), before);
}

#[test]
fn no_policy_makes_a_guessed_endpoint_see_a_secret() {
    let policy = IssuerPolicy::with(|it| it.auth_method = Some(AuthMethod::ClientSecretPost));
    let mut rig = Rig::with(old_server(), |config| config.issuer("https://mcp.example", policy));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    let exchange = rig.world.exchanges().iter().find(|it| it.purpose == Purpose::Token).unwrap();
    assert_eq!((exchange.parameter("client_secret"), &exchange.authorization), (None, &None));
}

#[test]
fn a_named_authorization_server_gets_no_fallback() {
    let dials = Dials { server_metadata: ServerMetadata::Nowhere, ..Dials::default() };
    assert_eq!(fails(dials), Kind::NotFound);
}

#[test]
fn private_addresses_are_for_those_who_say_so() {
    let servers = AuthorizationServers::Raw(vec!["https://10.1.2.3".to_owned()]);
    let dials = Dials { authorization_servers: servers, ..Dials::default() };
    assert_eq!(fails(dials.clone()), Kind::UrlRefused);
    let policy = Policy::with(|it| it.reach = Some(Reach::Any));
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    // It is asked now; nobody is there.
    assert_ne!(rig.call("tools/list", None).unwrap_err().kind(), Kind::UrlRefused);
}

#[test]
fn an_oversized_or_broken_document_is_a_typed_failure() {
    for (what, kind) in [
        (Trouble::Oversized(300 << 10), Kind::TooLarge),
        (Trouble::Truncated, Kind::Malformed),
        (Trouble::Html, Kind::NotADocument),
        (Trouble::Empty, Kind::NotADocument),
        (Trouble::Status(500), Kind::UnexpectedStatus),
        (Trouble::Drop, Kind::Unreachable),
    ] {
        for purpose in [Purpose::ResourceMetadata, Purpose::ServerMetadata] {
            let faults = vec![Fault { purpose, nth: 0, what: what.clone() }];
            assert_eq!(fails(Dials { faults, ..Dials::default() }), kind, "{what:?} {purpose:?}");
        }
    }
}

/// Of all that was wrong in the places that were asked, what a document says is told rather than that there is none, and the first
/// of what tells as much.
#[test]
fn the_failure_is_what_tells_most() {
    const BROKEN: (u16, &str) = (200, "{");
    const OTHER: (u16, &str) = (200, r#"{"hello":"world"}"#);
    const GONE: (u16, &str) = (404, "");
    const DOWN: (u16, &str) = (500, "");
    const FOREIGN: (u16, &str) =
        (200, r#"{"resource":"https://evil.example/","authorization_servers":["https://as.example"]}"#);
    // The first place and the second, on the one host and on the other.
    let tries = |host: &'static str, first: (u16, &'static str), second: (u16, &'static str)| {
        let mut rig = Rig::new(Dials { advertise_metadata: false, ..Dials::default() });
        let mut asked = 0;
        rig.instead = Some(Box::new(move |request| {
            let here = request.uri().host() == Some(host) && request.uri().path().contains("/.well-known/");
            here.then(|| {
                asked += 1;
                let (status, body) = if asked == 1 { first } else { second };
                support::json((status, body.to_owned()))
            })
        }));
        rig.log_in().unwrap_err().kind()
    };
    for (first, second, told) in [
        (GONE, DOWN, Kind::UnexpectedStatus),
        (DOWN, GONE, Kind::UnexpectedStatus),
        (OTHER, DOWN, Kind::UnexpectedStatus),
        (DOWN, OTHER, Kind::UnexpectedStatus),
        (DOWN, BROKEN, Kind::UnexpectedStatus),
        (BROKEN, DOWN, Kind::Malformed),
    ] {
        assert_eq!(tries("mcp.example", first, second), told, "resource: {first:?}, {second:?}");
        assert_eq!(tries("as.example", first, second), told, "server: {first:?}, {second:?}");
    }
    assert_eq!(tries("mcp.example", DOWN, FOREIGN), Kind::ResourceMismatch);
    assert_eq!(tries("mcp.example", FOREIGN, DOWN), Kind::ResourceMismatch);
}
