//! Device authorization (RFC 8628): the polls, the person, and how servers differ.

mod login;

use http::Request;
use login::*;
use mcp_auth_testbed::{Browsed, Confirmation, Device, Dials, Person, Purpose};
use serde_json::{Value, json};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ENDPOINT: &str = "https://as.example/device_authorization";

struct Begun {
    memory: Memory,
    found: Found,
    client: Client,
    answer: Value,
}

impl Begun {
    fn new(device: Device) -> Self {
        Self::with(Dials { device: Some(device), ..Dials::default() })
    }

    fn with(dials: Dials) -> Self {
        let mut memory = Memory::new(dials);
        let url = memory.world.server_url();
        let found = discover(&mut memory, &url);
        assert_eq!(found.endpoint("device_authorization_endpoint"), ENDPOINT);
        let body = json!({
            "client_name": "The device",
            "grant_types": [GRANT, "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        let registered = json_of(&post_json(&mut memory, &found.endpoint("registration_endpoint"), &body));
        let id = registered["client_id"].as_str().unwrap().to_owned();
        let client = Client { id, secret: None, method: "none".to_owned() };
        let pairs = [("resource", found.resource.as_str()), ("scope", "files:read")];
        let answer = post_form(&mut memory, ENDPOINT, &client, &pairs);
        assert_eq!(answer.status(), 200);
        let answer = json_of(&answer);
        Self { memory, found, client, answer }
    }

    fn text(&self, name: &str) -> String {
        self.answer[name].as_str().unwrap().to_owned()
    }

    /// The error of a poll, or nothing.
    fn poll(&mut self) -> String {
        error_of(&self.polled())
    }

    fn polled(&mut self) -> Answer {
        let code = self.text("device_code");
        let pairs = [("grant_type", GRANT), ("device_code", &code), ("resource", &self.found.resource)];
        post_form(&mut self.memory, "https://as.example/token", &self.client, &pairs)
    }
}

#[test]
fn a_person_allows_and_the_device_has_tokens() {
    let mut begun = Begun::new(Device::default());
    let code = begun.text("user_code");
    assert_eq!((code.len(), &begun.answer["interval"]), (9, &json!(5)));
    assert_eq!(begun.answer["expires_in"], 600);
    assert_eq!(begun.poll(), "authorization_pending");
    assert!(!begun.memory.world.enter_user_code("BBBB-BBBB", true));
    assert!(begun.memory.world.enter_user_code(&code.to_lowercase().replace('-', " "), true));
    assert!(!begun.memory.world.enter_user_code(&code, false));
    begun.memory.now += 5;
    let tokens = json_of(&begun.polled());
    assert_eq!(tokens["scope"], "files:read");
    let url = begun.memory.world.server_url();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut begun.memory, &url, "echo", token).status(), 200);
    let renewed = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&mut begun.memory, &begun.found, &begun.client, renewed).status(), 200);
    begun.memory.now += 5;
    assert_eq!(begun.poll(), "invalid_grant");
    assert_eq!(begun.memory.world.count(Purpose::DevicePoll), 3);
    assert_eq!(begun.memory.world.count(Purpose::DeviceAuthorization), 1);
}

#[test]
fn a_person_denies() {
    let mut begun = Begun::new(Device::default());
    let code = begun.text("user_code");
    assert!(begun.memory.world.enter_user_code(&code, false));
    assert_eq!(begun.poll(), "access_denied");
}

#[test]
fn each_early_poll_makes_the_interval_longer() {
    let mut begun = Begun::new(Device::default());
    assert_eq!(begun.poll(), "authorization_pending");
    for (later, error) in [
        (4, "slow_down"),
        (9, "slow_down"),
        (14, "slow_down"),
        (20, "authorization_pending"),
        (19, "slow_down"),
    ] {
        begun.memory.now += later;
        assert_eq!(begun.poll(), error, "after {later} seconds");
    }
}

#[test]
fn a_code_expires() {
    let mut begun = Begun::new(Device { expires_in: 20, ..Device::default() });
    begun.memory.now += 19;
    assert_eq!(begun.poll(), "authorization_pending");
    let code = begun.text("user_code");
    assert!(begun.memory.world.enter_user_code(&code, true));
    begun.memory.now += 1;
    assert_eq!(begun.poll(), "expired_token");
}

