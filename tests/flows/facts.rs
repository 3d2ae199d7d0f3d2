//! What is known of each kind of server, against what its recorded flows say of it. The testbed's servers can do more than
//! most; what they do by default is no fact about anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use url::Url;

use crate::{files, folder};

/// For each kind: on how many hosts its issuers and endpoints are, and what its documents say, in all its flows together:
///
/// - `registration`: there is a registration endpoint;
/// - `documents`: Client ID Metadata Documents are supported;
/// - `iss`: it is promised in authorization responses;
/// - `s256`: it is advertised;
/// - `none`: public clients may authenticate by nothing, says the list of methods;
/// - `offline`: `offline_access` is among the scopes;
/// - `files`: the testbed's own scopes are, because nobody knows which there are;
/// - `appended`: metadata is found behind the issuer's path.
const KNOWN: &[(&str, usize, &str)] = &[
    ("asana", 1, "s256"),
    ("atlassian-v1", 2, "registration s256 none"),
    ("atlassian-v2", 1, "registration documents s256 none offline files"),
    ("auth0", 1, "registration documents s256 none files"),
    ("aws-signin", 1, "registration s256 none files"),
    ("better-auth", 1, "registration s256 none offline files"),
    ("clerk", 1, "registration iss s256 none files"),
    ("cloudflare", 1, "registration documents s256 none files"),
    ("cognito", 2, "none appended"),
    ("datadog", 1, "registration s256 none files"),
    ("descope", 1, "registration s256 none files"),
    ("django-oauth-toolkit", 1, "s256 files"),
    ("dotnet", 1, "registration s256 files"),
    ("entra", 1, "offline appended"),
    ("entra-b2c", 1, "offline appended"),
    ("entra-ciam", 2, "offline appended"),
    ("entra-common", 1, "offline appended"),
    ("entra-consumers", 1, "offline appended"),
    ("entra-organizations", 1, "offline appended"),
    ("fabric", 1, "offline appended"),
    ("fastmail", 1, "registration s256 none files"),
    ("fastmcp", 1, "registration s256 files"),
    ("figma", 1, "registration s256 none"),
    ("freee", 1, "registration s256 files"),
    ("github", 1, "s256"),
    ("gitlab", 1, "registration s256 none files"),
    ("google", 2, "s256"),
    ("hubspot", 1, "s256 none files"),
    ("hydra", 1, "registration s256 none files"),
    ("jumpcloud", 1, "registration s256 none files"),
    ("keycloak", 1, "registration iss s256 none files appended"),
    ("linear", 1, "registration s256 none files"),
    ("lion-reader", 1, "s256 files"),
    ("meta", 3, "registration s256 none files"),
    ("notion", 1, "registration s256 none files"),
    ("oidc-provider", 1, "registration s256 none offline files"),
    ("okta", 1, "registration s256 none offline appended"),
    ("paypal", 1, "registration s256 none files"),
    ("php", 1, "registration s256 files"),
    ("ping", 1, "s256 none files appended"),
    ("posthog", 1, "registration s256 none files"),
    ("python-sdk", 1, "registration s256 files"),
    ("replit", 1, "registration s256 none files"),
    ("retool", 1, "registration s256 none files"),
    ("salesforce", 1, "none"),
    ("scalekit", 1, "registration documents s256 none files"),
    ("sentry", 1, "registration s256 none files"),
    ("slack", 2, "s256 none"),
    ("spa", 1, "registration s256 none files appended"),
    ("stripe", 1, "registration s256 none files"),
    ("stytch", 1, "registration s256 none files"),
    ("supabase", 1, "registration s256 none files"),
    ("typescript-sdk", 1, "registration s256 none files"),
    ("workos", 1, "registration documents s256 none files"),
];

/// What the documents of a kind say.
#[derive(Default)]
struct Said {
    hosts: BTreeSet<String>,
    words: BTreeSet<&'static str>,
}

impl Said {
    /// What a document says that was found at this URL: the metadata of a resource or of a server, or nothing.
    fn hear(&mut self, url: &str, document: &Value) {
        let lists = |name: &str, wanted: &dyn Fn(&str) -> bool| {
            document[name].as_array().into_iter().flatten().filter_map(Value::as_str).any(wanted)
        };
        let mut say = |word, so: bool| self.words.extend(so.then_some(word));
        let server = document.get("token_endpoint").is_some();
        if server || document.get("authorization_servers").is_some() {
            say("files", lists("scopes_supported", &|it| it.starts_with("files:")));
        }
        if !server {
            return;
        }
        let is = |name: &str| document[name] == true;
        say("offline", lists("scopes_supported", &|it| it == "offline_access"));
        say("registration", document.get("registration_endpoint").is_some());
        say("documents", is("client_id_metadata_document_supported"));
        say("iss", is("authorization_response_iss_parameter_supported"));
        say("s256", lists("code_challenge_methods_supported", &|it| it == "S256"));
        say("none", lists("token_endpoint_auth_methods_supported", &|it| it == "none"));
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        say("appended", path.is_some_and(|path| !path.starts_with(".well-known/")));
        for name in ["issuer", "authorization_endpoint", "token_endpoint"] {
            let url = Url::parse(document[name].as_str().unwrap()).unwrap();
            self.hosts.insert(url.host_str().unwrap().to_owned());
        }
    }

    /// Everything that a recorded flow was answered.
    fn listen(&mut self, flow: &str) {
        let mut asked = BTreeMap::new();
        for line in flow.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let (send, replied) = (&line["action"]["send"], &line["event"]["replied"]);
            if let Some(url) = send["url"].as_str() {
                asked.insert(send["id"].to_string(), url.to_owned());
            }
            let body = replied["answer"]["response"]["body"].as_str().unwrap_or_default();
            if let Ok(document @ Value::Object(_)) = serde_json::from_str(body) {
                self.hear(&asked[&replied["id"].to_string()], &document);
            }
        }
    }
}

/// What the recorded flows say of each kind.
fn said() -> BTreeMap<String, Said> {
    let mut said = BTreeMap::<String, Said>::new();
    for name in files() {
        if let Some((kind, _)) = name.split_once("-like.") {
            let flow = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
            said.entry(kind.to_owned()).or_default().listen(&flow);
        }
    }
    said
}

#[test]
fn recorded_servers_are_as_they_are_known() {
    if std::env::var_os("MCP_AUTH_REWRITE_FLOWS").is_some() {
        return;
    }
    let (mut said, mut wrong) = (said(), Vec::new());
    for (kind, hosts, words) in KNOWN {
        let of = said.remove(*kind).unwrap_or_default();
        let known: BTreeSet<_> = words.split(' ').collect();
        let (more, less) = (of.words.difference(&known), known.difference(&of.words));
        let words: Vec<_> = more.map(|it| format!("+{it}")).chain(less.map(|it| format!("-{it}"))).collect();
        if !words.is_empty() {
            wrong.push(format!("{kind}: {}", words.join(" ")));
        }
        if of.hosts.len() != *hosts {
            wrong.push(format!("{kind}: not {hosts} hosts but {:?}", of.hosts));
        }
    }
    wrong.extend(said.keys().map(|kind| format!("{kind}: nothing is known of it")));
    assert!(wrong.is_empty(), "flows say what is not so:\n{}", wrong.join("\n"));
}
