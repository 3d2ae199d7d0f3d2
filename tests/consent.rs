//! The person and the authorization response.

mod support;

use mcp_auth::{
    Action, Callback, Config, Event, IssuerPolicy, Kind, Open, Policy, ResourceIndicator, Retry, ScopeRule,
    Scopes,
};
use mcp_auth_testbed::{Dials, Iss, Person as Scripted, Purpose, ResourceParameter, StateEcho};
use serde_json::json;
use std::time::Duration;
use support::{Person, Rig};

fn kind(dials: Dials) -> Kind {
    let mut rig = Rig::new(dials);
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(rig.count(Purpose::Token), 0, "{failure:#}");
    failure.kind()
}

/// What a host shows of a machine, and a person sends with a report: what it waits for, and where.
#[test]
fn a_machine_says_what_it_waits_for() {
    let mut rig = Rig::new(Dials::default());
    assert_eq!(
        (rig.auth.is_running(), rig.auth.is_consenting(), rig.auth.is_renewing()),
        (false, false, false)
    );
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    let mut shown = Vec::new();
    loop {
        match rig.poll() {
            Action::Wait(_) if rig.auth.is_consenting() => {
                shown.push(format!("{:?}", rig.auth));
                let called = rig.consent();
                rig.tell(called);
            }
            Action::Finish(outcome) => break drop(outcome.unwrap()),
            action => {
                assert!(rig.auth.is_running() && !rig.auth.is_renewing());
                shown.push(format!("{:?}", rig.auth));
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    let names = |place: &str| shown.iter().any(|it| it.contains(place));
    for place in [
        "FindingResource(",
        "FindingServer(",
        "resource: \"https://mcp.example/mcp\"",
        "Consenting(",
        "Exchanging(",
        "Letter { purpose: ",
        "to: \"https://as.example/token\"",
        "client_id",
    ] {
        assert!(names(place), "{place} is in none of {shown:#?}");
    }
    assert!(shown.iter().all(|it| it.starts_with("Authorizer { server: \"https://mcp.example/mcp\", now: ")));
}

#[test]
fn the_four_rows_of_iss() {
    for iss in [Iss::AdvertisedAndSent, Iss::SentOnly, Iss::Absent] {
        Rig::new(Dials { iss, ..Dials::default() }).call("tools/list", None).unwrap();
    }
    for (iss, expected) in [
        (Iss::AdvertisedButMissing, Kind::IssuerMissing),
        (Iss::Wrong, Kind::IssuerMismatch),
        (Iss::WrongUnadvertised, Kind::IssuerMismatch),
        (Iss::TrailingSlash, Kind::IssuerMismatch),
        (Iss::Twice, Kind::CallbackMalformed),
    ] {
        assert_eq!(kind(Dials { iss, ..Dials::default() }), expected, "{iss:?}");
    }
    // By policy there are two rows only.
    let strict = |iss| {
        let policy = Policy::with(|it| it.require_iss = true);
        let mut rig = Rig::with(Dials { iss, ..Dials::default() }, |config| config.policy(policy));
        rig.log_in().map_err(|failure| (failure.kind(), rig.count(Purpose::Token)))
    };
    assert_eq!(strict(Iss::Absent).unwrap_err(), (Kind::IssuerMissing, 0));
    strict(Iss::SentOnly).unwrap();
}

#[test]
fn an_error_is_told_only_when_it_is_trusted() {
    let denied = Dials { person: Scripted::Denies, ..Dials::default() };
    assert_eq!(kind(denied.clone()), Kind::AccessDenied);
    // The same with a wrong issuer: nothing of the error is shown.
    let mut rig = Rig::new(Dials { iss: Iss::Wrong, ..denied });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::IssuerMismatch);
    assert!(!format!("{failure:#}").contains("access_denied"));
}

#[test]
fn a_server_that_fails_for_now_is_tried_later() {
    for (error, retry) in [
        ("temporarily_unavailable", Retry::Later),
        ("server_error", Retry::Later),
        ("invalid_request", Retry::AfterChange),
    ] {
        let dials = Dials { authorization_error: Some(error.to_owned()), ..Dials::default() };
        let failure = Rig::new(dials).call("tools/list", None).unwrap_err();
        assert_eq!(failure.retry(), retry, "{failure}");
        assert!(failure.to_string().contains(error), "{failure}");
    }
}

#[test]
fn foreign_answers_change_nothing() {
    let mut rig = Rig::new(Dials::default());
    rig.person = Person::Preceded(vec![
        String::new(),
        "?code=attackers-code&state=guess".to_owned(),
        "?error=access_denied&state=guess".to_owned(),
        "?error=access_denied".to_owned(),
        "https://evil.example/?code=attackers-code".to_owned(),
        "?state=&code=x".to_owned(),
    ]);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.count(Purpose::Token), 1);
}

#[test]
fn without_the_right_state_nothing_ever_comes() {
    for state in [StateEcho::Dropped, StateEcho::Changed] {
        let mut rig = Rig::new(Dials { state, ..Dials::default() });
        // The wrong answer comes, then nothing any more.
        rig.tell(Event::LogIn { scopes: Scopes::new() });
        let failure = loop {
            let action = rig.poll();
            if let mcp_auth::Action::Finish(outcome) = action {
                break outcome.unwrap_err();
            }
            if matches!(action, mcp_auth::Action::Wait(_)) {
                rig.person =
                    if rig.count(Purpose::Authorize) == 0 { Person::Consents } else { Person::Ignores };
            }
            if let Some(event) = rig.answer(action) {
                rig.tell(event);
            }
        };
        assert_eq!((failure.kind(), rig.count(Purpose::Token)), (Kind::ConsentTimedOut, 0));
    }
}

/// It is drawn from the seed, and from nothing else.
#[test]
fn a_state_says_nothing_of_client_or_person() {
    let state = |configure: fn(Config) -> Config| {
        let mut rig = Rig::with(Dials::default(), configure);
        // What comes of it is another matter: not every server knows every client.
        let _ = rig.call("tools/list", None);
        rig.asked("state").unwrap()
    };
    let first = state(|config| config);
    let letters = first.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    assert!(first.len() == 43 && letters, "{first}");
    assert_eq!(state(|config| config.account("somebody")), first);
    assert_eq!(state(|config| config.metadata_document("https://app.example/client.json")), first);
    let more = |config: Config| config.scopes(ScopeRule::with(|it| it.stay_logged_in = true));
    assert_eq!(state(more), first);
}

#[test]
fn a_person_who_does_not_answer_is_not_waited_for_for_ever() {
    let policy = Policy::with(|it| it.consent_time = Duration::from_secs(30));
    let mut rig = Rig::with(Dials::default(), |config| config.policy(policy));
    rig.person = Person::Ignores;
    let began = rig.now;
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.retry(), rig.now - began), (Kind::ConsentTimedOut, Retry::LogIn, 30));
}

