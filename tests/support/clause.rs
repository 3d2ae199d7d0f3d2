//! Where a requirement of `vectors/clauses/requirements.json` stands, as tables, failures and the index of flows write it.

/// A section that names its own document stands for itself.
pub(crate) fn clause(document: &str, section: &str) -> String {
    match section {
        _ if section.starts_with("RFC") || section.starts_with("OpenID") => section.to_owned(),
        _ if section.starts_with('§') => format!("{document} {section}"),
        _ => format!("{document}, {section}"),
    }
}
