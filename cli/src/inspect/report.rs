//! What was found: one finding for each check, sorted by the document it is about.

use super::catalogue::{Revision, Rule};
use super::client::Outlook;
use super::evidence::{Exchange, How, Place, words};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing, and nothing to do about.
    Note,
    /// Could not be looked at, and why.
    Skipped,
    /// Leaves a SHOULD, or is allowed and known to trip clients.
    Odd,
    /// Breaks a MUST, or stops a client that follows the rules.
    Wrong,
}

impl Verdict {
    pub(crate) const ALL: [Self; 5] = [Self::Wrong, Self::Odd, Self::Skipped, Self::Note, Self::Ok];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Skipped => "skipped",
            Self::Odd => "odd",
            Self::Wrong => "wrong",
        }
    }
}

/// One check and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) rule: &'static Rule,
    pub(crate) verdict: Verdict,
    /// What came, fit to be shown.
    pub(crate) got: String,
}

/// Which document a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    McpServer,
    ResourceMetadata,
    AuthorizationServer,
}

impl Document {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::McpServer => "mcp_server",
            Self::ResourceMetadata => "resource_metadata",
            Self::AuthorizationServer => "authorization_server",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::McpServer => "MCP server",
            Self::ResourceMetadata => "Protected resource metadata",
            Self::AuthorizationServer => "Authorization server",
        }
    }
}

/// A request as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) what: String,
    pub(crate) exchange: Option<Exchange>,
    /// Why it was not made.
    pub(crate) refused: Option<String>,
    pub(crate) url: String,
}

impl Told {
    /// A request that was made.
    pub(crate) fn of(what: impl Into<String>, exchange: &Exchange) -> Self {
        Self { what: what.into(), exchange: Some(exchange.clone()), refused: None, url: exchange.url.clone() }
    }

    /// The requests for a document.
    pub(crate) fn of_place(place: &Place) -> Vec<Self> {
        let how = place.how.shown();
        if place.hops.is_empty() {
            let (refused, url) = (place.refused.clone(), place.url.clone());
            return vec![Self { what: how.to_owned(), exchange: None, refused, url }];
        }
        let words = std::iter::once(how).chain(std::iter::repeat("redirected"));
        place.hops.iter().zip(words).map(|(exchange, what)| Self::of(what, exchange)).collect()
    }
}

/// What was found about one document.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) document: Document,
    /// Whose it is: a URL without query, or an issuer.
    pub(crate) subject: String,
    pub(crate) exchanges: Vec<Told>,
    pub(crate) findings: Vec<Finding>,
}

impl Section {
    pub(crate) fn new(document: Document, subject: &str) -> Self {
        Self { document, subject: words(subject), exchanges: Vec::new(), findings: Vec::new() }
    }

    pub(crate) fn add(&mut self, rule: &'static Rule, verdict: Verdict, got: impl AsRef<str>) {
        self.findings.push(Finding { rule, verdict, got: words(got.as_ref()) });
    }

    pub(crate) fn ok(&mut self, rule: &'static Rule, got: impl AsRef<str>) {
        self.add(rule, Verdict::Ok, got);
    }

    pub(crate) fn note(&mut self, rule: &'static Rule, got: impl AsRef<str>) {
        self.add(rule, Verdict::Note, got);
    }

    pub(crate) fn skipped(&mut self, rule: &'static Rule, why: impl AsRef<str>) {
        self.add(rule, Verdict::Skipped, why);
    }

    pub(crate) fn odd(&mut self, rule: &'static Rule, got: impl AsRef<str>) {
        self.add(rule, Verdict::Odd, got);
    }

    pub(crate) fn wrong(&mut self, rule: &'static Rule, got: impl AsRef<str>) {
        self.add(rule, Verdict::Wrong, got);
    }

    /// A list of faults: none is fine.
    pub(crate) fn faults(&mut self, rule: &'static Rule, verdict: Verdict, faults: &[String], fine: &str) {
        if faults.is_empty() { self.ok(rule, fine) } else { self.add(rule, verdict, faults.join("; ")) }
    }

    /// Says of some findings which of several documents they are about.
    pub(crate) fn locate(&mut self, which: std::ops::Range<usize>, url: &str) {
        for finding in self.findings.get_mut(which).into_iter().flatten() {
            finding.got = words(&format!("{}, at {}", finding.got, super::document::shown(url)));
        }
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

/// Everything that was found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The URL without its query.
    pub(crate) url: String,
    pub(crate) sections: Vec<Section>,
    pub(crate) outlook: Outlook,
}

impl Report {
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.sections.iter().flat_map(|section| &section.findings)
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.sections.iter().map(|section| section.count(verdict)).sum()
    }

    /// The verdict on the whole: wrong, odd or ok.
    pub(crate) fn result(&self) -> Verdict {
        let worst = self.findings().map(|finding| finding.verdict).max();
        worst.filter(|worst| *worst >= Verdict::Odd).unwrap_or(Verdict::Ok)
    }

    /// What a revision demands (`Wrong`) or recommends (`Odd`) and is not so: the ids, and the section that says it, or
    /// else the clause. What breaks a standard that MCP builds on breaks the revision with it.
    pub(crate) fn left(&self, revision: Revision, verdict: Verdict) -> Vec<(&'static str, String)> {
        let mut left = Vec::<(&str, String)>::new();
        for finding in self.findings().filter(|finding| finding.verdict == verdict) {
            let rule = finding.rule;
            let section =
                rule.mcp.section(revision).map(|section| format!("MCP {}, {section}", revision.name()));
            let clause = section.or((verdict == Verdict::Wrong).then(|| rule.clause.to_owned()));
            if let Some(clause) = clause
                && !left.iter().any(|(id, _)| *id == rule.id)
            {
                left.push((rule.id, clause));
            }
        }
        left
    }
}

/// Whether the place is one that anybody finds, without a challenge.
pub(crate) fn is_well_known(how: How) -> bool {
    how != How::Resource(mcp_auth::wire::resource_metadata::Source::Advertised)
}
