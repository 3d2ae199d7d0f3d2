//! Judges authorization server metadata: where it is, whose it is, and what it offers (RFC 8414).

use mcp_auth::base::guard::same_origin;
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::client::method_to_register;
use mcp_auth::wire::server_metadata::{IssuerMatch, ServerMetadata};
use mcp_auth::{Kind, Scopes};
use serde_json::{Map, Value};
use url::Url;

use super::catalogue::Rule;
use super::catalogue::authorization_server as rules;
use super::document::{self, Type, has, shown, text, texts};
use super::evidence::{Evidence, Issuer, Place};
use super::probe;
use super::report::{Document, Section, Told, Verdict};
use super::walk::MAX_NAMED;

const ENDPOINTS: [&str; 6] = [
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
];

const RULES: document::Rules = document::Rules {
    miss: &rules::MISS,
    status: &rules::STATUS,
    content_type: &rules::CONTENT_TYPE,
    json: &rules::JSON,
    types: &rules::TYPES,
    empty: &rules::EMPTY,
    signed: &rules::SIGNED,
    size: &rules::SIZE,
    caching: &rules::CACHING,
    cors: &rules::CORS,
    may_be_empty: &[],
    telling: &[
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
    ],
    members: &[
        ("issuer", Type::Text),
        ("authorization_endpoint", Type::Text),
        ("token_endpoint", Type::Text),
        ("jwks_uri", Type::Text),
        ("registration_endpoint", Type::Text),
        ("revocation_endpoint", Type::Text),
        ("introspection_endpoint", Type::Text),
        ("pushed_authorization_request_endpoint", Type::Text),
        ("device_authorization_endpoint", Type::Text),
        ("scopes_supported", Type::Texts),
        ("response_types_supported", Type::Texts),
        ("response_modes_supported", Type::Texts),
        ("grant_types_supported", Type::Texts),
        ("token_endpoint_auth_methods_supported", Type::Texts),
        ("token_endpoint_auth_signing_alg_values_supported", Type::Texts),
        ("code_challenge_methods_supported", Type::Texts),
        ("dpop_signing_alg_values_supported", Type::Texts),
        ("protected_resources", Type::Texts),
        ("authorization_response_iss_parameter_supported", Type::Flag),
        ("client_id_metadata_document_supported", Type::Flag),
        ("require_pushed_authorization_requests", Type::Flag),
        ("signed_metadata", Type::Text),
    ],
};

/// The document of an issuer that a client goes by: the first that is its own.
pub(crate) fn chosen(issuer: &Issuer) -> Option<(&Place, ServerMetadata)> {
    issuer.places.iter().find_map(|place| {
        let (_, answer) = place.body()?;
        Some((place, ServerMetadata::read(&answer.body, &issuer.named, IssuerMatch::Exact).ok()?))
    })
}

/// Whether the issuer plainly has no such document.
pub(crate) fn is_plainly_absent(issuer: &Issuer) -> bool {
    let read = |body: &[u8]| ServerMetadata::read(body, &issuer.named, IssuerMatch::Exact);
    let is_one = |body: &[u8]| !matches!(read(body), Err(it) if it.kind == Kind::NotADocument);
    issuer.places.iter().all(|place| document::is_clean_miss(place, is_one))
}

