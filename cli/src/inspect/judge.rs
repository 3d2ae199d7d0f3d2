//! From what was seen to what is reported.

use mcp_auth::base::guard;

use super::client::Outlook;
use super::evidence::Evidence;
use super::report::Report;
use super::{authorization_server, mcp_server, resource_metadata};

/// Judges everything.
pub(crate) fn judge(seen: &Evidence) -> Report {
    let mut sections =
        vec![mcp_server::judge(seen, resource_metadata::is_published(seen)), resource_metadata::judge(seen)];
    sections.extend(seen.issuers.iter().map(|issuer| authorization_server::judge(seen, issuer)));
    sections.extend(seen.passed_over.iter().map(|issuer| authorization_server::passed_over(issuer)));
    Report { url: guard::without_query(seen.server.as_given()), sections, outlook: Outlook::of(seen) }
}
