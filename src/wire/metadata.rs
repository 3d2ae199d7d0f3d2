//! What the two metadata documents have in common.

use super::json::{Object, Value};
use crate::base::breach::Breach;

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