#[test]
fn servers_differ() {
    let begun = Begun::new(Device { tells_interval: false, complete_uri: false, ..Device::default() });
    assert_eq!((begun.answer.get("interval"), begun.answer.get("verification_uri_complete")), (None, None));

    let mut never = Begun::new(Device { confirmation: Confirmation::Never, ..Device::default() });
    let code = never.text("user_code");
    assert!(never.memory.world.enter_user_code(&code, true));
    assert_eq!(never.poll(), "authorization_pending");

    for (person, error) in [(Person::Allows, ""), (Person::Denies, "access_denied")] {
        let device = Device { confirmation: Confirmation::AtPoll(2), ..Device::default() };
        let mut itself = Begun::with(Dials { person, device: Some(device), ..Dials::default() });
        assert_eq!(itself.poll(), "authorization_pending");
        itself.memory.now += 5;
        assert_eq!(itself.poll(), error);
    }
}

#[test]
fn who_may_begin_and_who_may_poll() {
    let mut begun = Begun::new(Device::default());
    let by_code = register(&mut begun.memory, &begun.found, "none");
    let resource = begun.found.resource.clone();
    let ask = |memory: &mut Memory, client: &Client, pairs: &[(&str, &str)]| {
        error_of(&post_form(memory, ENDPOINT, client, pairs))
    };
    let own = begun.client.clone();
    let memory = &mut begun.memory;
    assert_eq!(ask(memory, &by_code, &[("resource", &resource)]), "unauthorized_client");
    assert_eq!(ask(memory, &own, &[]), "invalid_target");
    assert_eq!(ask(memory, &own, &[("resource", &resource), ("scope", "unknown")]), "invalid_scope");
    let unknown = Client { id: "unknown".to_owned(), ..own.clone() };
    assert_eq!(ask(memory, &unknown, &[("resource", &resource)]), "invalid_client");
    begun.client = by_code;
    assert_eq!(begun.poll(), "unauthorized_client");
    begun.client = own;
    begun.answer["device_code"] = "unknown".into();
    assert_eq!(begun.poll(), "invalid_grant");

    let mut memory = Memory::new(Dials::default());
    let found = discover(&mut memory, "https://mcp.example/mcp");
    assert_eq!(found.server.get("device_authorization_endpoint"), None);
    assert_eq!(post_plain(&mut memory, ENDPOINT, &[], &[]).status(), 404);
    assert_eq!(get(&mut memory, "https://as.example/device").status(), 404);
}

#[test]
fn the_page_asks_for_the_code_and_then_for_the_decision() {
    for (decision, error) in [("allow", ""), ("deny", "access_denied")] {
        let mut begun = Begun::new(Device::default());
        let (page, code) = (begun.text("verification_uri"), begun.text("user_code"));
        let text = |answer: &Answer| String::from_utf8(answer.body().clone()).unwrap();
        let entry = get(&mut begun.memory, &page);
        assert!(entry.status() == 200 && text(&entry).contains("name=\"user_code\""));
        assert_eq!(get(&mut begun.memory, &format!("{page}?user_code=XXXX-XXXX")).status(), 400);
        let shown = get(&mut begun.memory, &format!("{page}?user_code={}", code.to_lowercase()));
        assert!(shown.status() == 200 && text(&shown).contains("The device asks for access"));
        // To look at the page decides nothing.
        assert_eq!(begun.poll(), "authorization_pending");
        let mut send = |expected: u16| {
            let form = Request::post(&page)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("request={code}&decision={decision}").into_bytes());
            assert_eq!(begun.memory.send(form.unwrap()).status(), expected);
        };
        send(200);
        send(400);
        begun.memory.now += 5;
        assert_eq!(begun.poll(), error);
    }
}

#[test]
fn the_scripted_person_opens_the_complete_url() {
    let mut begun = Begun::new(Device::default());
    let url = begun.text("verification_uri_complete");
    let Browsed::Page { status, text } = begun.memory.browse(&url) else { panic!("no page") };
    assert!(status == 200 && text.contains("Done"), "{text}");
    assert_eq!(begun.poll(), "");
}