pub(crate) fn judge(seen: &Evidence, issuer: &Issuer) -> Section {
    let mut section = Section::new(Document::AuthorizationServer, &shown(&issuer.named));
    section.exchanges = issuer.places.iter().flat_map(Told::of_place).collect();
    if let Some(why) = &issuer.refused {
        section.wrong(&rules::ISSUER_URL, why);
        section.skipped(&rules::FOUND, "nothing was asked of it");
        return section;
    }
    section.ok(&rules::ISSUER_URL, shown(&issuer.named));
    let documents = document::documents(&issuer.places, &RULES);
    let own =
        |(_, members): &&(&Place, Map<String, Value>)| text(members, "issuer") == Some(issuer.named.as_str());
    let Some((place, members)) = documents.iter().find(own).or(documents.first()) else {
        none(&mut section, seen, issuer);
        return section;
    };
    section.ok(&rules::FOUND, shown(&place.url));
    if issuer.places.first().is_some_and(|first| first.url == place.url) {
        section.ok(&rules::PLACE, place.how.shown());
    } else {
        section.note(&rules::PLACE, format!("{}, at {}", place.how.shown(), shown(&place.url)));
    }
    document::misses(&mut section, &issuer.places, &RULES);
    document::broken(&mut section, &issuer.places, &RULES);
    agree(&mut section, place, members, &documents);
    document::form(&mut section, place, members, &RULES);
    issuer_named(&mut section, issuer, members);
    endpoints(&mut section, seen, issuer, members);
    offers(&mut section, members);
    registration(&mut section, members);
    extras(&mut section, seen, members);
    probe::judge(&mut section, issuer);
    section
}

/// A section for servers that were named and not looked at.
pub(crate) fn passed_over(issuer: &str) -> Section {
    let mut section = Section::new(Document::AuthorizationServer, &shown(issuer));
    let why = format!("only the first {MAX_NAMED} that are named are looked at");
    section.skipped(&rules::INSPECTED, why);
    section
}

fn none(section: &mut Section, seen: &Evidence, issuer: &Issuer) {
    let got = document::lacking(&issuer.places, &RULES).join("; ");
    if seen.legacy {
        section.note(&rules::FOUND, got);
        return;
    }
    section.wrong(&rules::FOUND, got);
    document::broken(section, &issuer.places, &RULES);
}

fn agree(
    section: &mut Section,
    place: &Place,
    members: &Map<String, Value>,
    documents: &[(&Place, Map<String, Value>)],
) {
    let names =
        ["issuer", "code_challenge_methods_supported"].into_iter().chain(ENDPOINTS).collect::<Vec<_>>();
    let mut faults = Vec::new();
    for (other, differing) in documents.iter().filter(|(other, _)| other.url != place.url) {
        let differ = document::differences(members, differing, &names);
        if !differ.is_empty() {
            faults.push(format!("{} at {}", differ.join(", "), shown(&other.url)));
        }
    }
    if documents.len() > 1 {
        section.faults(&rules::AGREE, Verdict::Odd, &faults, "they do");
    }
}

fn issuer_named(section: &mut Section, issuer: &Issuer, members: &Map<String, Value>) {
    match text(members, "issuer") {
        None => section.wrong(&rules::ISSUER, "no issuer"),
        Some(own) if own == issuer.named => section.ok(&rules::ISSUER, own),
        Some(own) if IssuerMatch::IgnoreLoneSlash.same(&issuer.named, own) => {
            let got = format!("{own}, which differs from {} by a slash at its end", issuer.named);
            section.wrong(&rules::ISSUER, got);
        }
        Some(own) if own.contains(['{', '}']) => {
            let got = format!("{own}, a template: name the issuer of one tenant instead of {}", issuer.named);
            section.wrong(&rules::ISSUER, got);
        }
        Some(own) => section.wrong(&rules::ISSUER, format!("{own} instead of {}", issuer.named)),
    }
}

fn endpoints(section: &mut Section, seen: &Evidence, issuer: &Issuer, members: &Map<String, Value>) {
    for (rule, name) in [(&rules::AUTHORIZATION, "authorization_endpoint"), (&rules::TOKEN, "token_endpoint")]
    {
        match text(members, name) {
            Some(url) => section.ok(rule, shown(url)),
            None => section.wrong(rule, "none"),
        }
    }
    let named = ENDPOINTS.iter().filter_map(|name| Some((*name, text(members, name)?)));
    let mut faults = Vec::new();
    let mut elsewhere = Vec::new();
    let home = Url::parse(&issuer.named).ok();
    for (name, url) in named {
        match seen.guard.check(url) {
            Err(refused) => faults.push(format!("{name}: {refused}")),
            Ok(endpoint) if home.as_ref().is_some_and(|home| !same_origin(home, endpoint.url())) => {
                elsewhere.push(format!("{name} at {}", shown(url)));
            }
            Ok(_) => {}
        }
    }
    section.faults(&rules::ENDPOINTS, Verdict::Wrong, &faults, "they are");
    section.faults(&rules::ORIGINS, Verdict::Note, &elsewhere, "they are");
}

