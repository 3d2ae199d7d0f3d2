//! The report as JSON, for scripts. `version` grows when a member changes its meaning or goes; members and check ids
//! may be added without.

use mcp_auth::base::guard;
use serde_json::{Map, Value, json};

use super::catalogue::Revision;
use super::client::{Outlook, Registration};
use super::evidence::{unsent, words};
use super::report::{Finding, Report, Section, Told, Verdict};

/// The version of the form.
const VERSION: u32 = 1;

/// The whole report.
pub(crate) fn report(report: &Report) -> Value {
    let counts: Map<_, _> =
        Verdict::ALL.into_iter().map(|it| (it.name().to_owned(), report.count(it).into())).collect();
    json!({
        "format": "mcp-auth-inspect",
        "version": VERSION,
        "url": report.url,
        "result": report.result().name(),
        "counts": counts,
        "documents": report.sections.iter().map(section).collect::<Vec<_>>(),
        "revisions": Revision::ALL.map(|revision| {
            let left = |verdict| {
                let left = report.left(revision, verdict).into_iter();
                left.map(|(id, clause)| json!({"id": id, "clause": clause})).collect::<Vec<_>>()
            };
            let broken = left(Verdict::Wrong);
            json!({
                "revision": revision.name(),
                "satisfied": broken.is_empty(),
                "broken": broken,
                "left_undone": left(Verdict::Odd),
            })
        }),
        "client": outlook(&report.outlook),
    })
}

/// What is said where nothing could be inspected.
pub(crate) fn failure(url: &str, why: &str) -> Value {
    json!({
        "format": "mcp-auth-inspect",
        "version": VERSION,
        "url": guard::without_query(url),
        "result": "error",
        "error": words(why),
    })
}

fn section(section: &Section) -> Value {
    json!({
        "document": section.document.name(),
        "subject": section.subject,
        "exchanges": section.exchanges.iter().map(exchange).collect::<Vec<_>>(),
        "checks": section.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn exchange(told: &Told) -> Value {
    let answer = told.exchange.as_ref().and_then(|exchange| exchange.answer());
    let failure = told.exchange.as_ref().and_then(|exchange| exchange.came.as_ref().err());
    let field = |name| answer.and_then(|answer| answer.field(name)).map(|value| words(&value));
    json!({
        "what": told.what,
        "method": told.exchange.as_ref().map(|exchange| exchange.method.as_str()),
        "url": guard::without_query(&told.url),
        "status": answer.map(|answer| answer.status),
        "content_type": field("content-type"),
        "bytes": answer.map(|answer| answer.body.len()),
        "milliseconds": told.exchange.as_ref().map(|exchange| exchange.took.as_millis()),
        "failure": failure.map(unsent).or_else(|| told.refused.as_deref().map(words)),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.rule.id,
        "verdict": finding.verdict.name(),
        "clauses": finding.rule.clauses(),
        "expected": finding.rule.expected,
        "got": finding.got,
        "advice": Some(finding.rule.advice).filter(|_| finding.verdict >= Verdict::Odd),
    })
}

fn outlook(outlook: &Outlook) -> Value {
    let login = match outlook {
        Outlook::Login(login) => Some(login),
        Outlook::NoLogin | Outlook::Stops(_) => None,
    };
    json!({
        "outcome": match outlook {
            Outlook::NoLogin => "no_login",
            Outlook::Login(_) => "login",
            Outlook::Stops(_) => "stops",
        },
        "summary": outlook.summary(),
        "authorization_server": login.map(|login| words(&login.authorization_server)),
        "resource": login.map(|login| guard::without_query(&login.resource)),
        "legacy": login.map(|login| login.legacy),
        "registration": login.map(|login| {
            login.registration.iter().copied().map(Registration::name).collect::<Vec<_>>()
        }),
        "token_endpoint_auth_method": login.and_then(|login| login.auth_method),
        "scopes": login.map(|login| login.scopes.iter().map(words).collect::<Vec<_>>()),
        "dpop": login.map(|login| login.bound),
    })
}
