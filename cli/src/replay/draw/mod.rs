//! The flow as a picture. Pure: the same flow gives the same text, byte for byte.

mod ink;
mod marks;
mod page;
mod remarks;
mod row;
mod theme;

use std::fmt::Write as _;

use super::flow::{Flow, Row, Verdict, What};
use ink::Look;
use row::{MARGIN, WIDTH};

pub(super) use page::html;

/// How high the lanes' names are.
const NAMES: usize = 56;

/// The flow as one SVG document that needs nothing else. On paper it is one page of its own size: a browser would cut what
/// is wider than its paper, and could break a page only through the middle of something.
pub(super) fn svg(flow: &Flow) -> String {
    let mut body = String::new();
    ink::text(&mut body, MARGIN, 46, Look::sans("t-ink", 22).bold(), "", &title(flow));
    ink::text(
        &mut body,
        MARGIN,
        68,
        Look::sans("t-muted", 13),
        "",
        &ink::cut(&flow.setting, Look::sans("", 13), 1100),
    );
    let mut y = 88;
    let mut put = |ink: &str, height: usize| {
        let _ = writeln!(body, "<g transform=\"translate(0 {y})\">{ink}</g>");
        y += height;
    };
    put(&names(flow, true), NAMES);
    for (row, timed) in timed(flow) {
        let drawn = row::drawn(flow, row, timed);
        put(&drawn.ink, drawn.height);
    }
    put(&names(flow, false), NAMES);
    put(&legend(), 44);
    let height = y;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
        role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>{sheet}@page{{size:{WIDTH}px {height}px;margin:0}}</style>\n\
        <rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\" rx=\"10\"/>\n{body}</svg>\n",
        title = ink::escaped(&title(flow)),
        sheet = theme::sheet(),
    )
}

fn title(flow: &Flow) -> String {
    ink::cut(&flow.title, Look::sans("", 22).bold(), 1120)
}

/// Each row, and whether its time is new.
fn timed(flow: &Flow) -> impl Iterator<Item = (&Row, bool)> {
    let mut before = None;
    flow.rows.iter().map(move |row| {
        let shows = !matches!(row.what, What::Begin { .. } | What::End { .. } | What::Gap(_));
        let timed = shows && before != Some(row.at);
        if shows {
            before = Some(row.at);
        }
        (row, timed)
    })
}

/// The lanes' names, and the lines that hang from them. `first`: at the top.
fn names(flow: &Flow, first: bool) -> String {
    let mut ink = String::new();
    row::lifelines(&mut ink, flow, NAMES);
    let gaps = flow.lanes.len().saturating_sub(1).max(1);
    let wide = (600 / gaps).saturating_sub(12).min(168);
    let wide = wide.max(76);
    for (place, lane) in flow.lanes.iter().enumerate() {
        let x = row::lane(flow, place);
        let (left, mid) = (x.saturating_sub(wide / 2), x);
        let _ = write!(
            ink,
            "<rect class=\"b-lane box\" x=\"{left}\" y=\"6\" width=\"{wide}\" height=\"42\" rx=\"7\"/>"
        );
        let (role, name) = (Look::sans("t-muted", 10), Look::sans("t-ink", 12).bold());
        ink::text(&mut ink, mid, 23, role, "mid", &ink::cut(lane.party.name(), role, wide - 8));
        let shown = lane.name.split_once("://").map_or(lane.name.as_str(), |(_, host)| host);
        ink::text(&mut ink, mid, 39, name, "mid", &ink::cut(shown, name, wide - 8));
    }
    if first {
        let words = "What was checked and decided, and the clause that says so";
        ink::text(&mut ink, remarks::COLUMN, 31, Look::sans("t-muted", 11), "", words);
    }
    ink
}

/// What the marks mean.
fn legend() -> String {
    let mut ink = String::new();
    let look = Look::sans("t-muted", 11);
    let mut x = MARGIN + 8;
    for verdict in Verdict::ALL {
        marks::verdict(&mut ink, verdict, x, 20);
        ink::text(&mut ink, x + 12, 24, look, "", verdict.name());
        x += 34 + ink::width(verdict.name(), look);
    }
    let secret = Look::mono("t-secret", 11);
    ink::text(&mut ink, x, 24, secret, "", "STATE-1");
    ink::text(&mut ink, x + 56, 24, look, "", "stands for a secret");
    ink
}
