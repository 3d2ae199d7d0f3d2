//! More scope: once, with what was asked before, and no more often than it can help.

mod support;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::{
    Challenge, Event, Generation, Kind, Policy, Preregistered, ProofKey, ScopeRule, Scopes, TokenSource,
};
use mcp_auth_testbed::{
    ChallengeMethods, Dials, Dpop, Fault, Person as Scripted, PreRegistered, Purpose, RefreshTokens, Refusal,
    RegistrationScope, ResourceMetadata, ScopeUnknown, StepUp, TokenType, Trouble,
};
use support::{PROOF_KEY, Rig, StoreMood, authorized};

#[test]
fn what_was_asked_before_is_asked_again() {
    for step_up in [StepUp::Needed, StepUp::Union] {
        let mut rig = Rig::new(Dials { step_up, ..Dials::default() });
        assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
        assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
        assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
        // The wider grant serves both.
        assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
        assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 2));
    }
}

/// The record names a token endpoint that has moved since. A login that failed read of that, and wrote no record.
#[test]
fn metadata_that_was_read_since_counts_more_than_the_record() {
    let client = PreRegistered::public("by-hand", support::REDIRECT);
    let mut rig = Rig::with(Dials { clients: vec![client], ..Dials::default() }, |config| {
        config.preregistered(Preregistered::new("https://as.example", "by-hand"))
    });
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    rig.world.revoke_everything();
    let dials = rig.world.dials_mut();
    (dials.token_endpoint_moved, dials.token_type) = (Some(404), TokenType::Absent);
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::TokenType);
    rig.world.dials_mut().token_type = TokenType::Bearer;
    let wider = Scopes::parse("files:write").unwrap();
    let outcome = rig.run(Event::LogIn { scopes: wider.clone() }).unwrap();
    assert!(wider.is_subset(&authorized(outcome).granted));
    assert_eq!(rig.opened.len(), 3);
}

/// It does however the attempt ended that read it: here the resource takes no proof that the key could make.
#[test]
fn metadata_that_was_read_in_vain_counts_more_than_the_record() {
    let clients = vec![PreRegistered::public("by-hand", support::REDIRECT)];
    let refresh_tokens = RefreshTokens::Never;
    let dials = Dials { clients, refresh_tokens, dpop: Some(Dpop::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        let config = config.proof_key(ProofKey::new(support::public(&PROOF_KEY)));
        config.preregistered(Preregistered::new("https://as.example", "by-hand"))
    });
    rig.signer = support::signer();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    rig.world.dials_mut().token_endpoint_moved = Some(404);
    let held = rig.auth.authorized().unwrap().generation;
    let fields = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, "DPoP algs=\"ES256\"".parse().unwrap())]);
    let refused = Challenge::of(StatusCode::UNAUTHORIZED, &fields, Some(held), 0).unwrap();
    assert_eq!(rig.run(Event::Challenged(refused)).unwrap_err().kind(), Kind::Unsupported);
    let wider = Scopes::parse("files:write").unwrap();
    let outcome = rig.run(Event::LogIn { scopes: wider.clone() }).unwrap();
    assert!(wider.is_subset(&authorized(outcome).granted));
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn a_challenge_that_names_no_scope_leads_nowhere_for_ever() {
    let mut rig = Rig::new(Dials { step_up: StepUp::Unnamed, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
    assert_eq!(failure.kind(), Kind::InsufficientScope);
    assert!(rig.opened.len() <= 3);
}

#[test]
fn a_server_that_is_never_content_is_left() {
    let mut rig = Rig::new(Dials {
        refusal: Refusal::InsufficientScope,
        scope_unknown: ScopeUnknown::Dropped,
        ..Dials::default()
    });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::InsufficientScope, "{failure:#}");
    assert!(rig.opened.len() <= 3);
    let before = rig.opened.len();
    for _ in 0..10 {
        rig.call("tools/list", None).unwrap_err();
    }
    assert!(rig.opened.len() <= before + 2, "{} browsers", rig.opened.len());
}

#[test]
fn a_server_that_refuses_every_token_is_left() {
    let mut rig = Rig::new(Dials { refusal: Refusal::Unauthorized, ..Dials::default() });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::TokenRejected);
    assert_eq!(rig.opened.len(), 1);
    for _ in 0..10 {
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::TokenRejected);
    }
    assert_eq!(rig.opened.len(), 1);
    // The server comes round; a new login serves.
    rig.world.dials_mut().refusal = Refusal::None;
    rig.log_in().unwrap();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

#[test]
fn a_plain_403_is_the_callers() {
    let mut rig = Rig::new(Dials { refusal: Refusal::Forbidden, ..Dials::default() });
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 403);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_declined_step_up_leaves_everything_as_it_was() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = rig.auth.authorized();
    rig.world.dials_mut().person = Scripted::Denies;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap_err().kind(), Kind::AccessDenied);
    assert_eq!(rig.auth.authorized(), before);
    assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

fn needs(rig: &mut Rig, scopes: &[&str]) {
    rig.world.dials_mut().required_scopes = scopes.iter().map(ToString::to_string).collect();
}

