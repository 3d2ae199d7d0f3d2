//! Who the client is: the order of the ways, what a registration is worth, and to whom a client belongs.

mod support;

use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::server_metadata::IssuerMatch;
use mcp_auth::{
    Action, ClientMetadata, Config, Event, IssuerPolicy, Kind, Outcome, Policy, Preregistered, Retry, Scopes,
    ServerChoice, Verdict,
};
use mcp_auth_testbed::{
    AuthorizationServers, Dials, Fault, IssuerValue, Person as Scripted, PreRegistered, Purpose,
    RegisteredRedirects, Registration, RegistrationScope, SecretDespiteNone, Trouble,
};
use support::{REDIRECT, Rig, works};

const DOCUMENT: &str = "https://app.example/client.json";

fn with_document() -> Dials {
    let document = ClientMetadata::new("Rig", REDIRECT).document(DOCUMENT, None, None).unwrap();
    Dials { client_documents: [(DOCUMENT.to_owned(), document)].into(), ..Dials::default() }
}

fn fails(dials: Dials) -> Kind {
    let mut rig = Rig::new(dials);
    rig.call("tools/list", None).unwrap_err().kind()
}

fn methods(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_configured_client_comes_before_all_else() {
    let dials = Dials { clients: vec![PreRegistered::public("by-hand", REDIRECT)], ..with_document() };
    let mut rig = Rig::with(dials, |config| {
        config.metadata_document(DOCUMENT).preregistered(Preregistered::new("https://as.example", "by-hand"))
    });
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("client_id").as_deref(), Some("by-hand"));
    assert_eq!(rig.count(Purpose::Registration), 0);
}

#[test]
fn a_metadata_document_comes_before_registration() {
    let mut rig = Rig::with(with_document(), |config| config.metadata_document(DOCUMENT));
    rig.call("tools/list", None).unwrap();
    assert_eq!((rig.asked("client_id").as_deref(), rig.count(Purpose::Registration)), (Some(DOCUMENT), 0));
    // Where the server does not say that it supports one, the client registers.
    let dials = Dials { client_id_metadata_documents: false, ..with_document() };
    let mut rig = Rig::with(dials, |config| config.metadata_document(DOCUMENT));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.count(Purpose::Registration), 1);
}

#[test]
fn a_client_that_is_not_to_register_does_not() {
    let mut rig = Rig::with(Dials::default(), |config| config.dynamic_registration(false));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::NoClient);
    assert_eq!(rig.count(Purpose::Registration), 0);
    // Its document is all that it has, even where a server could not use it before.
    let mut rig =
        Rig::with(with_document(), |config| config.metadata_document(DOCUMENT).dynamic_registration(false));
    rig.call("tools/list", None).unwrap();
    assert_eq!((rig.asked("client_id").as_deref(), rig.count(Purpose::Registration)), (Some(DOCUMENT), 0));
}

#[test]
fn the_person_is_asked_last() {
    let dials = Dials {
        registration: Registration::Absent,
        clients: vec![PreRegistered::public("typed-in", REDIRECT)],
        ..Dials::default()
    };
    assert_eq!(fails(dials.clone()), Kind::NoClient);
    let policy = Policy::with(|it| it.ask_for_client = true);
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    rig.told = Some((" typed-in ".to_owned(), None));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.asked("client_id").as_deref(), Some("typed-in"));
}

#[test]
fn a_person_without_a_client_ends_it() {
    let policy = Policy::with(|it| it.ask_for_client = true);
    let dials = Dials { registration: Registration::Forbidden, ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::NoClient);
}

#[test]
fn a_refused_registration_says_what_the_server_said() {
    let mut rig = Rig::new(Dials { registration: Registration::Forbidden, ..Dials::default() });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::RegistrationRejected);
    assert!(failure.to_string().contains("403 Forbidden"), "{failure}");
}

