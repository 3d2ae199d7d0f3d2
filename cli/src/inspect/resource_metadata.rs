//! Judges protected resource metadata: where it is, and what it says (RFC 9728).

use mcp_auth::wire::resource_metadata::{ResourceMetadata, Source, check_place};
use mcp_auth::wire::server_metadata::IssuerMatch;
use mcp_auth::{Kind, Scopes};
use serde_json::{Map, Value};
use url::Url;

use super::catalogue::resource_metadata as rules;
use super::document::{self, Found, Type, found, has, shown, text, texts};
use super::evidence::{Evidence, How, Place};
use super::report::{Document, Section, Told, Verdict, is_well_known};

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
    // Without bearer tokens there is no method to send them (RFC 9728 §2).
    may_be_empty: &["bearer_methods_supported"],
    telling: &["resource", "authorization_servers"],
    members: &[
        ("resource", Type::Text),
        ("authorization_servers", Type::Texts),
        ("jwks_uri", Type::Text),
        ("scopes_supported", Type::Texts),
        ("bearer_methods_supported", Type::Texts),
        ("resource_signing_alg_values_supported", Type::Texts),
        ("resource_name", Type::Text),
        ("resource_documentation", Type::Text),
        ("resource_policy_uri", Type::Text),
        ("resource_tos_uri", Type::Text),
        ("tls_client_certificate_bound_access_tokens", Type::Flag),
        ("authorization_details_types_supported", Type::Texts),
        ("dpop_signing_alg_values_supported", Type::Texts),
        ("dpop_bound_access_tokens_required", Type::Flag),
        ("signed_metadata", Type::Text),
    ],
};

/// The document that a client goes by, and where it was looked for: the first that is for this server.
pub(crate) fn chosen(seen: &Evidence) -> Option<(&Place, ResourceMetadata)> {
    seen.places.iter().find_map(|place| {
        let (url, answer) = place.body()?;
        let metadata = ResourceMetadata::read(&answer.body).ok()?;
        check_place(&metadata.resource, seen.server.url(), url).ok()?;
        Some((place, metadata))
    })
}

/// Whether there is any document of the kind, good or bad.
pub(crate) fn is_published(seen: &Evidence) -> bool {
    seen.places.iter().any(|place| !matches!(found(place, &RULES), Found::Miss(_)))
}

/// Whether the server plainly has no such document, so that the fallbacks of MCP 2025-03-26 are open.
pub(crate) fn is_plainly_absent(places: &[Place]) -> bool {
    let is_one =
        |body: &[u8]| !matches!(ResourceMetadata::read(body), Err(it) if it.kind == Kind::NotADocument);
    places
        .iter()
        .all(|place| place.how != How::Resource(Source::Advertised) && document::is_clean_miss(place, is_one))
}

pub(crate) fn judge(seen: &Evidence) -> Section {
    let mut section = Section::new(Document::ResourceMetadata, &shown(seen.server.as_given()));
    section.exchanges = seen.places.iter().flat_map(Told::of_place).collect();
    let documents = document::documents(&seen.places, &RULES);
    let Some((first, _)) = documents.first() else {
        none(&mut section, seen);
        return section;
    };
    section.ok(&rules::FOUND, shown(&first.url));
    places(&mut section, seen, &documents);
    document::misses(&mut section, &seen.places, &RULES);
    document::broken(&mut section, &seen.places, &RULES);
    let good = chosen(seen).map(|(_, metadata)| metadata.resource);
    let mut judged = Vec::<(&str, &[u8], usize)>::new();
    for (place, members) in &documents {
        matches(&mut section, seen, place, members);
        let Some((_, answer)) = place.body() else { continue };
        // The same document at another place is judged once, and one of another resource is its own author's.
        let again = judged.iter().any(|(_, body, _)| *body == answer.body.as_slice());
        if again || good.as_deref().is_some_and(|good| text(members, "resource") != Some(good)) {
            continue;
        }
        judged.push((&place.url, &answer.body, section.findings.len()));
        document::form(&mut section, place, members, &RULES);
        contents(&mut section, seen, members);
    }
    if judged.len() > 1 {
        let ends = judged.iter().skip(1).map(|(_, _, begin)| *begin).chain([section.findings.len()]);
        for ((url, _, begin), end) in judged.iter().zip(ends.collect::<Vec<_>>()) {
            section.locate(*begin..end, url);
        }
    }
    section
}

