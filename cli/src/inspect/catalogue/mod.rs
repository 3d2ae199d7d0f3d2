//! Every check, as data: its stable id, the clause behind it, what is expected, and what to do where it is otherwise.
//!
//! An id, once published, keeps its meaning; the list of them is held by a test.

pub(crate) mod authorization_server;
pub(crate) mod mcp_server;
pub(crate) mod resource_metadata;

/// A check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its stable name.
    pub(crate) id: &'static str,
    /// The clause of the underlying standard, or `field` where experience speaks and no clause does.
    pub(crate) clause: &'static str,
    /// Where MCP says so too.
    pub(crate) mcp: Mcp,
    /// What is expected, as a sentence about the server.
    pub(crate) expected: &'static str,
    /// What its author can do where it is otherwise.
    pub(crate) advice: &'static str,
}

/// Which revisions of MCP stand behind a check, and the section of their authorization specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mcp {
    /// None by itself.
    Silent,
    /// 2025-11-25 and 2026-07-28, in sections of the same name.
    Both(&'static str),
    /// 2026-07-28 only.
    Newest(&'static str),
}

/// A revision of MCP that is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// 2025-11-25.
    November2025,
    /// 2026-07-28.
    July2026,
}

impl Revision {
    pub(crate) const ALL: [Self; 2] = [Self::November2025, Self::July2026];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::November2025 => "2025-11-25",
            Self::July2026 => "2026-07-28",
        }
    }
}

impl Mcp {
    /// The section of that revision, if it has one.
    pub(crate) fn section(self, revision: Revision) -> Option<&'static str> {
        match (self, revision) {
            (Self::Both(section), _) | (Self::Newest(section), Revision::July2026) => Some(section),
            (Self::Newest(_), Revision::November2025) | (Self::Silent, _) => None,
        }
    }
}

impl Rule {
    /// Every clause behind it, the underlying standard's first.
    pub(crate) fn clauses(&self) -> Vec<String> {
        let own = Some(self.clause).filter(|clause| *clause != "MCP").map(str::to_owned);
        let revisions = Revision::ALL.into_iter().filter_map(|revision| {
            self.mcp.section(revision).map(|section| format!("MCP {}, {section}", revision.name()))
        });
        own.into_iter().chain(revisions).collect()
    }

    /// The one clause that is shown where there is room for one.
    pub(crate) fn first_clause(&self) -> String {
        match self.clause {
            "MCP" => self.clauses().pop().unwrap_or_default(),
            clause => clause.to_owned(),
        }
    }
}

/// Writes the checks down, each as a static, and all of them as a list.
macro_rules! rules {
    ($($name:ident = $id:literal, $clause:literal, $mcp:expr, $expected:literal, $advice:literal;)*) => {
        $(
            pub(crate) static $name: $crate::inspect::catalogue::Rule = $crate::inspect::catalogue::Rule {
                id: $id,
                clause: $clause,
                mcp: $mcp,
                expected: $expected,
                advice: $advice,
            };
        )*
        /// All checks of this document.
        #[cfg(test)]
        pub(crate) static ALL: &[&$crate::inspect::catalogue::Rule] = &[$(&$name),*];
    };
}
pub(crate) use rules;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static &'static Rule> {
        mcp_server::ALL.iter().chain(resource_metadata::ALL).chain(authorization_server::ALL)
    }

    /// Whoever reads the report in a script relies on these.
    #[test]
    fn the_ids_are_those_of_the_golden_list() {
        let ids: Vec<_> = all().map(|rule| rule.id).collect();
        let golden: Vec<_> = include_str!("ids.txt").lines().collect();
        assert_eq!(ids, golden);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn each_says_what_is_expected_why_and_what_to_do() {
        for rule in all() {
            let clauses = rule.clauses();
            assert!(!clauses.is_empty(), "{}", rule.id);
            let known = ["RFC ", "MCP ", "draft-", "OpenID ", "field"];
            assert!(
                clauses.iter().all(|clause| known.iter().any(|name| clause.starts_with(name))),
                "{clauses:?}"
            );
            assert!(rule.expected.len() > 10 && rule.advice.ends_with('.'), "{}", rule.id);
            assert!(rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.id);
            assert!(rule.first_clause().len() > 4, "{}", rule.id);
        }
    }
}
