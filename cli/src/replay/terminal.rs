//! The flow as a story to be read in a terminal.

use std::io::{self, BufRead, Write};

use anstyle::{AnsiColor, Color, Style};

use super::flow::{Aside, Flow, Message, Parameter, Remark, Row, Tone, Verdict, What};
use super::values::clock;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));
const SECRET: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Magenta)));
const PLAIN: Style = Style::new();

/// Tells the flow, row by row. `step`: what is read a line of after each.
pub(super) fn tell(out: &mut dyn Write, flow: &Flow, mut step: Option<impl BufRead>) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#}", flow.title)?;
    writeln!(out, "{DIM}{}{DIM:#}", flow.setting)?;
    for lane in flow.lanes.iter().skip(1) {
        writeln!(out, "  {:<21} {}", lane.party.name(), lane.name)?;
    }
    for row in &flow.rows {
        self::row(out, flow, row)?;
        if let (Some(input), true) = (&mut step, row.number > 0) {
            write!(out, "{DIM}      Enter …{DIM:#}")?;
            out.flush()?;
            if input.read_line(&mut String::new()).unwrap_or(0) == 0 {
                step = None;
                writeln!(out)?;
            }
        }
    }
    writeln!(out)
}

fn row(out: &mut dyn Write, flow: &Flow, row: &Row) -> io::Result<()> {
    let name = |lane: &usize| flow.lanes.get(*lane).map_or("?", |lane| lane.party.name());
    let beside = if row.going.beside { " beside" } else { "" };
    match &row.what {
        What::Begin { title, why } => {
            writeln!(out, "\n{BOLD}{title}{BOLD:#} {DIM}{} · {why}{DIM:#}", clock(row.at))?
        }
        What::Gap(text) => writeln!(out, "\n      {DIM}⋮ {text}{DIM:#}")?,
        What::Aside { sort, text, tone } => {
            let mark = match sort {
                Aside::Store => "▤",
                Aside::Key => "⚿",
                Aside::Assertion => "✎",
                Aside::Event => "•",
            };
            let style = style(*tone);
            writeln!(out, "      {DIM}{mark}{DIM:#} {style}{text}{style:#}")?;
        }
        What::Exchange { from, to, request, answer } => {
            sent(out, row, name(from), name(to), request, beside)?;
            match answer {
                Some(answer) => {
                    let style = style(answer.tone);
                    write!(out, "      {style}← {}{style:#}", answer.head)?;
                    parameters(out, &answer.parameters, 18)?;
                }
                None => writeln!(out, "      {DIM}← not answered in this trace{DIM:#}")?,
            }
        }
        What::Message { from, to, message } => sent(out, row, name(from), name(to), message, beside)?,
        What::End { title, lines, tone } => {
            let style = style(*tone).bold();
            writeln!(out, "\n  {style}{title}{style:#}")?;
            for line in lines {
                writeln!(out, "    {line}")?;
            }
        }
    }
    row.remarks.iter().try_for_each(|it| remark(out, it))
}

fn sent(
    out: &mut dyn Write,
    row: &Row,
    from: &str,
    to: &str,
    message: &Message,
    beside: &str,
) -> io::Result<()> {
    let number = row.number;
    let style = style(message.tone);
    let purpose = &message.purpose;
    writeln!(
        out,
        "\n  {BOLD}{number:>2}{BOLD:#}  {from} → {to} {DIM}{}{beside}{DIM:#} {BOLD}{purpose}{BOLD:#} {style}{}{style:#}",
        clock(row.at),
        message.head
    )?;
    if message.parameters.iter().any(|it| !it.minor) {
        write!(out, "     ")?;
        parameters(out, &message.parameters, 6)?;
    }
    Ok(())
}

/// The parameters, as many on a line as fit; the first line is begun.
fn parameters(out: &mut dyn Write, parameters: &[Parameter], begun: usize) -> io::Result<()> {
    let mut column = begun;
    for it in parameters.iter().filter(|it| !it.minor) {
        let wide = it.name.chars().count() + it.value.chars().count() + 2;
        if column + wide > 110 && column > 6 {
            write!(out, "\n     ")?;
            column = 5;
        }
        let style = if it.secret { SECRET } else { PLAIN };
        write!(out, " {DIM}{}={DIM:#}{style}{}{style:#}", it.name, it.value)?;
        column += wide;
    }
    writeln!(out)
}

fn remark(out: &mut dyn Write, remark: &Remark) -> io::Result<()> {
    let (style, mark) = match remark.verdict {
        Verdict::Checked => (GOOD, "✓"),
        Verdict::Taken => (GOOD, "·"),
        Verdict::Decided => (DIM, "→"),
        Verdict::PassedOver => (WARN, "–"),
        Verdict::Deviation => (WARN, "! deviation:"),
        Verdict::Failed => (BAD, "✗"),
    };
    let text = &remark.text;
    let gap = " ".repeat(66_usize.saturating_sub(text.chars().count()).max(2));
    writeln!(out, "      {style}{mark}{style:#} {text}{gap}{DIM}{}{DIM:#}", remark.clause)
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => PLAIN,
        Tone::Good => GOOD,
        Tone::Odd => WARN,
        Tone::Bad => BAD,
    }
}