/// No document at all.
fn none(section: &mut Section, seen: &Evidence) {
    if seen.refusal().is_none() && seen.is_open() {
        section.skipped(&rules::FOUND, "there is none, and the server asks for no login");
        return;
    }
    section.wrong(&rules::FOUND, document::lacking(&seen.places, &RULES).join("; "));
    advertised(section, seen);
    document::broken(section, &seen.places, &RULES);
    if seen.legacy {
        let there = seen.issuers.iter().flat_map(|issuer| &issuer.places).any(|place| place.body().is_some());
        let got = if there {
            "only clients that know 2025-03-26 go on: they take the server's own origin for its authorization server"
        } else {
            "only clients that know 2025-03-26 go on: they guess /authorize, /token and /register on the server's origin"
        };
        section.odd(&rules::LEGACY, got);
    }
}

fn places(section: &mut Section, seen: &Evidence, documents: &[(&Place, Map<String, Value>)]) {
    advertised(section, seen);
    if documents.iter().any(|(place, _)| is_well_known(place.how)) {
        section.ok(&rules::WELL_KNOWN, "it is");
    } else {
        // One whose resource has that place by itself was found where the challenge said, under the same URL.
        let own = |place: &Place| place.url.contains("/.well-known/oauth-protected-resource");
        if documents.iter().any(|(place, _)| own(place)) {
            section.ok(&rules::WELL_KNOWN, "it is where the challenge says");
        } else {
            section.odd(&rules::WELL_KNOWN, "only where the challenge says");
        }
    }
    if let [(_, first), rest @ ..] = documents {
        let names = ["authorization_servers", "scopes_supported", "bearer_methods_supported"];
        let mut faults = Vec::new();
        for (place, members) in rest.iter().filter(|(_, it)| it.get("resource") == first.get("resource")) {
            let differ = document::differences(first, members, &names);
            if !differ.is_empty() {
                faults.push(format!("{} at {}", differ.join(", "), shown(&place.url)));
            }
        }
        if !rest.is_empty() {
            section.faults(&rules::AGREE, Verdict::Odd, &faults, "they do");
        }
    }
}

/// The places that the challenge names, each of which must have a document.
fn advertised(section: &mut Section, seen: &Evidence) {
    let named: Vec<_> =
        seen.places.iter().filter(|place| place.how == How::Resource(Source::Advertised)).collect();
    let faults = document::lacking(named.iter().copied(), &RULES);
    if !named.is_empty() {
        section.faults(&rules::ADVERTISED, Verdict::Wrong, &faults, "it is");
    }
}

