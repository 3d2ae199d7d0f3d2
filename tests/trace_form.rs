//! `vectors/FORMAT.md` names every member that stands in a trace, and no other.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::trace::Trace;
use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    ClientKey, Config, Event, GrantType, IdentityProvider, IssuerPolicy, Policy, Preregistered, ProofKey,
    ScopeRule, Scopes,
};
use mcp_auth_testbed::{
    ClientCredentials, Confirmation, Device, Dials, Dpop, Enterprise, EnterpriseClient, Fault, Nonces,
    Person, PreRegistered, Purpose, Registration, Revokes, Trouble, Workload,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{CLIENT_KEY, PROOF_KEY, REDIRECT, Rig, StoreMood, public, signer};

const ISSUER: &str = "https://as.example";

/// Runs that together hold nearly everything a trace may hold.
fn traces() -> Vec<String> {
    let mut traces =
        vec![by_people(), stepped_up(), bound(), by_device(), by_key(), by_enterprise(), by_workload()];
    traces.extend(taken_up());
    traces.extend(in_trouble());
    traces
}

fn everything(config: Config) -> Config {
    let policy = Policy::with(|it| it.ask_for_client = true);
    let deviations = IssuerPolicy::with(|it| it.extra = vec![("prompt".to_owned(), "consent".to_owned())]);
    config
        .account("work")
        .policy(policy)
        .issuer(ISSUER, deviations)
        .initial_access_token(ISSUER, "a-token-to-register-with")
        .software_statement("https://other.example", "a-statement")
        .scopes(ScopeRule::with(|it| it.stay_logged_in = true))
        .preregistered(Preregistered::new("https://other.example", "elsewhere"))
}

/// Login, renewal, logout.
fn by_people() -> String {
    let mut rig = Rig::with(Dials::default(), everything);
    rig.call("tools/list", None).unwrap();
    rig.now += 3600;
    rig.call("tools/list", None).unwrap();
    rig.run(Event::LogOut).unwrap();
    rig.trace()
}

fn stepped_up() -> String {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.call("tools/call", Some("write_file")).unwrap();
    rig.tell(Event::Tick);
    rig.tell(Event::Cancelled);
    rig.tell(Event::ClientDisowned);
    rig.tell(Event::Abandoned);
    rig.trace()
}

fn bound() -> String {
    let (server_nonces, resource_nonces) = (Nonces::Required, Nonces::Required);
    let dpop = Some(Dpop { server_nonces, resource_nonces, ..Dpop::default() });
    let mut rig = Rig::with(Dials { dpop, ..Dials::default() }, |config| {
        config.proof_key(ProofKey::new(public(&PROOF_KEY)))
    });
    rig.signer = signer();
    rig.call("tools/list", None).unwrap();
    rig.trace()
}

fn by_device() -> String {
    let device = Some(Device { confirmation: Confirmation::AtPoll(1), ..Device::default() });
    let mut rig =
        Rig::with(Dials { device, ..Dials::default() }, |config| config.grant_type(GrantType::DeviceCode));
    rig.person = support::Person::Ignores;
    rig.log_in().unwrap();
    rig.trace()
}

fn by_key() -> String {
    let clients = vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)];
    let client_credentials = Some(ClientCredentials::default());
    let auth_methods = Some(vec!["private_key_jwt".to_owned()]);
    let mut rig =
        Rig::with(Dials { clients, client_credentials, auth_methods, ..Dials::default() }, |config| {
            config
                .preregistered(Preregistered::new(ISSUER, "service"))
                .client_key(
                    ClientKey::new([Algorithm::EdDsa])
                        .key_id(public(&CLIENT_KEY).thumbprint())
                        .public(public(&CLIENT_KEY)),
                )
                .grant_type(GrantType::ClientCredentials)
        });
    rig.signer = signer();
    rig.run(Event::Restore).unwrap();
    rig.trace()
}