#[test]
fn step_ups_in_vain_are_counted_for_each_operation() {
    let policy = Policy::with(|it| it.step_ups = 1);
    let mut rig = Rig::with(Dials::default(), |config| config.policy(policy));
    rig.call("tools/list", None).unwrap();
    needs(&mut rig, &["files:read", "files:write"]);
    rig.world.dials_mut().granted_scopes = Some(vec!["files:read".to_owned()]);
    for (name, opened) in [("echo", 2), ("echo", 2), ("read_file", 3), ("echo", 3)] {
        let failure = rig.call("tools/call", Some(name)).unwrap_err();
        assert_eq!((failure.kind(), rig.opened.len()), (Kind::InsufficientScope, opened), "{name}");
    }
    // A person who logs in has changed their mind.
    rig.world.dials_mut().granted_scopes = None;
    rig.log_in().unwrap();
    assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
}

/// Nobody has seen that the grant does not suffice, because there was none. That a person is left alone is another matter.
#[test]
fn a_step_up_that_brought_nothing_is_not_in_vain() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    rig.world.dials_mut().person = Scripted::Denies;
    for (later, opened) in [(0, 2), (0, 2), (0, 2), (60, 3), (0, 3), (60, 4)] {
        rig.now += later;
        let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
        assert_eq!((failure.kind(), rig.opened.len()), (Kind::AccessDenied, opened));
    }
    rig.world.dials_mut().person = Scripted::Allows;
    rig.now += 60;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    // The same where the token endpoint cannot be reached.
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Token, nth: 0, what: Trouble::Drop }];
    for _ in 0..4 {
        let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
        assert_eq!(failure.kind(), Kind::Unreachable);
        rig.now += 60;
    }
    rig.world.dials_mut().faults.clear();
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
}

/// A renewal beside a step-up gives what was granted before, and says nothing about the step-up.
#[test]
fn a_renewal_beside_a_step_up_does_not_count() {
    let policy = Policy::with(|it| it.step_ups = 1);
    let mut rig =
        Rig::with(Dials { access_lifetime: 100, ..Dials::default() }, |config| config.policy(policy));
    rig.call("tools/list", None).unwrap();
    for opened in [2, 3] {
        let held = rig.auth.authorized().unwrap().generation;
        rig.tell(lacking("files:write", Some(held)));
        while rig.opened.len() < opened {
            let action = rig.poll();
            if let Some(event) = rig.answer(action) {
                rig.tell(event);
            }
        }
        rig.now += 100;
        rig.tell(Event::Restore);
        while rig.renewed.is_empty() {
            let action = rig.poll();
            if let Some(event) = rig.answer(action) {
                rig.tell(event);
            }
        }
        rig.renewed.clear();
        rig.tell(Event::Cancelled);
        rig.drive().unwrap_err();
        rig.now += 60;
    }
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
}

#[test]
fn step_ups_that_helped_do_not_count() {
    let scopes = ["files:read", "a", "b", "c"];
    let dials =
        Dials { server_scopes: Some(scopes.iter().map(ToString::to_string).collect()), ..Dials::default() };
    let policy = Policy::with(|it| it.step_ups = 1);
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    for count in 1..=scopes.len() {
        needs(&mut rig, &scopes[..count]);
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), count);
    }
}

/// A 403 that names a scope, for a request that carried this token.
fn lacking(scope: &str, refused: Option<Generation>) -> Event {
    let mut fields = HeaderMap::new();
    let value = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    fields.insert(header::WWW_AUTHENTICATE, value.parse().unwrap());
    Event::Challenged(Challenge::of(StatusCode::FORBIDDEN, &fields, refused, 0).unwrap())
}

/// What is demanded now has a place beside all that a server ever demanded.
#[test]
fn scopes_in_plenty_do_not_keep_out_the_one_that_is_needed() {
    let junk: Vec<_> = (0..256).map(|n| format!("j{n}")).collect();
    let server_scopes = Some(junk.iter().cloned().chain(["files:write".to_owned()]).collect());
    let mut rig = Rig::new(Dials { server_scopes, ..Dials::default() });
    let mut fields = HeaderMap::new();
    let value = format!("Bearer scope=\"{}\"", junk.join(" "));
    fields.insert(header::WWW_AUTHENTICATE, value.parse().unwrap());
    rig.run(Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap())).unwrap();
    let generation = rig.auth.authorized().map(|it| it.generation);
    let wider = authorized(rig.run(lacking("files:write", generation)).unwrap());
    assert!(wider.granted.contains("files:write") && wider.granted.contains("j255"));
}