fn offers(section: &mut Section, members: &Map<String, Value>) {
    match texts(members, "code_challenge_methods_supported") {
        None => section.wrong(&rules::PKCE, "no code_challenge_methods_supported"),
        Some(methods) if !methods.contains(&"S256") => section.wrong(&rules::PKCE, listed(&methods)),
        Some(methods) => {
            section.ok(&rules::PKCE, listed(&methods));
            if methods.iter().any(|method| *method != "S256") {
                section.odd(&rules::PKCE_PLAIN, listed(&methods));
            }
        }
    }
    match texts(members, "response_types_supported") {
        None => section.wrong(&rules::RESPONSE_TYPES, "no response_types_supported"),
        Some(types) => one_of(section, &rules::RESPONSE_TYPES, &types, "code"),
    }
    match texts(members, "grant_types_supported") {
        None => {
            section.ok(&rules::GRANT_TYPES, "not listed, which means authorization_code and implicit");
            section.note(&rules::REFRESH, "not listed");
        }
        Some(types) => {
            one_of(section, &rules::GRANT_TYPES, &types, "authorization_code");
            let old: Vec<_> =
                types.iter().copied().filter(|it| matches!(*it, "implicit" | "password")).collect();
            if !old.is_empty() {
                section.odd(&rules::GRANT_TYPES_OLD, listed(&old));
            }
            let offline = texts(members, "scopes_supported").is_some_and(|it| it.contains(&"offline_access"));
            match (types.contains(&"refresh_token"), offline) {
                (true, true) => section.ok(&rules::REFRESH, "yes, and offline_access is a scope"),
                (true, false) => section.ok(&rules::REFRESH, "yes"),
                (false, true) => {
                    section.odd(&rules::REFRESH, "offline_access is a scope, and refresh_token is not listed")
                }
                (false, false) => section.note(&rules::REFRESH, "refresh_token is not listed"),
            }
        }
    }
    // Anything but true is a promise of nothing; the type is judged elsewhere.
    match members.get("authorization_response_iss_parameter_supported") {
        Some(Value::Bool(true)) => section.ok(&rules::ISS, "yes"),
        _ => section.odd(&rules::ISS, "it is not"),
    }
}

fn one_of(section: &mut Section, rule: &'static Rule, list: &[&str], wanted: &str) {
    if list.contains(&wanted) { section.ok(rule, listed(list)) } else { section.wrong(rule, listed(list)) }
}

