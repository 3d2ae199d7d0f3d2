//! Arrows and marks, drawn rather than written: not every font has them.

use std::fmt::Write as _;

use super::super::flow::{Aside, Tone, Verdict};
use super::ink::{self, Look};

const fn stroke(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Plain => ("l-ink", "f-ink"),
        Tone::Good => ("l-good", "f-good"),
        Tone::Odd => ("l-odd", "f-odd"),
        Tone::Bad => ("l-bad", "f-bad"),
    }
}

/// An arrow from one lane to another.
pub(super) fn arrow(out: &mut String, from: usize, to: usize, y: usize, tone: Tone, back: bool) {
    let (line, head) = stroke(tone);
    let dash = if back { " dash" } else { "" };
    if from == to {
        let (x, below) = (from + 40, y + 10);
        let _ = write!(out, "<path class=\"{line} line{dash}\" d=\"M{from} {y}H{x}V{below}H{from}\"/>");
        return;
    }
    let (tip, tail) = if from < to { (to - 3, to - 12) } else { (to + 3, to + 12) };
    let (above, below) = (y - 4, y + 4);
    let _ = write!(out, "<path class=\"{line} line{dash}\" d=\"M{from} {y}H{tail}\"/>");
    let _ = write!(out, "<path class=\"{head}\" d=\"M{tip} {y}L{tail} {above}V{below}Z\"/>");
}

/// The number of a message, where it begins.
pub(super) fn number(out: &mut String, x: usize, y: usize, number: usize) {
    let _ = write!(out, "<circle class=\"f-accent\" cx=\"{x}\" cy=\"{y}\" r=\"9\"/>");
    ink::text(out, x, y + 4, Look::sans("t-on", 10).bold(), "mid", &number.to_string());
}

/// What stands for a verdict.
pub(super) fn verdict(out: &mut String, verdict: Verdict, x: usize, y: usize) {
    let (class, path) = match verdict {
        Verdict::Checked => ("l-good", format!("M{} {y}l3 4l6 -8", x - 5)),
        Verdict::Taken => ("l-good", format!("M{} {}v6m-3 -3l3 3l3 -3m-7 5h8", x, y - 5)),
        Verdict::Decided => ("l-muted", format!("M{} {y}h8m-3 -3l3 3l-3 3", x - 5)),
        Verdict::PassedOver => ("l-odd", format!("M{} {y}h8", x - 4)),
        Verdict::Deviation => ("l-odd", format!("M{x} {}v4.5m0 2.5v.5m-6 2l6 -11l6 11z", y - 3)),
        Verdict::Failed => ("l-bad", format!("M{} {}l8 8m0 -8l-8 8", x - 4, y - 4)),
    };
    let _ = write!(out, "<path class=\"{class} glyph\" d=\"{path}\"/>");
}

/// What stands for an end.
pub(super) fn verdict_of(out: &mut String, tone: Tone, x: usize, y: usize) {
    match tone {
        Tone::Good => verdict(out, Verdict::Checked, x, y),
        Tone::Bad => verdict(out, Verdict::Failed, x, y),
        Tone::Plain | Tone::Odd => verdict(out, Verdict::PassedOver, x, y),
    }
}

/// What the client asks of its own host, on its lane.
pub(super) fn aside(out: &mut String, sort: Aside, x: usize, y: usize) {
    let _ = write!(out, "<circle class=\"bg\" cx=\"{x}\" cy=\"{y}\" r=\"9\"/>");
    let path = match sort {
        // A drum.
        Aside::Store => {
            format!("M{l} {t}a5 2 0 0 0 10 0a5 2 0 0 0 -10 0v7a5 2 0 0 0 10 0v-7", l = x - 5, t = y - 4)
        }
        // A key.
        Aside::Key => format!("M{} {y}a3 3 0 1 0 -6 0a3 3 0 1 0 6 0h6m-1.5 0v3m-2.5 -3v2", x),
        // A sheet.
        Aside::Assertion => format!("M{} {}h6l3 3v8h-9zm2 5h5m-5 3h5", x - 4, y - 6),
        Aside::Event => format!("M{} {y}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0", x - 3),
    };
    let _ = write!(out, "<path class=\"l-muted glyph\" d=\"{path}\"/>");
}
