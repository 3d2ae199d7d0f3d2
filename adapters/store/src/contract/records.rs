//! What a store keeps, and under which name.

use mcp_auth::Key;

use super::{Clause, Finding, conflict, forget, hold, keep, key, plain, record, stands};
use crate::Store;

pub(super) fn clauses<S: Store>() -> impl Iterator<Item = Clause<S>> {
    let clauses: [Clause<S>; 8] = [
        ("an empty store has no record", empty),
        ("what was put is loaded, field for field", kept),
        ("a put that does not name what stands there writes nothing", compared),
        ("a put that names a record where none is writes nothing", nothing_to_replace),
        ("forget deletes the record of this generation only", forgotten),
        ("a record may be put where one was forgotten", again),
        ("servers and accounts are kept apart", apart),
        ("any text may be a server or an account", odd),
    ];
    clauses.into_iter()
}

fn empty<S: Store>(one: &S, other: &S) -> Finding {
    stands(one, &plain(), None)?;
    stands(other, &plain(), None)
}

fn kept<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let first = record(&key, 1, "first")?;
    keep(one, &key, &first, None)?;
    stands(one, &key, Some(&first))?;
    stands(other, &key, Some(&first))?;
    // Generations need not follow each other: the store compares them, and does not count.
    let second = record(&key, 7, "second")?;
    keep(other, &key, &second, Some(first.generation))?;
    stands(one, &key, Some(&second))?;
    stands(other, &key, Some(&second))?;
    let third = record(&key, u64::MAX, "third \u{1F511} \"\\\n")?;
    keep(one, &key, &third, Some(second.generation))?;
    stands(other, &key, Some(&third))
}

fn compared<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let standing = record(&key, 5, "standing")?;
    keep(one, &key, &standing, None)?;
    for generation in [4, 6, 0, u64::MAX] {
        let wrong = record(&key, generation, "wrong")?;
        conflict(other, &key, &wrong, Some(wrong.generation), Some(&standing))?;
        stands(one, &key, Some(&standing))?;
    }
    conflict(other, &key, &record(&key, 6, "wrong")?, None, Some(&standing))?;
    stands(one, &key, Some(&standing))?;
    stands(other, &key, Some(&standing))
}

fn nothing_to_replace<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    for generation in [0, 3] {
        let wrong = record(&key, generation, "wrong")?;
        conflict(one, &key, &wrong, Some(wrong.generation), None)?;
        stands(other, &key, None)?;
    }
    Ok(())
}

fn forgotten<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let standing = record(&key, 5, "standing")?;
    forget(one, &key, standing.generation, true)?;
    keep(one, &key, &standing, None)?;
    for generation in [4, 6, 0] {
        forget(other, &key, record(&key, generation, "other")?.generation, false)?;
        stands(one, &key, Some(&standing))?;
    }
    forget(other, &key, standing.generation, true)?;
    stands(one, &key, None)?;
    forget(one, &key, standing.generation, true)
}

fn again<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let first = record(&key, 5, "first")?;
    keep(one, &key, &first, None)?;
    forget(other, &key, first.generation, true)?;
    conflict(one, &key, &record(&key, 6, "late")?, Some(first.generation), None)?;
    let second = record(&key, 1, "second")?;
    keep(one, &key, &second, None)?;
    stands(other, &key, Some(&second))
}

/// Each key has its own record, on its own and beside all others.
fn all_apart<S: Store>(one: &S, other: &S, keys: &[Key]) -> Finding {
    let number = |place: usize| format!("token {place}");
    for (place, key) in keys.iter().enumerate() {
        stands(other, key, None)?;
        keep(one, key, &record(key, 1, &number(place))?, None)?;
    }
    for (place, key) in keys.iter().enumerate() {
        stands(other, key, Some(&record(key, 1, &number(place))?))?;
    }
    let Some((first, rest)) = keys.split_first() else { return Ok(()) };
    forget(other, first, record(first, 1, "")?.generation, true)?;
    stands(one, first, None)?;
    for key in rest {
        hold(one.load(key).is_ok_and(|found| found.is_some()), || {
            format!("{key:?} is gone, when {first:?} was forgotten")
        })?;
    }
    Ok(())
}

fn apart<S: Store>(one: &S, other: &S) -> Finding {
    let server = "https://mcp.example/mcp";
    all_apart(
        one,
        other,
        &[
            key(server, None),
            key(server, Some("")),
            key(server, Some("None")),
            key(server, Some("null")),
            key(server, Some("alice")),
            key(server, Some("Alice")),
            key(server, Some("alice ")),
            key("https://mcp.example/mc", Some("palice")),
            key("https://mcp.example/mcpalice", None),
            // The same server to a URL parser, but a key is text.
            key("https://mcp.example/mcp/", None),
            key("https://mcp.example:443/mcp", None),
            key("https://MCP.example/mcp", None),
            key("https://mcp.example/mcp?tenant=1", None),
            key("https://mcp.example/mcp?tenant=2", None),
        ],
    )
}

fn odd<S: Store>(one: &S, other: &S) -> Finding {
    let long = "long".repeat(3000);
    let longer = format!("{long}er");
    all_apart(
        one,
        other,
        &[
            key("", None),
            key("", Some("")),
            key(".", None),
            key("..", None),
            key("../../../etc/passwd", None),
            key("https://../mcp", Some("../../x")),
            key("https://.hidden.example", None),
            key("/", Some("/")),
            key("C:\\con\\nul", Some("aux")),
            key("con", None),
            key("https://[2001:db8::1]:8443/mcp", None),
            key("https://user:password@mcp.example/mcp", None),
            key("https://bücher.example/\u{1F4DA}", Some("\u{202E}ecila")),
            // One letter composed, and of two parts.
            key("https://mcp.example/\u{e9}", None),
            key("https://mcp.example/e\u{301}", None),
            key("a\0b", Some("\0")),
            key("a\nb\r\n", Some("\t")),
            key("'; drop table records; --", Some("\"%_*?<>|$(x)`")),
            key(&long, None),
            key(&longer, None),
            key("https://mcp.example/mcp", Some(&long)),
            key("https://mcp.example/mcp", Some(&longer)),
        ],
    )
}
