//! What was checked and decided, beside the row that it belongs to.

use std::fmt::Write as _;

use super::super::flow::{Remark, Verdict};
use super::ink::{self, Look};
use super::marks;

/// Where the column begins, and how wide its text is.
pub(super) const COLUMN: usize = 824;
const ROOM: usize = 324;
/// The most remarks that are drawn of one row.
const MAX: usize = 10;
const LEADING: usize = 15;

const CLAUSE: Look = Look::sans("t-muted", 10);

/// Draws them; gives where they end.
pub(super) fn drawn(out: &mut String, remarks: &[Remark]) -> usize {
    let mut y = 18;
    let x = COLUMN + 22;
    for remark in remarks.iter().take(MAX) {
        let class = match remark.verdict {
            Verdict::Failed => "t-bad",
            Verdict::Deviation | Verdict::PassedOver => "t-odd",
            Verdict::Taken | Verdict::Checked | Verdict::Decided => "t-ink",
        };
        let look = Look::sans(class, 12);
        marks::verdict(out, remark.verdict, COLUMN + 8, y - 4);
        if remark.verdict == Verdict::Deviation {
            ink::text(out, x, y, Look::sans("t-odd", 10).bold(), "up", "DEVIATION BY POLICY");
            y += LEADING;
        }
        let lines = ink::wrapped(&remark.text, look, ROOM, 6);
        let last = lines.last().map_or(0, |line| ink::width(line, look));
        for line in &lines {
            ink::text(out, x, y, look, "", line);
            y += LEADING;
        }
        if !remark.clause.is_empty() {
            let clause = ink::cut(&remark.clause, CLAUSE, ROOM);
            if last + 12 + ink::width(&clause, CLAUSE) <= ROOM {
                ink::text(out, COLUMN + 22 + ROOM, y - LEADING, CLAUSE, "end", &clause);
            } else {
                ink::text(out, x, y - 1, CLAUSE, "", &clause);
                y += LEADING - 1;
            }
        }
        y += 4;
    }
    if remarks.len() > MAX {
        let words = format!("and {} more", remarks.len() - MAX);
        ink::text(out, x, y, Look::sans("t-muted", 11), "", &words);
        y += LEADING;
    }
    if remarks.is_empty() {
        return 0;
    }
    let _ = write!(out, "<path class=\"l-life thin\" d=\"M{c} 6V{}\"/>", y - 10, c = COLUMN - 8);
    y - 6
}