fn by_enterprise() -> String {
    let at_provider = EnterpriseClient {
        client_id: "at-provider".to_owned(),
        client_secret: Some("secret-at-provider".to_owned()),
        resource_client_id: "service".to_owned(),
    };
    let clients =
        vec![PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT)];
    let auth_methods = Some(vec!["client_secret_basic".to_owned()]);
    let enterprise = Some(Enterprise::new(at_provider, "an-id-token"));
    let mut rig = Rig::with(Dials { clients, auth_methods, enterprise, ..Dials::default() }, |config| {
        let provider =
            IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-provider");
        let provider = provider.secret("secret-at-provider").method(AuthMethod::ClientSecretBasic);
        config
            .preregistered(Preregistered::new(ISSUER, "service").secret("service-secret"))
            .grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
    });
    rig.assertions = vec!["an-id-token".to_owned()];
    rig.run(Event::Restore).unwrap();
    rig.trace()
}

fn by_workload() -> String {
    let dials = Dials { workload: Some(Workload::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.grant_type(GrantType::WorkloadIdentity));
    rig.run(Event::Restore).unwrap_err();
    rig.trace()
}

/// A login that another process takes up.
fn taken_up() -> Vec<String> {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() });
    rig.settle();
    let (snapshot, first) = (rig.auth.snapshot().unwrap(), rig.trace());
    let state = snapshot.state().to_owned();
    rig.resume(|config| config, snapshot);
    let event = rig.consent();
    rig.run(event).unwrap();
    let taken_up = [first, rig.trace()];
    let states = taken_up.each_ref().map(|text| {
        let trace = mcp_auth::trace::Trace::read(text).unwrap();
        trace.snapshot().map(|snapshot| snapshot.state().to_owned())
    });
    assert_eq!(states, [None, Some(state)], "a trace says what was taken up");
    taken_up.to_vec()
}

fn in_trouble() -> Vec<String> {
    let mut traces = Vec::new();
    let mut refused = Rig::new(Dials { person: Person::Denies, ..Dials::default() });
    refused.log_in().unwrap_err();
    traces.push(refused.trace());

    let ask = |config: Config| config.policy(Policy::with(|it| it.ask_for_client = true));
    let mut nobody = Rig::with(Dials { registration: Registration::Absent, ..Dials::default() }, ask);
    nobody.log_in().unwrap_err();
    nobody.told = Some(("by-hand".to_owned(), None));
    nobody.now += 61;
    let _ = nobody.log_in();
    traces.push(nobody.trace());

    let faults = vec![
        Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::RetryAfter(503, 30) },
        Fault { purpose: Purpose::Refresh, nth: 2, what: Trouble::Drop },
        Fault { purpose: Purpose::Refresh, nth: 3, what: Trouble::Drop },
        Fault { purpose: Purpose::Revoke, nth: 0, what: Trouble::Drop },
    ];
    let mut down = Rig::new(Dials { faults, revokes: Revokes::RefreshTokenWithGrant, ..Dials::default() });
    down.log_in().unwrap();
    down.now += 3600;
    down.run(Event::Restore).unwrap_err();
    down.now += 60;
    down.run(Event::Restore).unwrap_err();
    down.mood = StoreMood::FailsToWrite;
    let _ = down.run(Event::LogOut);
    traces.push(down.trace());
    traces
}