/// Nobody can mend a server that is busy, so nobody is asked to.
#[test]
fn a_registration_that_may_succeed_later_is_tried_later() {
    for (what, kind, retry) in [
        (Trouble::RetryAfter(503, 30), Kind::UnexpectedStatus, Retry::Later),
        (Trouble::RetryAfter(429, 30), Kind::UnexpectedStatus, Retry::Later),
        (
            Trouble::RedirectTo("https://evil.example/register".to_owned()),
            Kind::Redirected,
            Retry::AfterChange,
        ),
    ] {
        let faults = vec![Fault { purpose: Purpose::Registration, nth: 1, what }];
        let policy = Policy::with(|it| it.ask_for_client = true);
        let mut rig = Rig::with(Dials { faults, ..Dials::default() }, |config| config.policy(policy));
        rig.told = Some(("typed-in".to_owned(), None));
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!((failure.kind(), failure.retry()), (kind, retry), "{failure:#}");
        let wait = failure.retry_at.map(|at| at.as_secs() - rig.now);
        assert_eq!(wait, (retry == Retry::Later).then_some(30));
        assert!(rig.told.is_some(), "the person is asked");
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    }
}

#[test]
fn an_initial_access_token_goes_to_its_issuer() {
    let dials =
        Dials { registration: Registration::InitialAccessToken("initial-1".to_owned()), ..Dials::default() };
    assert_eq!(fails(dials.clone()), Kind::RegistrationRejected);
    let mut rig =
        Rig::with(dials.clone(), |config| config.initial_access_token("https://as.example", "initial-1"));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    let mut rig =
        Rig::with(dials, |config| config.initial_access_token("https://other.example", "initial-1"));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::RegistrationRejected);
}

#[test]
fn a_software_statement_goes_to_its_issuer() {
    for (issuer, sent) in [("https://as.example", true), ("https://other.example", false)] {
        let mut rig =
            Rig::with(Dials::default(), |config| config.software_statement(issuer, "a-signed-statement"));
        let seen = std::rc::Rc::new(std::cell::Cell::new(None));
        let sees = std::rc::Rc::clone(&seen);
        rig.instead = Some(Box::new(move |request| {
            if request.uri().path() == "/register" {
                let body = String::from_utf8_lossy(request.body()).into_owned();
                sees.set(Some(body.contains("\"software_statement\":\"a-signed-statement\"")));
            }
            None
        }));
        rig.log_in().unwrap();
        assert_eq!(seen.get(), Some(sent), "{issuer}");
    }
}

#[test]
fn every_method_that_is_offered_is_spoken() {
    for names in [
        &["none"][..],
        &["client_secret_basic"],
        &["client_secret_post"],
        &["private_key_jwt", "client_secret_post"],
        &["client_secret_basic", "client_secret_post"],
    ] {
        works(Dials { auth_methods: methods(names), refuse_client_id_with_basic: true, ..Dials::default() });
    }
    works(Dials { auth_methods: None, refuse_client_id_with_basic: true, ..Dials::default() });
    assert_eq!(
        fails(Dials { auth_methods: methods(&["private_key_jwt"]), ..Dials::default() }),
        Kind::Unsupported
    );
}

#[test]
fn what_the_server_registers_counts() {
    for method in ["client_secret_basic", "client_secret_post"] {
        works(Dials { registered_method: Some(method.to_owned()), ..Dials::default() });
    }
    let method = Some("private_key_jwt".to_owned());
    assert_eq!(fails(Dials { registered_method: method, ..Dials::default() }), Kind::RegistrationUnusable);
}

#[test]
fn sloppy_answers_are_read() {
    works(Dials { registration_empties: true, ..Dials::default() });
    works(Dials { registration_status: 200, ..Dials::default() });
    works(Dials { registered_redirects: RegisteredRedirects::Omitted, ..Dials::default() });
    works(Dials { secret_despite_none: SecretDespiteNone::Decorative, ..Dials::default() });
}

#[test]
fn a_rewritten_redirect_uri_is_not_adopted() {
    for registered_redirects in [RegisteredRedirects::Rewritten, RegisteredRedirects::RewrittenInTheAnswer] {
        assert_eq!(fails(Dials { registered_redirects, ..Dials::default() }), Kind::RegistrationUnusable);
    }
}

