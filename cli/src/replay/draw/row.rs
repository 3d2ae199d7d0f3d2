//! One row of the diagram: its height, and what is drawn in it. The place of its top left corner is nobody's business
//! here, so that rows can be put under each other, or on pages.

use std::fmt::Write as _;

use super::super::flow::{Flow, Message, Party, Row, Tone, What};
use super::super::values::clock;
use super::ink::{self, Line, Look, Span, Word};
use super::{marks, remarks};

/// The whole width.
pub(super) const WIDTH: usize = 1200;
pub(super) const MARGIN: usize = 24;
/// Where the client's lane is, and the last one.
const FIRST: usize = 116;
const LAST: usize = 716;
/// Where labels of the lanes must end.
const LABELS_END: usize = 800;
/// Where the time stands, to its right end.
const TIME: usize = 74;

const HEAD: Look = Look::mono("t-ink", 12);
const PURPOSE: Look = Look::sans("t-accent", 12).bold();
const NAME: Look = Look::mono("t-muted", 11);
const VALUE: Look = Look::mono("t-ink", 11);
const SECRET: Look = Look::mono("t-secret", 11);
const QUIET: Look = Look::sans("t-muted", 11);
const TITLE: Look = Look::sans("t-ink", 13).bold();

/// What stands in the place of an answer that the trace does not have.
pub(super) const UNANSWERED: &str = "not answered in this trace";

/// How high a line of a label is.
const LEADING: usize = 15;
/// The most lines of the parameters of one message.
const MAX_LINES: usize = 4;
/// The most characters of a URL, and of another value.
const MAX_URL: usize = 56;
const MAX_VALUE: usize = 30;

/// What is drawn, and how high it is.
pub(super) struct Drawn {
    pub(super) ink: String,
    pub(super) height: usize,
}

/// Where a lane is.
pub(super) fn lane(flow: &Flow, lane: usize) -> usize {
    let gaps = flow.lanes.len().saturating_sub(1).max(1);
    FIRST + lane.min(gaps) * (LAST - FIRST) / gaps
}

/// The row. `timed`: with the time at its left.
pub(super) fn drawn(flow: &Flow, row: &Row, timed: bool) -> Drawn {
    let mut front = String::new();
    let inner = match &row.what {
        What::Begin { title, why } => return band(flow, row, title, why),
        What::End { title, lines, tone } => return end(flow, row, title, lines, *tone),
        What::Gap(text) => return gap(flow, row, text),
        What::Aside { sort, text, tone } => {
            let x = lane(flow, 0);
            let look = if *tone == Tone::Plain { QUIET } else { Look::sans(text_class(*tone), 11) };
            marks::aside(&mut front, *sort, x, 14);
            for (place, part) in ink::wrapped(text, look, LABELS_END - x - 30, 3).iter().enumerate() {
                ink::line(&mut front, x + 16, 18 + place * LEADING, &vec![vec![Span::new(part, look)]]);
            }
            10 + ink::wrapped(text, look, LABELS_END - x - 30, 3).len() * LEADING
        }
        What::Exchange { from, to, request, answer } => {
            let y = message(&mut front, flow, row, *from, *to, request);
            match answer {
                Some(answer) => answered(&mut front, flow, *to, *from, answer, y),
                None => {
                    ink::line(
                        &mut front,
                        start(flow, *from, *to),
                        y + 18,
                        &vec![vec![Span::new(UNANSWERED, QUIET)]],
                    );
                    y + 26
                }
            }
        }
        What::Message { from, to, message: it } => message(&mut front, flow, row, *from, *to, it) + 8,
    };
    let beyond = remarks::drawn(&mut front, &row.remarks);
    let height = inner.max(beyond) + 4;
    let mut ink = behind(flow, row, height);
    if timed {
        ink::text(&mut ink, TIME, 18, Look::mono("t-muted", 11), "end", &clock(row.at));
    }
    ink.push_str(&if row.going.beside { front.replace("t-halo", "t-haze") } else { front });
    Drawn { ink, height }
}