#[test]
fn a_person_who_said_no_is_left_alone_for_a_while() {
    let mut rig = Rig::new(Dials { person: Scripted::Denies, ..Dials::default() });
    for _ in 0..5 {
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::AccessDenied);
    }
    assert_eq!(rig.opened.len(), 1);
    // Saying so lifts it, and so does time.
    rig.log_in().unwrap_err();
    assert_eq!(rig.opened.len(), 2);
    rig.now += 60;
    rig.call("tools/list", None).unwrap_err();
    assert_eq!(rig.opened.len(), 3);
    rig.world.dials_mut().person = Scripted::Allows;
    rig.log_in().unwrap();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

/// A login that waits for the person, and the `Open` that began the wait.
fn waiting(rig: &mut Rig) -> Open {
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    let Action::Open(open) = rig.until(|action| matches!(action, Action::Open(_))) else { unreachable!() };
    open
}

#[test]
fn a_person_who_cannot_be_asked_ends_it_in_words() {
    let mut rig = Rig::new(Dials::default());
    let open = waiting(&mut rig);
    rig.tell(open.fail("no browser is there"));
    let Action::Finish(Err(failure)) = rig.poll() else { panic!("it is over") };
    assert_eq!(failure.kind(), Kind::Unasked);
    assert!(failure.to_string().contains("no browser is there"), "{failure}");
    // Said late, or twice, it is nobody's.
    let again = waiting(&mut rig);
    rig.tell(open.fail("no browser is there"));
    assert!(matches!(rig.poll(), Action::Wait(Some(_))));
    rig.tell(again.fail("still none"));
    assert!(matches!(rig.poll(), Action::Finish(Err(_))));
}

/// No person has said no, so nobody needs to be left alone.
#[test]
fn an_attempt_whose_driver_is_gone_leaves_no_quiet() {
    for (end, opened) in [(Event::Cancelled, 1), (Event::Abandoned, 2)] {
        let mut rig = Rig::new(Dials::default());
        let open = waiting(&mut rig);
        rig.opened.push(open.url().clone());
        rig.tell(end);
        let Action::Finish(Err(failure)) = rig.poll() else { panic!("it is over") };
        assert_eq!(failure.kind(), Kind::Cancelled);
        let _ = rig.call("tools/list", None);
        assert_eq!(rig.opened.len(), opened);
    }
}