#[test]
fn secrets_with_special_characters_survive_basic() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let known = PreRegistered::confidential("id:with%odd+chars", "s3cret:+/%&= ä", method, REDIRECT);
        let dials = Dials { clients: vec![known], auth_methods: methods(&[method]), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| {
            let client = Preregistered::new("https://as.example", "id:with%odd+chars");
            config.preregistered(client.secret("s3cret:+/%&= ä"))
        });
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{method}");
    }
}

#[test]
fn a_wrong_secret_is_a_typed_failure() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let known = PreRegistered::confidential("by-hand", "the-right-one", method, REDIRECT);
        let dials = Dials { clients: vec![known], auth_methods: methods(&[method]), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| {
            config.preregistered(Preregistered::new("https://as.example", "by-hand").secret("the-wrong-one"))
        });
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!(failure.kind(), Kind::Configuration, "{failure}");
        assert!(failure.to_string().contains("to know the configured client by-hand"), "{failure}");
    }
}

#[test]
fn the_callers_method_overrides_the_list() {
    let known = PreRegistered::confidential("by-hand", "the-secret", "client_secret_post", REDIRECT);
    let dials =
        Dials { clients: vec![known], auth_methods: methods(&["client_secret_basic"]), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        let client = Preregistered::new("https://as.example", "by-hand").secret("the-secret");
        config.preregistered(client.method(AuthMethod::ClientSecretPost))
    });
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

fn by_policy(method: AuthMethod) -> impl Fn(Config) -> Config {
    move |config| config.issuer("https://as.example", IssuerPolicy::with(|it| it.auth_method = Some(method)))
}

/// Whether the trail says that policy named the method.
fn says_so(rig: &Rig) -> bool {
    let entries = rig.auth.trail().entries();
    entries.iter().any(|it| it.verdict == Verdict::Deviation && it.note.contains("auth_method"))
}

/// How the client authenticated at the token endpoint, last.
fn spoke(rig: &Rig) -> &'static str {
    let last = rig.world.exchanges().iter().rfind(|it| it.purpose == Purpose::Token).unwrap();
    match (&last.authorization, last.parameter("client_secret")) {
        (Some(_), None) => "client_secret_basic",
        (None, Some(_)) => "client_secret_post",
        (None, None) => "none",
        (Some(_), Some(_)) => panic!("both at once"),
    }
}

#[test]
fn a_method_by_policy_is_what_is_registered() {
    let mut rig = Rig::with(Dials::default(), by_policy(AuthMethod::ClientSecretPost));
    rig.call("tools/list", None).unwrap();
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_post", true));
    // A client that registered before speaks so too, when it renews.
    rig.now += 3600;
    rig.call("tools/list", None).unwrap();
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_post", true));
}

#[test]
fn a_method_by_policy_holds_for_a_client_that_is_stored() {
    let basic = methods(&["client_secret_basic"]);
    let mut rig = works(Dials { auth_methods: basic, ..Dials::default() });
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_basic", false));
    rig.restart(by_policy(AuthMethod::ClientSecretPost));
    rig.now += 3600;
    // This server knows the client by the other method, so it refuses; what was sent is what policy said.
    let _ = rig.run(Event::Restore);
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_post", true));
}

#[test]
fn a_client_without_a_secret_is_public_whatever_policy_says() {
    let configure =
        |config: Config| by_policy(AuthMethod::ClientSecretPost)(config).metadata_document(DOCUMENT);
    let mut rig = Rig::with(with_document(), configure);
    rig.call("tools/list", None).unwrap();
    assert_eq!((rig.asked("client_id").as_deref(), spoke(&rig)), (Some(DOCUMENT), "none"));
    assert!(!says_so(&rig), "{}", rig.auth.trail());
}

#[test]
fn what_the_caller_says_of_a_client_is_closer_than_what_it_says_of_the_issuer() {
    let known = PreRegistered::confidential("by-hand", "the-secret", "client_secret_post", REDIRECT);
    let mut rig = Rig::with(Dials { clients: vec![known], ..Dials::default() }, |config| {
        let client = Preregistered::new("https://as.example", "by-hand").secret("the-secret");
        by_policy(AuthMethod::ClientSecretBasic)(config)
            .preregistered(client.method(AuthMethod::ClientSecretPost))
    });
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_post", false));
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(spoke(&rig), "client_secret_post");
}

