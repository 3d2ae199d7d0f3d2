//! What the two metadata documents have in common.

use super::json::{Object, Value};
use crate::base::breach::Breach;
use crate::base::scope::Scopes;

/// The scopes of a `scopes_supported` list: what is no scope token is dropped, and so is what follows the 256th.
/// Such a list only says what may be asked for, so one bad entry is no reason to refuse the document.
pub(super) fn scopes<'a>(listed: impl Iterator<Item = &'a str> + Clone) -> Scopes {
    Scopes::listed(listed)
}

/// A flag that, when true, obliges the client to more. The text `"true"` counts as true, which errs towards the
/// obligation; any other type is an error, because guessing could drop it.
pub(super) fn obligation(object: &Object<'_>, name: &str, clause: &'static str) -> Result<bool, Breach> {
    if object.get(name).and_then(Value::as_str) == Some("true") {
        return Ok(true);
    }
    Ok(object.flag(name, clause)?.unwrap_or(false))
}

/// A path without its terminating slash; empty for the root.
pub(super) fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