#[test]
fn calling_it_off_ends_it_at_once() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    rig.person = Person::Ignores;
    while rig.opened.is_empty() {
        let action = rig.poll();
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
    rig.tell(Event::Cancelled);
    let mcp_auth::Action::Finish(Err(failure)) = rig.poll() else { panic!("it is over") };
    assert_eq!(failure.kind(), Kind::Cancelled);
    // An answer that comes afterwards is nobody's.
    let url = rig.opened[0].to_string();
    let mcp_auth_testbed::Browsed::Callback(callback) = rig.world.browse(rig.now, &url) else { panic!() };
    rig.tell(Event::Called(Callback::new(callback)));
    assert!(matches!(rig.poll(), mcp_auth::Action::Wait(None)));
    rig.person = Person::Consents;
    rig.log_in().unwrap();
}

#[test]
fn a_login_is_finished_by_another_process() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    assert!(rig.auth.snapshot().is_none());
    while rig.opened.is_empty() {
        let action = rig.poll();
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
    let snapshot = rig.auth.snapshot().unwrap();
    let written = serde_json::to_string(&snapshot).unwrap();
    let url = rig.opened[0].to_string();
    let mcp_auth_testbed::Browsed::Callback(callback) = rig.world.browse(rig.now, &url) else { panic!() };
    let callback = Callback::new(callback);

    // The callback arrives elsewhere; its `state` says which login it belongs to.
    let snapshot: mcp_auth::Snapshot = serde_json::from_str(&written).unwrap();
    assert_eq!(callback.state().as_deref(), Some(snapshot.state()));
    rig.resume(|config| config, snapshot);
    rig.now += 30;
    rig.tell(Event::Called(callback));
    let done = support::authorized(rig.drive().unwrap());
    assert_eq!(done.source, mcp_auth::TokenSource::LoggedIn);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

#[test]
fn a_snapshot_is_of_one_configuration() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    while rig.opened.is_empty() {
        let action = rig.poll();
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
    let snapshot = rig.auth.snapshot().unwrap();
    let written = serde_json::to_value(&snapshot).unwrap();
    let resume = |snapshot: &serde_json::Value, server: &str, redirect_uri: &str| {
        let config = mcp_auth::Config::new(server, "Rig", redirect_uri);
        let snapshot = serde_json::from_value(snapshot.clone()).unwrap();
        let resumed = mcp_auth::Authorizer::resume(config, mcp_auth::Seed::new([1; 32]), snapshot);
        resumed.map(|machine| machine.is_running()).map_err(|breach| breach.kind)
    };
    let server = rig.world.server_url();
    assert_eq!(resume(&written, &server, support::REDIRECT), Ok(true));
    let refused = Err(Kind::Configuration);
    assert_eq!(resume(&written, "https://other.example/mcp", support::REDIRECT), refused);
    assert_eq!(resume(&written, &server, "http://127.0.0.1:4000/callback"), refused);
    let mut newer = written;
    newer["version"] = (newer["version"].as_u64().unwrap() + 1).into();
    assert_eq!(resume(&newer, &server, support::REDIRECT), refused);
    let else_s = mcp_auth::Config::new(&server, "Rig", support::REDIRECT).account("somebody else");
    let refused = mcp_auth::Authorizer::resume(else_s, mcp_auth::Seed::new([1; 32]), snapshot).unwrap_err();
    assert_eq!(refused.kind, Kind::Configuration);
}

#[test]
fn the_resource_is_sent_as_policy_says() {
    let with = |dials: Dials, resource| {
        let policy = IssuerPolicy::with(|it| it.resource = resource);
        let mut rig = Rig::with(dials, |config| config.issuer("https://as.example", policy));
        rig.call("tools/list", None).map(|_| rig.asked("resource"))
    };
    let only = ResourceParameter::Only("api://app".to_owned());
    let dials = Dials { resource_parameter: only, ..Dials::default() };
    assert!(with(dials.clone(), ResourceIndicator::Send).is_err());
    let sent = with(dials, ResourceIndicator::Override("api://app".to_owned())).unwrap();
    assert_eq!(sent.as_deref(), Some("api://app"));
    let dials = Dials { resource_parameter: ResourceParameter::Refused, ..Dials::default() };
    assert_eq!(with(dials, ResourceIndicator::Omit).unwrap(), None);
}

#[test]
fn extra_parameters_are_added_and_a_query_is_kept() {
    let dials = Dials {
        authorization_query: "p=b2c_1_signin".to_owned(),
        required_parameter: Some(("audience".to_owned(), "https://api.example".to_owned())),
        ..Dials::default()
    };
    assert_eq!(
        Rig::new(dials.clone()).call("tools/list", None).unwrap_err().kind(),
        Kind::AuthorizationFailed
    );
    let extra = vec![("audience".to_owned(), "https://api.example".to_owned())];
    let policy = IssuerPolicy::with(|it| it.extra = extra);
    let mut rig = Rig::with(dials, |config| config.issuer("https://as.example", policy));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("p").as_deref(), Some("b2c_1_signin"));
}

