//! Judges what the MCP server answers to those who have no token, or a bad one.

use mcp_auth::Scopes;
use mcp_auth::base::guard;
use mcp_auth::wire::challenge::{self, Challenge, Demand, MAX_BYTES};

use super::catalogue::mcp_server as rules;
use super::evidence::{Answer, Evidence, Exchange, Wire};
use super::grammar;
use super::report::{Document, Section, Told, Verdict};

/// `published`: whether the server publishes protected resource metadata.
pub(crate) fn judge(seen: &Evidence, published: bool) -> Section {
    let subject = guard::without_query(seen.server.as_given());
    let mut section = Section::new(Document::McpServer, &subject);
    for (wire, exchange) in &seen.open {
        let what = format!("{} of {}, no token", wire.method(), wire.revision());
        section.exchanges.push(Told::of(what, exchange));
    }
    if let Some(exchange) = &seen.bad {
        section.exchanges.push(Told::of("a token that cannot be valid", exchange));
    }
    status(&mut section, seen, published);
    match seen.refusal() {
        Some((_, answer)) => refusal(&mut section, seen, answer),
        None => section.skipped(&rules::CHALLENGE, "nothing was answered with 401"),
    }
    bad_token(&mut section, seen);
    section
}

fn status(section: &mut Section, seen: &Evidence, published: bool) {
    let told = |(wire, exchange): &(Wire, Exchange)| format!("{} to {}", exchange.shown(), wire.method());
    let all = seen.open.iter().map(told).collect::<Vec<_>>().join(", ");
    if seen.refusal().is_some() {
        section.ok(&rules::STATUS, &all);
        if seen.is_open() {
            section.odd(&rules::OPEN, &all);
        }
    } else if seen.is_open() && published {
        let got = format!("{all}: it asks for no login here, and yet publishes whom to log in with");
        section.odd(&rules::STATUS, got);
    } else if seen.is_open() {
        section.note(&rules::STATUS, format!("{all}: the server asks for no login"));
    } else {
        let why = seen.open.iter().find_map(|(_, exchange)| exchange.answer()).map(meaning);
        section.wrong(&rules::STATUS, format!("{all}{}", why.unwrap_or_default()));
    }
}

/// What else than 401 says to a client.
fn meaning(answer: &Answer) -> &'static str {
    match answer.status {
        400 | 406 | 415 | 422 => ": the request is refused before it is asked who sends it",
        403 => ": it means that a token is not enough, so clients do not ask for one",
        404 | 405 | 410 => ": is this the URL of the MCP endpoint?",
        421 => ": the server does not go by this host name",
        429 => ": too many requests; try again later",
        300..=399 => ": clients do not follow it; give them the URL that it leads to",
        500..=599 => ": the server failed",
        _ => "",
    }
}

fn refusal(section: &mut Section, seen: &Evidence, answer: &Answer) {
    let fields = answer.challenges();
    let challenges = challenge::read(fields.iter().copied());
    if challenges.is_empty() {
        let got =
            if fields.is_empty() { "no WWW-Authenticate" } else { "a WWW-Authenticate without a challenge" };
        section.wrong(&rules::CHALLENGE, got);
        return;
    }
    let schemes: Vec<_> = challenges.iter().map(Challenge::scheme).collect();
    section.ok(&rules::CHALLENGE, schemes.join(", "));
    section.faults(&rules::GRAMMAR, Verdict::Wrong, &grammar::faults(&fields), "it does");
    once(section, &challenges);
    let length = fields.iter().map(|field| field.len()).sum::<usize>();
    if length > MAX_BYTES {
        section.odd(&rules::LENGTH, format!("{length} bytes"));
    }
    let ours = |challenge: &Challenge| challenge.is("Bearer") || challenge.is("DPoP");
    if !challenges.iter().any(ours) {
        section.wrong(&rules::SCHEME, schemes.join(", "));
        return;
    }
    section.ok(&rules::SCHEME, schemes.join(", "));
    if !challenges.first().is_some_and(ours) {
        section.odd(&rules::SEVERAL, schemes.join(", "));
    }
    let demand = Demand::of(&challenges);
    metadata(section, seen, &demand);
    scope(section, seen, &challenges, &demand);
    match &demand.error {
        Some(error) => section.odd(&rules::ERROR, error),
        None => section.ok(&rules::ERROR, "none"),
    }
}