/// Some servers register `none`, give a secret with it, and want to see it.
#[test]
fn a_secret_that_is_demanded_despite_none_needs_a_policy() {
    let dials = Dials {
        registered_method: Some("none".to_owned()),
        secret_despite_none: SecretDespiteNone::Demanded,
        ..Dials::default()
    };
    assert_eq!(fails(dials.clone()), Kind::ClientRejected);
    let mut rig = Rig::with(dials, by_policy(AuthMethod::ClientSecretPost));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((spoke(&rig), says_so(&rig)), ("client_secret_post", true));
}

#[test]
fn a_resource_that_moves_gets_a_new_client() {
    let mut rig = works(Dials::default());
    let first = rig.auth.authorized().unwrap();
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    let second = rig.auth.authorized().unwrap();
    assert_eq!(second.issuer, "https://as2.example");
    assert_ne!(second.client_id, first.client_id);
    assert_eq!(rig.count(Purpose::Registration), 2);
}

#[test]
fn a_configured_client_does_not_move() {
    let dials = Dials { clients: vec![PreRegistered::public("by-hand", REDIRECT)], ..Dials::default() };
    for client in [Preregistered::new("https://as.example", "by-hand"), Preregistered::unbound("by-hand")] {
        let mut rig = Rig::with(dials.clone(), |config| config.preregistered(client));
        rig.call("tools/list", None).unwrap();
        rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!(failure.kind(), Kind::ClientBoundElsewhere, "{failure:#}");
        assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (1, 0));
    }
}

/// No grant came of it, but a code was sent.
#[test]
fn a_client_without_issuer_is_bound_by_the_first_code_that_it_sends() {
    let second = PreRegistered { authorization_server: 1, ..PreRegistered::public("by-hand", REDIRECT) };
    let broken = Fault { purpose: Purpose::Token, nth: 1, what: Trouble::Status(500) };
    let dials = Dials {
        clients: vec![PreRegistered::public("by-hand", REDIRECT), second],
        faults: vec![broken],
        ..Dials::default()
    };
    let configure = |config: Config| config.preregistered(Preregistered::unbound("by-hand"));
    let mut rig = Rig::with(dials, configure);
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::UnexpectedStatus);
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ClientBoundElsewhere);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 1));
    // Whoever logs out has nothing there any more.
    rig.run(Event::LogOut).unwrap();
    assert_eq!(rig.log_in().unwrap().issuer, "https://as2.example");
}

#[test]
fn the_client_of_an_issuer_comes_before_the_one_of_none() {
    let dials = Dials { clients: vec![PreRegistered::public("its-own", REDIRECT)], ..Dials::default() };
    let configure = |config: Config| {
        let config = config.preregistered(Preregistered::unbound("for-any"));
        config.preregistered(Preregistered::new("https://as.example", "its-own"))
    };
    let mut rig = Rig::with(dials, configure);
    assert_eq!(rig.log_in().unwrap().client_id, "its-own");
    // And so it is for a record.
    rig.restart(configure);
    rig.run(Event::Restore).unwrap();
    assert_eq!(rig.auth.authorized().map(|it| it.client_id).as_deref(), Some("its-own"));
    rig.restart(|config| config.preregistered(Preregistered::unbound("for-any")));
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
}

#[test]
fn a_client_with_an_issuer_is_offered_to_no_other() {
    let dials = Dials { registration: Registration::Absent, ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        config.preregistered(Preregistered::new("https://elsewhere.example", "by-hand").secret("the-secret"))
    });
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::ClientBoundElsewhere);
}

#[test]
fn a_registered_client_is_used_again_until_its_secret_expires() {
    let dials = Dials {
        auth_methods: methods(&["client_secret_basic"]),
        secret_lifetime: Some(7200),
        access_lifetime: 600,
        refresh_tokens: mcp_auth_testbed::RefreshTokens::Never,
        ..Dials::default()
    };
    let mut rig = works(dials);
    rig.now += 700;
    rig.call("tools/list", None).unwrap();
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (1, 2));
    rig.now += 7200;
    rig.call("tools/list", None).unwrap();
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 3));
}