#[test]
fn the_caller_chooses_scopes() {
    let only = ScopeRule::with(|it| it.only = Some(Scopes::parse("files:read files:write").unwrap()));
    let mut rig = Rig::with(Dials::default(), |config| config.scopes(only));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
    let stay = ScopeRule::with(|it| it.stay_logged_in = true);
    let mut rig = Rig::with(Dials::default(), |config| config.scopes(stay));
    rig.call("tools/list", None).unwrap();
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read offline_access"));
}

/// What one guard has let pass another may not, whether or not the snapshot was written down between the two.
#[test]
fn a_login_that_is_taken_up_goes_where_the_guard_of_the_new_machine_lets_it() {
    let reaching =
        |reach| move |config: mcp_auth::Config| config.policy(Policy::with(|it| it.reach = Some(reach)));
    let mut rig = Rig::with(Dials::default(), reaching(mcp_auth::Reach::Any));
    let metadata = json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://10.0.0.1/token",
        "registration_endpoint": "https://as.example/register",
        "code_challenge_methods_supported": ["S256"],
    });
    rig.instead = Some(support::at("https://as.example/.well-known/", move |_| (200, metadata.to_string())));
    let open = waiting(&mut rig);
    rig.opened.push(open.url().clone());
    let (snapshot, called) = (rig.auth.snapshot().unwrap(), rig.consent());
    for (reach, sent) in [(mcp_auth::Reach::Any, true), (mcp_auth::Reach::Public, false)] {
        for written in [true, false] {
            let text = serde_json::to_string(&snapshot).unwrap();
            let taken = if written { serde_json::from_str(&text).unwrap() } else { snapshot.clone() };
            rig.resume(reaching(reach), taken);
            rig.tell(called.clone());
            match rig.poll() {
                Action::Send(send) => {
                    assert_eq!((send.uri().host(), sent), (Some("10.0.0.1"), true), "{written}");
                }
                Action::Finish(Err(failure)) => {
                    assert_eq!((failure.kind(), sent), (Kind::UrlRefused, false), "{written}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_login_in_a_browser_is_taken_up_by_a_machine_that_logs_in_so() {
    let mut rig = Rig::new(Dials::default());
    waiting(&mut rig);
    let snapshot = rig.auth.snapshot().unwrap();
    let config = mcp_auth::Config::new(rig.world.server_url(), "Rig", support::REDIRECT);
    let config = config.grant_type(mcp_auth::GrantType::DeviceCode);
    let refused = mcp_auth::Authorizer::resume(config, mcp_auth::Seed::new([1; 32]), snapshot).unwrap_err();
    assert_eq!(refused.kind, Kind::Configuration, "{refused}");
    assert!(refused.to_string().contains("grant type"), "{refused}");
}

/// A login that was taken up and has to begin again is for what it was for.
#[test]
fn a_login_that_is_taken_up_asks_for_the_same_with_another_client() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() });
    rig.settle();
    let asked = rig.asked("scope").unwrap();
    assert!(asked.contains("files:write"), "{asked}");
    let snapshot = rig.auth.snapshot().unwrap();
    rig.resume(|config| config, snapshot);
    rig.tell(Event::ClientDisowned);
    assert!(rig.settle().is_empty(), "{}", rig.auth.trail());
    assert_eq!((rig.opened.len(), rig.asked("scope")), (2, Some(asked)));
    assert_eq!(rig.count(Purpose::Registration), 2);
    let called = rig.consent();
    rig.tell(called);
    assert!(matches!(&rig.settle()[..], [Ok(mcp_auth::Outcome::Authorized(_))]));
}