/// Whose document it is. One in root form may speak for the origin; elsewhere the letter asks for the server's own URL.
fn matches(section: &mut Section, seen: &Evidence, place: &Place, members: &Map<String, Value>) {
    let Some(resource) = text(members, "resource") else {
        section.wrong(&rules::RESOURCE, format!("none at {}", shown(&place.url)));
        return;
    };
    section.ok(&rules::RESOURCE, shown(resource));
    let server = seen.server.url();
    let at = place.body().map_or(place.url.as_str(), |(url, _)| url);
    let where_found = shown(&place.url);
    if let Err(breach) = check_place(resource, server, at) {
        // Where a better document was found before, clients have it already.
        let needed = chosen(seen).is_none_or(|(good, _)| good.how == How::Resource(Source::RootForm));
        let other = place.how == How::Resource(Source::RootForm) && !needed;
        // What a server says that does not know that TLS ends before it.
        let in_clear = resource.strip_prefix("http://").is_some_and(|rest| {
            check_place(&format!("https://{rest}"), server, at).is_ok() && server.scheme() == "https"
        });
        let hint = if in_clear { ": tell the server that it is behind a proxy with TLS" } else { "" };
        let got = format!("{} at {where_found}{hint}", breach.got);
        section.add(&rules::MATCHES, if other { Verdict::Note } else { Verdict::Wrong }, got);
        return;
    }
    // A query of the server's URL may be for this client only.
    let given = seen.server.as_given();
    let given = if resource.contains('?') { given } else { given.split('?').next().unwrap_or(given) };
    let same = Url::parse(resource).is_ok_and(|resource| resource.path() == server.path());
    if same && !IssuerMatch::IgnoreLoneSlash.same(given, resource) {
        section.odd(&rules::MATCHES, format!("{} is it in another spelling", shown(resource)));
    } else if same {
        section.ok(&rules::MATCHES, format!("{} at {where_found}", shown(resource)));
    } else if place.how == How::Resource(Source::RootForm) {
        section.note(&rules::MATCHES, format!("{}, a parent, at {where_found}", shown(resource)));
    } else {
        let got =
            format!("{}, a parent of it, at {where_found}: strict clients refuse that", shown(resource));
        section.odd(&rules::MATCHES, got);
    }
}

fn contents(section: &mut Section, seen: &Evidence, members: &Map<String, Value>) {
    let servers = texts(members, "authorization_servers").unwrap_or_default();
    let servers: Vec<_> = servers.into_iter().filter(|issuer| !issuer.is_empty()).collect();
    if servers.is_empty() {
        section.wrong(&rules::SERVERS, "none");
    } else {
        let listed: Vec<_> = servers.iter().map(|issuer| shown(issuer)).collect();
        section.ok(&rules::SERVERS, listed.join(", "));
        let refused = servers.iter().filter_map(|issuer| seen.guard.check(issuer).err());
        let refused: Vec<_> = refused.map(|refused| refused.to_string()).collect();
        section.faults(&rules::SERVERS_USABLE, Verdict::Wrong, &refused, "they may");
    }
    match texts(members, "scopes_supported") {
        Some(listed) => {
            section.ok(&rules::SCOPES, listed.join(" "));
            let is_bad = |scope: &&&str| Scopes::from_tokens([**scope]).is_err();
            let bad: Vec<_> = listed.iter().filter(is_bad).map(|scope| format!("{scope:?}")).collect();
            section.faults(&rules::SCOPES_GRAMMAR, Verdict::Wrong, &bad, "it does");
            if listed.contains(&"offline_access") {
                section.odd(&rules::SCOPES_OFFLINE, "it lists it");
            }
        }
        None => section.note(&rules::SCOPES, "no scopes_supported"),
    }
    if let Some(methods) = texts(members, "bearer_methods_supported") {
        let said = methods.join(", ");
        let bound = members.get("dpop_bound_access_tokens_required") == Some(&Value::Bool(true));
        if methods.is_empty() && bound {
            section.ok(&rules::BEARER_METHODS, "no bearer tokens, but bound ones");
        } else if !methods.contains(&"header") {
            section.wrong(&rules::BEARER_METHODS, if said.is_empty() { "none" } else { said.as_str() });
        } else if methods.contains(&"query") {
            section.odd(&rules::BEARER_METHODS, said);
        } else {
            section.ok(&rules::BEARER_METHODS, said);
        }
    }
    if members.get("dpop_bound_access_tokens_required") == Some(&Value::Bool(true)) {
        section.note(&rules::DPOP, "tokens must be bound by DPoP");
    } else if has(members, "dpop_signing_alg_values_supported") {
        section.ok(&rules::DPOP, "they may be bound by DPoP");
    }
    if members.get("tls_client_certificate_bound_access_tokens") == Some(&Value::Bool(true)) {
        section.odd(&rules::MUTUAL_TLS, "tokens are bound to a client certificate");
    }
}