/// The names in a value. Text is not looked into: a body is a string.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.insert(name.clone());
            names(member, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

/// The names of events and answers that hold nothing: they are strings, not members.
fn bare(line: &Value, found: &mut BTreeSet<String>) {
    for place in ["/event", "/event/replied/answer", "/action/finish/outcome", "/action/renewed/outcome"] {
        found.extend(line.pointer(place).and_then(Value::as_str).map(str::to_owned));
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn described() -> String {
    fs::read_to_string(root().join("vectors/FORMAT.md")).unwrap()
}

/// What stands in backquotes in the first column of the tables.
fn tabled(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("| ")) {
        let first = row.split(" | ").next().unwrap();
        names.extend(first.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    names
}

fn source(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// `not_kept` for `NotKept`.
fn snake(word: &str) -> String {
    let mut out = String::new();
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[test]
fn every_kind_of_breach_stands_in_the_document_and_nothing_else() {
    let source = fs::read_to_string(root().join("src/base/breach.rs")).unwrap();
    let (_, kinds) = source.split_once("pub enum Kind {\n").unwrap();
    let (kinds, _) = kinds.split_once("\n}").unwrap();
    let kinds =
        kinds.lines().filter_map(|line| line.strip_prefix("    ")).filter_map(|it| it.strip_suffix(','));
    let kinds: BTreeSet<_> = kinds.filter(|it| it.chars().all(char::is_alphanumeric)).map(snake).collect();
    assert!(kinds.len() > 40 && kinds.contains("not_a_document"), "{kinds:?}");
    let document = described();
    let (_, listed) = document.split_once("The `kind` of a breach, of which more may come: ").unwrap();
    let (listed, _) = listed.split_once(". What each").unwrap();
    let listed: BTreeSet<_> = listed.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(listed, kinds);
}

#[test]
fn every_name_in_a_trace_stands_in_the_document() {
    let mut found = BTreeSet::new();
    for trace in traces() {
        for line in trace.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            names(&line, &mut found);
            bare(&line, &mut found);
        }
    }
    assert!(found.len() > 150, "{}: {found:?}", found.len());
    let text = described();
    let missing: Vec<_> = found.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "vectors/FORMAT.md does not name {missing:?}");
}

#[test]
fn every_name_in_the_tables_is_one_of_the_form() {
    let mut text = String::new();
    source(&root().join("src"), &mut text);
    let words: BTreeSet<String> =
        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').map(snake).collect();
    let tabled = tabled(&described());
    assert!(tabled.len() > 120, "{}", tabled.len());
    let unknown: Vec<_> = tabled.iter().filter(|name| !words.contains(*name)).collect();
    assert!(unknown.is_empty(), "nothing in the crate is called {unknown:?}");
    // The rule can fail.
    assert!(!words.contains("not_a_name_of_the_form"));
}

#[test]
fn the_example_of_the_document_is_of_the_form() {
    let text = described();
    let example = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    let recorded = rig.trace();
    for (shown, written) in example.lines().zip(recorded.lines()) {
        let (mut shown, mut written): (Value, Value) =
            (serde_json::from_str(shown).unwrap(), serde_json::from_str(written).unwrap());
        if shown.get("config").is_some() {
            // The example is short.
            shown["config"] = Value::Null;
            written["config"] = Value::Null;
        }
        assert_eq!(shown, written);
    }
    assert_eq!(example.lines().count(), 4);
    let spans = serde_json::to_value(Duration::from_secs(15)).unwrap();
    assert!(
        text.contains("{\"secs\": 15, \"nanos\": 0}") && spans == serde_json::json!({"secs": 15, "nanos": 0})
    );
}

/// What a trace says that no machine said stays as it was, to the last digit.
#[test]
fn a_number_is_written_as_it_was_read() {
    let text = by_people();
    let (before, after) = text.split_once("\"deadline\":").unwrap();
    let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let odd = "\"deadline\":1.8000444444444445e+47";
    let written = Trace::read(&format!("{before}{odd}{after}")).unwrap().to_string();
    assert!(written.contains(odd));
    assert_eq!(Trace::read(&written).unwrap().to_string(), written);
}

/// The recorded flows: names, and the lines of each.
fn flows() -> Vec<(PathBuf, Vec<Value>)> {
    let paths = fs::read_dir(root().join("vectors/flows")).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    let lines = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    paths.map(|path| (path.clone(), lines(&path))).collect()
}

/// What is drawn for a generation, as the document tells.
fn drawn(seed: &[u8], count: u64) -> u64 {
    let label = b"generation\0\0\0\0\0";
    let value = Sha256::digest([seed, &count.to_be_bytes(), label].concat());
    u64::from(u16::from_be_bytes([value[0], value[1]]))
}

#[test]
fn generations_follow_as_the_document_tells() {
    let (mut given, mut same, mut below_the_highest) = (0, 0, 0);
    for (path, lines) in flows() {
        let seed = URL_SAFE_NO_PAD.decode(lines[0]["seed"].as_str().unwrap()).unwrap();
        let (mut now, mut count, mut last) = (0, 0, None);
        let mut seen = lines[0].pointer("/snapshot/latest").and_then(Value::as_u64).unwrap_or_default();
        for line in &lines {
            if line.get("event").or(line.get("prove")).is_some() {
                now = now.max(line["at"].as_u64().unwrap());
            }
            let answer = "/event/replied/answer";
            for place in [
                "/event/challenged/refused".to_owned(),
                format!("{answer}/found/generation"),
                format!("{answer}/leased/generation"),
                format!("{answer}/conflict/generation"),
            ] {
                seen = seen.max(line.pointer(&place).and_then(Value::as_u64).unwrap_or_default());
            }
            let stored = line.pointer("/action/store/credential/generation").and_then(Value::as_u64);
            let Some(generation) = stored else { continue };
            if last == Some(generation) {
                same += 1;
                continue;
            }
            last = Some(generation);
            // Other values are drawn between; how many, the events tell, and not these lines alone.
            let least = seen.max(now << 16) + 1;
            let draw = (count + 1..=count + 16).find(|count| least + drawn(&seed, *count) == generation);
            count = draw.unwrap_or_else(|| panic!("{}: {generation} is none above {seen}", path.display()));
            below_the_highest += usize::from(seen > now << 16);
            (given, seen) = (given + 1, generation);
        }
    }
    // Both sides of "whichever is more", and records that are offered again, are among them.
    assert!(given > 300 && same > 0 && below_the_highest > 10, "{given}, {same}, {below_the_highest}");
}

/// The tables whose members may be left out one by one, and where in a line what they describe stands. The policies and rules
/// of the configuration, and what a challenge demands, may be left out in every part; the text says so.
const TABLES: [(&str, &[&str]); 14] = [
    ("### `config`", &["/config"]),
    ("`config.client`:", &["/config/client"]),
    ("`config.preregistered[]`:", &["/config/preregistered/0"]),
    ("The identity provider of `enterprise_managed`:", &["/config/grant_type/enterprise_managed"]),
    ("Keys. A public key", &["/config/client_key"]),
    ("### `snapshot`", &["/snapshot"]),
    ("`challenged`:", &["/event/challenged"]),
    ("`demand`. All members are optional", &["/event/challenged/demand"]),
    (
        "### Credentials",
        &["/event/replied/answer/found", "/event/replied/answer/leased", "/event/replied/answer/conflict"],
    ),
    (
        "`authorization_server`:",
        &[
            "/event/replied/answer/found/authorization_server",
            "/event/replied/answer/leased/authorization_server",
        ],
    ),
    ("`client` of a credential:", &["/event/replied/answer/found/client", "/snapshot/consent/terms/client"]),
    ("`config.scopes`:", &["/config/scopes"]),
    ("`config.policy`:", &["/config/policy"]),
    ("`config.issuers[][1]`:", &["/config/issuers/0/1"]),
];
/// Those of them in which all may be left out.
const ALL: [&str; 4] = ["`demand`.", "`config.scopes`:", "`config.policy`:", "`config.issuers"];

/// What may be left out is called optional, and nothing else is.
#[test]
fn what_is_called_optional_may_be_left_out() {
    let document = described();
    let (mut tried, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for text in traces() {
        let (header, rest) = text.split_once('\n').unwrap();
        let header: Value = serde_json::from_str(header).unwrap();
        let events = rest
            .lines()
            .filter(|line| line.contains("\"event\":"))
            .map(|line| serde_json::from_str(line).unwrap());
        for line in std::iter::once(header.clone()).chain(events) {
            let read = |line: &Value| {
                let before = if line.get("trace").is_some() { String::new() } else { format!("{header}\n") };
                Trace::read(&format!("{before}{line}\n")).is_ok()
            };
            assert!(read(&line));
            for (table, place) in
                TABLES.iter().flat_map(|(table, places)| places.iter().map(move |it| (table, it)))
            {
                let Some(members) = line.pointer(place).and_then(Value::as_object) else { continue };
                for name in members.keys().filter(|name| tried.insert(format!("{place}/{name}"))) {
                    let mut without = line.clone();
                    without.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(name);
                    let all = ALL.iter().any(|all| table.starts_with(all));
                    let told = all || is_optional(&document, table, name);
                    if read(&without) != told {
                        wrong.insert(format!(
                            "{place}/{name}: {}",
                            if told { "not optional" } else { "optional" }
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (table, places) in TABLES {
        assert!(
            places.iter().any(|place| tried.iter().any(|it| it.starts_with(&format!("{place}/")))),
            "{table}"
        );
    }
    assert!(tried.len() > 110, "{}", tried.len());
}

/// Whether the row of this member in the table after this heading says so.
fn is_optional(document: &str, table: &str, name: &str) -> bool {
    let (_, after) = document.split_once(&format!("\n{table}")).unwrap_or_else(|| panic!("{table}"));
    let rows =
        after.lines().skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
    let mut rows = rows.filter(|row| row.contains(&format!("`{name}`")));
    rows.next().unwrap_or_else(|| panic!("{table}: {name}")).contains("optional")
}