/// Lanes, and what goes on on them.
fn behind(flow: &Flow, row: &Row, height: usize) -> String {
    let mut ink = String::new();
    if row.going.beside {
        let wide = LABELS_END - 84;
        let _ =
            write!(ink, "<rect class=\"b-beside\" x=\"84\" y=\"0\" width=\"{wide}\" height=\"{height}\"/>");
    }
    lifelines(&mut ink, flow, height);
    let person = (0..flow.lanes.len()).find(|place| is_person(flow, *place));
    let bars = [
        (row.going.attempt, Some(lane(flow, 0) - 4), "b-busy"),
        (row.going.beside, Some(lane(flow, 0) + 4), "b-aside"),
        (row.going.person, person.map(|person| lane(flow, person) - 4), "b-busy"),
    ];
    for (_, x, class) in bars.into_iter().filter(|(going, ..)| *going) {
        if let Some(x) = x {
            let _ = write!(
                ink,
                "<rect class=\"{class} flat\" x=\"{x}\" y=\"0\" width=\"8\" height=\"{height}\"/>"
            );
        }
    }
    ink
}

pub(super) fn lifelines(ink: &mut String, flow: &Flow, height: usize) {
    for place in 0..flow.lanes.len() {
        let x = lane(flow, place);
        let _ = write!(ink, "<path class=\"l-life thin\" d=\"M{x} 0V{height}\"/>");
    }
}

fn is_person(flow: &Flow, lane: usize) -> bool {
    flow.lanes.get(lane).is_some_and(|lane| lane.party == Party::Person)
}

/// Where the label of an arrow begins.
fn start(flow: &Flow, from: usize, to: usize) -> usize {
    lane(flow, from).min(lane(flow, to)) + 16
}

/// How wide it may be.
fn room(flow: &Flow, from: usize, to: usize) -> usize {
    let begin = start(flow, from, to);
    let end = lane(flow, from).max(lane(flow, to)).saturating_sub(10);
    // Between the client and the person things are said to both sides of them.
    let least = if is_person(flow, from.max(to)) { 190 } else { 374 };
    end.saturating_sub(begin).max(least).min(LABELS_END.saturating_sub(begin))
}

/// A message with its arrow under it; gives where the arrow is.
fn message(out: &mut String, flow: &Flow, row: &Row, from: usize, to: usize, message: &Message) -> usize {
    let (x, room) = (start(flow, from, to), room(flow, from, to));
    let mut words: Vec<Word> = Vec::new();
    if !message.purpose.is_empty() {
        words.push(vec![Span::new(&message.purpose, PURPOSE)]);
    }
    let head =
        if message.tone == Tone::Plain { HEAD } else { Look::mono(text_class(message.tone), 12).bold() };
    let (method, rest) = message.head.split_once(' ').unwrap_or((&message.head, ""));
    words.push(vec![Span::new(format!("{method} "), Look::bold(head)), Span::new(rest, head)]);
    if row.going.beside {
        words.push(vec![Span::new("beside the login", Look::sans("t-secret", 11))]);
    }
    let mut lines = ink::filled(words, room, 3);
    lines.extend(parameters(message, room, Vec::new()));
    // The number of what goes back stands where its label may end.
    let y = label(out, x, 18, &lines) + if from > to { 5 } else { 0 };
    marks::arrow(out, lane(flow, from), lane(flow, to), y, Tone::Plain, false);
    marks::number(out, lane(flow, from), y, row.number);
    y
}

/// The answer to a message whose arrow is at `above`; gives where this one ends.
fn answered(out: &mut String, flow: &Flow, from: usize, to: usize, answer: &Message, above: usize) -> usize {
    // It has as much room as what it answers.
    let (x, room) = (start(flow, from, to), room(flow, to, from));
    let head = Look::mono(text_class(answer.tone), 12).bold();
    let begun = vec![vec![Span::new(ink::cut(&answer.head, head, room), head)]];
    let lines = parameters(answer, room, begun);
    let y = label(out, x, above + 19, &lines);
    marks::arrow(out, lane(flow, from), lane(flow, to), y, answer.tone, true);
    y + 8
}

fn parameters(message: &Message, room: usize, begun: Vec<Word>) -> Vec<Line> {
    let mut words = begun;
    for it in message.parameters.iter().filter(|it| !it.minor) {
        let value = shortened(&it.value);
        let look = if it.secret { SECRET } else { VALUE };
        words.push(vec![Span::new(format!("{}=", it.name), NAME), Span::new(value, look)]);
    }
    ink::filled(words, room, MAX_LINES)
}