/// The token that the request carried may have been narrower than the one at hand.
#[test]
fn a_late_refusal_of_a_narrower_token_is_not_in_vain() {
    let mut rig = Rig::new(Dials { access_lifetime: 100, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let narrow = rig.auth.authorized().unwrap().generation;
    rig.call("tools/call", Some("write_file")).unwrap();
    let wide = rig.auth.authorized().unwrap().generation;
    rig.now += 1000;
    let renewed = authorized(rig.run(lacking("files:write", Some(narrow))).unwrap());
    assert!(renewed.generation > wide && renewed.source == TokenSource::Refreshed);
    // The one at hand is refused for what it has.
    let failure = rig.run(lacking("files:write", Some(renewed.generation))).unwrap_err();
    assert_eq!(failure.kind(), Kind::InsufficientScope);
}

/// MCP: the metadata that a challenge names is the one to be used, for a 403 as for a 401.
#[test]
fn a_step_up_reads_metadata_that_it_has_not_read_yet() {
    // A client that is registered for no scope in particular may ask for any.
    let registration_scope = RegistrationScope::Refused;
    let mut rig = Rig::new(Dials { advertise_metadata: false, registration_scope, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let before = rig.count(Purpose::ResourceMetadata);
    rig.call("tools/call", Some("write_file")).unwrap();
    assert_eq!(rig.count(Purpose::ResourceMetadata), before, "nothing new was named");
    rig.world.dials_mut().advertise_metadata = true;
    rig.world.dials_mut().resource_metadata = ResourceMetadata::Custom("/hidden".to_owned());
    needs(&mut rig, &["files:read", "offline_access"]);
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.count(Purpose::ResourceMetadata), before + 1);
}

/// The record names the client; whether it can be used still is another matter.
#[test]
fn a_step_up_whose_client_cannot_be_used_gets_another() {
    let registration_scope = RegistrationScope::Refused;
    let mut rig = Rig::new(Dials { registration_scope, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let first = rig.auth.authorized().unwrap().client_id;
    rig.restart_at("http://127.0.0.1:4000/callback");
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_ne!(rig.auth.authorized().unwrap().client_id, first);
    assert_eq!(
        (rig.opened.len(), rig.asked("redirect_uri").as_deref()),
        (2, Some("http://127.0.0.1:4000/callback"))
    );
}

#[test]
fn the_host_can_ask_for_more_scope_beforehand() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    let scopes = Scopes::parse("files:write").unwrap();
    let wider = authorized(rig.run(Event::LogIn { scopes: scopes.clone() }).unwrap());
    assert_eq!(wider.granted.to_string(), "files:read files:write");
    // What is granted already needs nobody.
    rig.run(Event::LogIn { scopes }).unwrap();
    assert_eq!(rig.opened.len(), 2);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

/// The record says where to go, and as whom; a person who waits to consent is not kept by what is known.
#[test]
fn more_scope_that_the_host_asks_for_is_asked_for_at_once() {
    let mut rig = Rig::new(Dials { registration_scope: RegistrationScope::Refused, ..Dials::default() });
    rig.log_in().unwrap();
    let seen = |rig: &Rig| (rig.count(Purpose::ResourceMetadata), rig.count(Purpose::ServerMetadata));
    let before = seen(&rig);
    rig.run(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() }).unwrap();
    assert_eq!((seen(&rig), rig.opened.len()), (before, 2));
}

/// A store that cannot be read keeps nobody from consenting.
#[test]
fn a_step_up_does_not_wait_for_the_store() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.mood = StoreMood::FailsToRead;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

/// Whoever names the scopes that are asked for is asked for more by the server all the same: what it demands is what is lacking.
#[test]
fn a_step_up_goes_beyond_the_scopes_that_the_caller_names() {
    let rule = ScopeRule::with(|it| it.only = Some(Scopes::parse("files:read").unwrap()));
    let mut rig = Rig::with(Dials::default(), |config| config.scopes(rule));
    rig.log_in().unwrap();
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read"));
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
}

/// A server whose latest metadata is of no use is not asked again by an older record.
#[test]
fn a_step_up_goes_by_what_the_server_said_last() {
    for unfit in [false, true] {
        let registration_scope = RegistrationScope::Refused;
        let refresh_tokens = RefreshTokens::Never;
        let mut rig = Rig::new(Dials { registration_scope, refresh_tokens, ..Dials::default() });
        rig.call("tools/list", None).unwrap();
        let held = rig.auth.authorized().unwrap().generation;
        if unfit {
            rig.world.dials_mut().challenge_methods = ChallengeMethods::Absent;
            let refused = Challenge::of(StatusCode::UNAUTHORIZED, &HeaderMap::new(), Some(held), 0).unwrap();
            assert_eq!(rig.run(Event::Challenged(refused)).unwrap_err().kind(), Kind::PkceUnsupported);
        }
        let read = rig.count(Purpose::ServerMetadata);
        let demand = r#"Bearer error="insufficient_scope", scope="files:write""#;
        let fields = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, demand.parse().unwrap())]);
        let wanting = Challenge::of(StatusCode::FORBIDDEN, &fields, Some(held), 0).unwrap();
        let kind = rig.run(Event::Challenged(wanting)).err().map(|failure| failure.kind());
        assert_eq!(kind, unfit.then_some(Kind::PkceUnsupported));
        assert_eq!(rig.opened.len(), if unfit { 1 } else { 2 });
        assert_eq!(rig.count(Purpose::ServerMetadata) > read, unfit);
    }
}
