//! What moves under a grant: the authorization server, its endpoints, the client, the redirect URI.

mod support;

use std::sync::Arc;

use mcp_auth::{Event, Kind, Outcome};
use mcp_auth_testbed::{AuthorizationServers, Dials, DocumentFetch, Purpose, Registration};
use support::{Person, REDIRECT, Rig, authorized, works};

const DOCUMENT: &str = "https://app.example/client.json";

fn with_document(dials: Dials) -> Rig {
    let document = mcp_auth::ClientMetadata::new("Rig", REDIRECT).document(DOCUMENT, None, None).unwrap();
    let client_documents = [(DOCUMENT.to_owned(), document)].into();
    Rig::with(Dials { client_documents, ..dials }, |config| config.metadata_document(DOCUMENT))
}

#[test]
fn another_authorization_server_gets_another_client_and_none_of_the_old_tokens() {
    let mut rig = works(Dials::default());
    let old = rig.auth.authorized().unwrap();
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    rig.world.clear_exchanges();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    let new = rig.auth.authorized().unwrap();
    assert_ne!((&new.issuer, &new.client_id), (&old.issuer, &old.client_id));
    for exchange in rig.world.exchanges().iter().filter(|it| it.origin == "https://as2.example") {
        assert!(!format!("{exchange:?}").contains(&old.client_id), "{exchange:?}");
    }
}

#[test]
fn a_person_can_say_that_the_server_does_not_know_the_client() {
    let mut rig = works(Dials::default());
    rig.world.purge_clients();
    rig.world.revoke_everything();
    rig.now += 3600;
    rig.store.values_mut().for_each(|record| record.refresh_token = None);
    rig.restart(|config| config);
    rig.tell(Event::LogIn { scopes: Default::default() });
    rig.settle();
    // The browser shows an error page, and sends nobody back.
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (1, 1 + 1));
    rig.tell(Event::ClientDisowned);
    rig.settle();
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 3));
    let called = rig.consent();
    rig.tell(called);
    assert!(matches!(&rig.settle()[..], [Ok(Outcome::Authorized(_))]));
}

#[test]
fn a_client_that_is_disowned_twice_in_one_login_is_the_end_of_it() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Default::default() });
    rig.settle();
    rig.tell(Event::ClientDisowned);
    rig.settle();
    rig.tell(Event::ClientDisowned);
    let ended = rig.settle();
    assert!(matches!(&ended[..], [Err(failure)] if failure.kind() == Kind::ClientRejected), "{ended:?}");
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 2));
}

#[test]
fn a_host_that_says_so_between_logins_is_heard_at_the_next() {
    let mut rig = works(Dials::default());
    let old = rig.auth.authorized().unwrap().client_id;
    rig.tell(Event::ClientDisowned);
    assert!(rig.settle().is_empty());
    rig.world.revoke_everything();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_ne!(rig.auth.authorized().unwrap().client_id, old);
}

#[test]
fn a_document_that_the_server_cannot_fetch_leads_to_a_registration_which_is_remembered() {
    for fetch in
        [DocumentFetch::InvalidClientInCallback, DocumentFetch::Page, DocumentFetch::InvalidClientAtToken]
    {
        let mut rig = with_document(Dials { client_document_fetch: fetch, ..Dials::default() });
        match fetch {
            // The server itself says so, and the next way is tried at once.
            DocumentFetch::InvalidClientInCallback => drop(rig.log_in().unwrap()),
            // Only the person sees it.
            DocumentFetch::Page => {
                rig.tell(Event::LogIn { scopes: Default::default() });
                rig.settle();
                rig.tell(Event::ClientDisowned);
                rig.settle();
                let called = rig.consent();
                rig.tell(called);
                rig.settle();
            }
            // The code belongs to the client that is refused, so this login is lost; the next one is not.
            _ => {
                assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ClientRejected);
                rig.log_in().unwrap();
            }
        }
        let client = rig.auth.authorized().unwrap().client_id;
        assert_ne!(client, DOCUMENT, "{fetch:?}");
        assert_eq!(rig.count(Purpose::Registration), 1);
        // Another process does not try the document again.
        rig.restart(|config| config.metadata_document(DOCUMENT));
        rig.world.revoke_everything();
        rig.now += 3600;
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.auth.authorized().unwrap().client_id, client, "{fetch:?}");
        assert_eq!(rig.count(Purpose::Registration), 1);
    }
}

#[test]
fn without_another_way_the_document_is_tried_again() {
    let fetch = DocumentFetch::InvalidClientAtToken;
    let mut rig = with_document(Dials {
        client_document_fetch: fetch,
        registration: Registration::Absent,
        ..Dials::default()
    });
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ClientRejected);
    rig.world.dials_mut().client_document_fetch = DocumentFetch::Succeeds;
    assert_eq!(rig.log_in().unwrap().client_id, DOCUMENT);
}

#[test]
fn a_redirect_uri_that_differs_from_the_registered_one_is_registered_anew() {
    let mut rig = works(Dials::default());
    let old = rig.auth.authorized().unwrap().client_id;
    rig.world.revoke_everything();
    rig.now += 3600;
    rig.restart_at("http://127.0.0.1:4000/callback");
    rig.log_in().unwrap();
    assert_ne!(rig.auth.authorized().unwrap().client_id, old);
    // What needs no redirect still uses the client that the tokens belong to.
    let renewed = rig.auth.authorized().unwrap().client_id;
    rig.restart_at("http://127.0.0.1:5000/callback");
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).client_id, renewed);
    assert_eq!(rig.count(Purpose::Registration), 2);
}

#[test]
fn a_token_endpoint_that_has_moved_is_found_again_with_a_person() {
    let mut rig = works(Dials::default());
    rig.world.move_token_endpoint(404);
    rig.now += 3600;
    let before = rig.store.clone();
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!(rig.store, before, "the endpoint may come back");
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn an_authorization_server_that_is_gone_ends_no_login_that_a_person_asks_for() {
    let mut rig = works(Dials::default());
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    rig.store.values_mut().for_each(|record| {
        Arc::make_mut(&mut record.authorization_server).token_endpoint =
            "https://dead.example/token".to_owned();
    });
    rig.restart(|config| config);
    rig.now += 3600;
    rig.person = Person::Consents;
    assert!(rig.run(Event::Restore).is_err());
    assert_eq!(rig.log_in().unwrap().issuer, "https://as2.example");
}