/// A value short enough to stand beside others. Of a URN the end is what tells it from others.
fn shortened(value: &str) -> String {
    if let (true, Some((_, end))) =
        (value.starts_with("urn:") && value.len() > MAX_VALUE, value.rsplit_once(':'))
    {
        return shortened(&format!("…:{end}"));
    }
    let most = if value.contains("://") || value.contains(' ') { MAX_URL } else { MAX_VALUE };
    let short: String = value.chars().take(most).collect();
    if short.len() < value.len() { format!("{short}…") } else { short }
}

/// Lines from `y` on; gives where an arrow under them goes.
fn label(out: &mut String, x: usize, y: usize, lines: &[Line]) -> usize {
    for (place, line) in lines.iter().enumerate() {
        ink::line(out, x, y + place * LEADING, line);
    }
    y + lines.len().saturating_sub(1) * LEADING + 9
}

pub(super) const fn text_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "t-ink",
        Tone::Good => "t-good",
        Tone::Odd => "t-odd",
        Tone::Bad => "t-bad",
    }
}

fn band(flow: &Flow, row: &Row, title: &str, why: &str) -> Drawn {
    let (mut ink, mut beside) = (String::new(), String::new());
    let height = 52 + remarks::drawn(&mut beside, &row.remarks);
    lifelines(&mut ink, flow, height);
    let wide = WIDTH - 2 * MARGIN;
    let _ = write!(
        ink,
        "<rect class=\"b-band\" x=\"{MARGIN}\" y=\"14\" width=\"{wide}\" height=\"30\" rx=\"7\"/>"
    );
    let room = wide.saturating_sub(ink::width(title, TITLE) + 60);
    let why = ink::cut(why, Look::sans("t-muted", 12), room);
    let words = vec![vec![Span::new(title, TITLE)], vec![Span::new(why, Look::sans("t-muted", 12))]];
    let mut text = String::new();
    ink::line(&mut text, MARGIN + 14, 34, &words);
    ink.push_str(&text.replace("t-halo", "plain"));
    let _ = write!(ink, "<g transform=\"translate(0 46)\">{beside}</g>");
    Drawn { ink, height }
}

fn end(flow: &Flow, row: &Row, title: &str, lines: &[String], tone: Tone) -> Drawn {
    let class = match tone {
        Tone::Plain => "b-plain",
        Tone::Good => "b-good",
        Tone::Odd => "b-odd",
        Tone::Bad => "b-bad",
    };
    let (x, wide) = (lane(flow, 0) - 16, WIDTH - MARGIN + 16 - lane(flow, 0));
    let look = Look::sans("t-ink", 12);
    let shown: Vec<_> = lines.iter().flat_map(|line| ink::wrapped(line, look, wide - 40, 3)).collect();
    let box_height = 30 + shown.len() * 17 + if shown.is_empty() { 0 } else { 4 };
    let height = box_height + 20;
    let mut ink = String::new();
    if row.going.beside {
        ink.push_str(&behind(flow, row, height));
    } else {
        lifelines(&mut ink, flow, height);
    }
    let _ = write!(
        ink,
        "<rect class=\"{class} box\" x=\"{x}\" y=\"10\" width=\"{wide}\" height=\"{box_height}\" rx=\"7\"/>"
    );
    marks::verdict_of(&mut ink, tone, x + 20, 25);
    ink::text(&mut ink, x + 36, 30, Look::sans(text_class(tone), 13).bold(), "", title);
    for (place, line) in shown.iter().enumerate() {
        ink::text(&mut ink, x + 36, 50 + place * 17, look, "", line);
    }
    Drawn { ink, height }
}

fn gap(flow: &Flow, row: &Row, text: &str) -> Drawn {
    let mut ink = behind(flow, row, 34);
    let (x, to) = (lane(flow, 0) - 30, LABELS_END);
    let _ = write!(ink, "<rect class=\"bg\" x=\"{x}\" y=\"10\" width=\"{}\" height=\"14\"/>", to - x);
    let _ = write!(ink, "<path class=\"l-muted line dots\" d=\"M{x} 17H{to}\"/>");
    let look = Look::sans("t-muted", 11);
    let words = vec![vec![Span::new(ink::cut(text, look, 400), look)]];
    ink::line(&mut ink, lane(flow, 0) + 16, 21, &words);
    Drawn { ink, height: 34 }
}