#[test]
fn another_redirect_uri_means_another_registration() {
    let mut rig = works(Dials { refresh_tokens: mcp_auth_testbed::RefreshTokens::Never, ..Dials::default() });
    rig.now += 3600;
    rig.restart_at("http://127.0.0.1:4000/callback");
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.count(Purpose::Registration), 2);
}

#[test]
fn a_login_that_fails_does_not_undo_its_registration() {
    let mut rig = Rig::new(Dials { person: Scripted::Denies, ..Dials::default() });
    for _ in 0..4 {
        assert_eq!(rig.log_in().unwrap_err().kind(), Kind::AccessDenied);
    }
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (4, 1));
    rig.world.dials_mut().person = Scripted::Allows;
    rig.log_in().unwrap();
    assert_eq!(rig.count(Purpose::Registration), 1);
}

/// RFC 7591 §2: a client may use the scopes that its registration names. So one that is to ask for more registers for
/// more, and one that is to ask for no more does not.
#[test]
fn a_client_that_asks_for_more_than_it_is_registered_for_registers_anew() {
    let mut rig = works(Dials {
        registration_scope: RegistrationScope::Binding,
        access_lifetime: 600,
        ..Dials::default()
    });
    let first = rig.auth.authorized().unwrap().client_id;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    let second = rig.auth.authorized().unwrap();
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 2));
    assert_ne!(second.client_id, first);
    assert_eq!(second.granted.to_string(), "files:read files:write");
    // What was registered for is known after a restart.
    rig.restart(|config| config);
    rig.world.revoke_everything();
    rig.now += 600;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (3, 2));
}

/// RFC 7591 §3.2.1: a server may register less than it was asked for. It would do so again, so it is not asked again.
#[test]
fn a_server_that_registers_fewer_scopes_is_asked_once() {
    let mut rig = Rig::new(Dials::default());
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = asked.clone();
    rig.instead = Some(support::at("https://as.example/register", move |_| {
        counted.set(counted.get() + 1);
        let registered = serde_json::json!({
            "client_id": "of-few-scopes", "redirect_uris": [REDIRECT], "scope": "profile",
            "token_endpoint_auth_method": "none",
        });
        (201, registered.to_string())
    }));
    for _ in 0..2 {
        rig.tell(Event::LogIn { scopes: Scopes::new() });
        assert!(rig.settle().is_empty() && rig.auth.is_consenting());
        rig.tell(Event::Cancelled);
        assert!(matches!(&rig.settle()[..], [Err(_)]));
    }
    assert_eq!((asked.get(), rig.opened.len()), (1, 2));
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read"));
}

#[test]
fn a_registration_without_scopes_binds_to_none() {
    let dials = Dials { resource_scopes: None, challenge_scope: false, ..Dials::default() };
    let mut rig = works(Dials { registration_scope: RegistrationScope::Binding, ..dials });
    assert_eq!(rig.asked("scope"), None);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 1));
}

#[test]
fn a_server_that_registers_no_scopes_is_asked_without() {
    let mut rig = works(Dials { registration_scope: RegistrationScope::Refused, ..Dials::default() });
    assert_eq!((rig.count(Purpose::Registration), rig.asked("scope").as_deref()), (2, Some("files:read")));
    // It named none, so it is good for any.
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!(rig.count(Purpose::Registration), 2);
    works(Dials { registration_scope: RegistrationScope::Required, ..Dials::default() });
    // Once: what else is wrong with the metadata is not mended by leaving out the scope.
    let mut rig = Rig::new(Dials { registration: Registration::Open, ..Dials::default() });
    let body = br#"{"error":"invalid_client_metadata","error_description":"no"}"#.to_vec();
    let what = Trouble::Answer(400, "application/json", body);
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Registration, nth: 0, what }];
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::RegistrationRejected);
    assert_eq!(rig.count(Purpose::Registration), 2);
}