fn once(section: &mut Section, challenges: &[Challenge]) {
    let mut twice = Vec::new();
    for challenge in challenges {
        for (name, _) in challenge.all_params() {
            let told = format!("{name} is given {} times", challenge.params(name).count());
            if challenge.params(name).count() > 1 && !twice.contains(&told) {
                twice.push(told);
            }
        }
    }
    section.faults(&rules::PARAMETER_ONCE, Verdict::Wrong, &twice, "none is given twice");
}

fn metadata(section: &mut Section, seen: &Evidence, demand: &Demand) {
    if demand.resource_metadata.is_empty() {
        section.note(&rules::METADATA, "no resource_metadata: clients look at the well-known places");
        return;
    }
    let shown: Vec<_> = demand.resource_metadata.iter().map(|url| guard::without_query(url)).collect();
    if shown.len() > 1 {
        section.odd(&rules::METADATA, format!("{} of them: {}", shown.len(), shown.join(", ")));
    } else {
        section.ok(&rules::METADATA, shown.join(", "));
    }
    let refused = demand.resource_metadata.iter().filter_map(|url| seen.guard.check(url).err());
    let refused: Vec<_> = refused.map(|refused| refused.to_string()).collect();
    section.faults(&rules::METADATA_URL, Verdict::Wrong, &refused, "it may");
}

fn scope(section: &mut Section, seen: &Evidence, challenges: &[Challenge], demand: &Demand) {
    let given: Vec<_> =
        challenges.iter().flat_map(|it| it.params("scope")).filter(|it| !it.is_empty()).collect();
    let bad: Vec<_> =
        given.iter().filter_map(|value| Scopes::parse(value).err()).map(|it| it.to_string()).collect();
    if !given.is_empty() {
        section.faults(&rules::SCOPE_GRAMMAR, Verdict::Wrong, &bad, "it is");
    }
    match &demand.scope {
        Some(scope) => {
            section.ok(&rules::SCOPE, scope.to_string());
            if scope.contains("offline_access") {
                section.odd(&rules::SCOPE_OFFLINE, scope.to_string());
            }
        }
        // A server without scopes has none to name.
        None if super::resource_metadata::chosen(seen)
            .is_some_and(|(_, it)| it.scopes_supported.is_some()) =>
        {
            section.odd(&rules::SCOPE, "none, though the resource metadata lists some");
        }
        None => section.note(&rules::SCOPE, "none"),
    }
}

fn bad_token(section: &mut Section, seen: &Evidence) {
    let Some(exchange) = &seen.bad else {
        section.skipped(&rules::BAD_STATUS, "the server was not reached");
        return;
    };
    let Some(answer) = exchange.answer() else {
        section.skipped(&rules::BAD_STATUS, exchange.shown());
        return;
    };
    match (answer.status, seen.refusal()) {
        (401, _) => section.ok(&rules::BAD_STATUS, exchange.shown()),
        (_, None) => {
            section.skipped(&rules::BAD_STATUS, format!("{}, as without a token", exchange.shown()));
            return;
        }
        (200..=299, Some(_)) => {
            section.wrong(&rules::BAD_STATUS, format!("{}: any token will do", exchange.shown()));
            return;
        }
        _ => {
            section.wrong(&rules::BAD_STATUS, exchange.shown());
            return;
        }
    }
    let challenges = challenge::read(answer.challenges().iter().copied());
    let demand = Demand::of(&challenges);
    if !demand.bearer && !demand.dpop {
        section.wrong(&rules::BAD_CHALLENGE, "no challenge");
        return;
    }
    section
        .ok(&rules::BAD_CHALLENGE, challenges.iter().map(Challenge::scheme).collect::<Vec<_>>().join(", "));
    match demand.error.as_deref() {
        Some("invalid_token") => section.ok(&rules::BAD_ERROR, "invalid_token"),
        // A Bearer token is no token at all to a resource that takes bound ones only.
        _ if !demand.bearer => section.skipped(&rules::BAD_ERROR, "only tokens bound by DPoP are taken"),
        Some(error) => section.odd(&rules::BAD_ERROR, error),
        None => section.odd(&rules::BAD_ERROR, "no error"),
    }
    let first = seen.refusal().map(|(_, answer)| Demand::of(&challenge::read(answer.challenges())));
    let first = first.map(|first| first.resource_metadata).unwrap_or_default();
    if first == demand.resource_metadata {
        section.ok(&rules::BAD_METADATA, "it does");
    } else {
        let shown: Vec<_> = demand.resource_metadata.iter().map(|url| guard::without_query(url)).collect();
        section
            .odd(&rules::BAD_METADATA, if shown.is_empty() { "none".to_owned() } else { shown.join(", ") });
    }
}