fn registration(section: &mut Section, members: &Map<String, Value>) {
    let documents = members.get("client_id_metadata_document_supported") == Some(&Value::Bool(true));
    let dynamic = text(members, "registration_endpoint");
    match (documents, dynamic) {
        (true, Some(_)) => {
            section.ok(&rules::REGISTRATION, "by metadata document, or by registration (RFC 7591)")
        }
        (true, None) => section.ok(&rules::REGISTRATION, "by metadata document"),
        (false, Some(_)) => section.ok(&rules::REGISTRATION, "by registration (RFC 7591)"),
        (false, None) => section.odd(&rules::REGISTRATION, "only one that was registered by hand"),
    }
    if documents {
        section.ok(&rules::CIMD, "yes")
    } else {
        section.odd(&rules::CIMD, "no")
    }
    let methods = texts(members, "token_endpoint_auth_methods_supported");
    let owned = methods.as_ref().map(|list| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    match method_to_register(owned.as_deref()) {
        Ok(method) => section.ok(&rules::AUTH_METHODS, method.as_str()),
        Err(breach) => section.odd(&rules::AUTH_METHODS, breach.got),
    }
    let open = methods.as_ref().is_some_and(|list| list.contains(&"none"));
    let got = methods.as_ref().map_or("no list".to_owned(), |list| listed(list));
    match (open, documents) {
        (true, _) => section.ok(&rules::AUTH_PUBLIC, got),
        // A client of a document has no secret; some clients then do not use theirs.
        (false, true) => section.odd(&rules::AUTH_PUBLIC, got),
        (false, false) => section.note(&rules::AUTH_PUBLIC, got),
    }
    let signing = methods
        .is_some_and(|list| list.iter().any(|it| matches!(*it, "private_key_jwt" | "client_secret_jwt")));
    match texts(members, "token_endpoint_auth_signing_alg_values_supported") {
        None if signing => section.wrong(&rules::AUTH_ALGORITHMS, "no list"),
        Some(list) if list.contains(&"none") => section.wrong(&rules::AUTH_ALGORITHMS, listed(&list)),
        Some(list) if signing => section.ok(&rules::AUTH_ALGORITHMS, listed(&list)),
        _ => {}
    }
}

fn extras(section: &mut Section, seen: &Evidence, members: &Map<String, Value>) {
    match text(members, "revocation_endpoint") {
        Some(url) => section.ok(&rules::REVOCATION, shown(url)),
        None => section.note(&rules::REVOCATION, "no revocation_endpoint"),
    }
    let pushed = has(members, "pushed_authorization_request_endpoint");
    match (members.get("require_pushed_authorization_requests") == Some(&Value::Bool(true)), pushed) {
        (true, false) => section.wrong(&rules::PUSHED, "they are demanded, and there is no endpoint"),
        (true, true) => section.note(&rules::PUSHED, "they are demanded"),
        (false, true) => section.ok(&rules::PUSHED, "they are possible"),
        (false, false) => {}
    }
    let metadata = super::resource_metadata::chosen(seen).map(|(_, metadata)| metadata);
    let algorithms = texts(members, "dpop_signing_alg_values_supported");
    let bound = metadata.as_ref().is_some_and(|it| it.dpop_bound_access_tokens_required);
    match algorithms.filter(|list| !list.is_empty()) {
        Some(list) if list.contains(&"none") => section.wrong(&rules::DPOP, listed(&list)),
        Some(list) => section.ok(&rules::DPOP, listed(&list)),
        None if bound => {
            section.wrong(&rules::DPOP, "no algorithms, and the resource takes bound tokens only")
        }
        None => {}
    }
    scopes(section, seen, members, metadata.as_ref().and_then(|it| it.scopes_supported.as_ref()));
    if let (Some(list), Some(metadata)) = (texts(members, "protected_resources"), &metadata) {
        if list.contains(&metadata.resource.as_str()) {
            section.ok(&rules::RESOURCES, "it does");
        } else {
            section.odd(
                &rules::RESOURCES,
                format!("{} is not among {}", shown(&metadata.resource), listed(&list)),
            );
        }
    }
    section.skipped(&rules::INDICATORS, "no document says so; it shows at a login");
}

/// Whether what the resource asks for is known here.
fn scopes(section: &mut Section, seen: &Evidence, members: &Map<String, Value>, resource: Option<&Scopes>) {
    let Some(known) = texts(members, "scopes_supported") else {
        section.note(&rules::SCOPES, "no scopes_supported");
        return;
    };
    let challenged =
        seen.refusal().and_then(|(_, answer)| Demand::of(&challenge::read(answer.challenges())).scope);
    let mut missing = Vec::new();
    for (scopes, who) in [(challenged.as_ref(), "the challenge"), (resource, "the resource metadata")] {
        for scope in scopes.into_iter().flat_map(Scopes::iter).filter(|scope| !known.contains(scope)) {
            missing.push(format!("{scope} of {who}"));
        }
    }
    section.faults(&rules::SCOPES, Verdict::Odd, &missing, "they are");
}

fn listed(list: &[&str]) -> String {
    if list.is_empty() { "an empty list".to_owned() } else { list.join(", ") }
}