/// The authorization endpoint has its own word on a client.
#[test]
fn a_client_that_the_authorization_endpoint_refuses_is_not_used_again() {
    for error in ["unauthorized_client", "invalid_client", "invalid_scope"] {
        let mut rig = Rig::new(Dials { authorization_error: Some(error.to_owned()), ..Dials::default() });
        let failure = rig.log_in().unwrap_err();
        assert_eq!((failure.kind(), rig.opened.len()), (Kind::AuthorizationFailed, 1), "{failure}");
        rig.world.dials_mut().authorization_error = None;
        rig.log_in().unwrap();
        assert_eq!(rig.count(Purpose::Registration), 2, "{error}");
    }
    // Nothing is wrong with the client.
    let mut rig =
        Rig::new(Dials { authorization_error: Some("server_error".to_owned()), ..Dials::default() });
    rig.log_in().unwrap_err();
    rig.world.dials_mut().authorization_error = None;
    rig.log_in().unwrap();
    assert_eq!(rig.count(Purpose::Registration), 1);
}

#[test]
fn a_resource_that_comes_back_finds_its_registration() {
    let mut rig = works(Dials::default());
    let first = rig.auth.authorized().unwrap().client_id;
    for servers in [AuthorizationServers::SecondOnly, AuthorizationServers::One] {
        rig.now += 60;
        rig.world.dials_mut().authorization_servers = servers;
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    }
    assert_eq!(rig.auth.authorized().unwrap().client_id, first);
    assert_eq!(rig.count(Purpose::Registration), 2);
}

/// The issuer is written with a slash in the configuration, without one in the resource metadata, and with one in
/// the server's own: by this policy they are one, before a restart and after it.
#[test]
fn a_configured_client_is_known_by_its_issuer_after_a_restart() {
    let dials = Dials {
        clients: vec![PreRegistered::public("by-hand", REDIRECT)],
        issuer: IssuerValue::TrailingSlash,
        ..Dials::default()
    };
    for written in ["https://as.example", "https://as.example/"] {
        for pinned in [false, true] {
            let configure = |config: Config| {
                let lenient = IssuerPolicy::with(|it| it.issuer_match = IssuerMatch::IgnoreLoneSlash);
                let choice =
                    if pinned { ServerChoice::Pinned(written.to_owned()) } else { ServerChoice::InOrder };
                config
                    .preregistered(Preregistered::new(written, "by-hand"))
                    .issuer("https://as.example", lenient)
                    .policy(Policy::with(|it| it.authorization_server = choice))
            };
            let mut rig = Rig::with(dials.clone(), configure);
            rig.call("tools/list", None).unwrap();
            rig.restart(configure);
            rig.call("tools/list", None).unwrap();
            assert_eq!((rig.opened.len(), rig.asked("client_id").as_deref()), (1, Some("by-hand")));
        }
    }
}

/// All that one attempt shows counts once, so the page that takes the place of the first is not one too many.
#[test]
fn a_client_that_is_refused_by_its_page_is_replaced_within_the_one_login_that_is_allowed() {
    let policy = || Policy::with(|it| it.logins_per_hour = 1);
    let mut rig = Rig::with(with_document(), |config| config.metadata_document(DOCUMENT).policy(policy()));
    let fields = http::HeaderMap::new();
    let challenge = mcp_auth::Challenge::of(http::StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap();
    rig.tell(Event::Challenged(challenge.clone()));
    assert!(rig.settle().is_empty());
    rig.tell(Event::ClientDisowned);
    assert!(rig.settle().is_empty(), "{}", rig.auth.trail());
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 1));
    // Another attempt is.
    rig.tell(Event::Abandoned);
    rig.settle();
    assert_eq!(rig.run(Event::Challenged(challenge)).unwrap_err().kind(), Kind::TooManyLogins);
}

/// The page that a client is disowned by is the one that was opened, not the one that takes its place.
#[test]
fn a_client_is_disowned_once_however_often_that_is_said() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Default::default() });
    rig.settle();
    rig.tell(Event::ClientDisowned);
    let mut said = false;
    while rig.opened.len() < 2 {
        match rig.poll() {
            Action::Send(send) => {
                let event = rig.answer(Action::Send(send)).unwrap();
                rig.tell(event);
                // The next page is asked for, or will be.
                rig.tell(Event::ClientDisowned);
                said = true;
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    assert!(said && rig.count(Purpose::Registration) == 2);
    let called = rig.consent();
    rig.tell(called);
    assert!(matches!(&rig.settle()[..], [Ok(Outcome::Authorized(_))]));
}
