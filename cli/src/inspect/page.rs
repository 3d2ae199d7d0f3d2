//! The report as a person reads it: what is wrong and odd, with what to do; the rest is counted, or shown on demand.

use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Style};

use super::catalogue::Revision;
use super::document::shown;
use super::evidence::words;
use super::report::{Finding, Report, Section, Told, Verdict};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));

/// Where a clause begins.
const CLAUSE_COLUMN: usize = 80;

/// Writes the report. `all`: with every check and every request.
pub(crate) fn write(out: &mut dyn Write, report: &Report, all: bool) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#}", report.url)?;
    for part in &report.sections {
        section(out, part, all)?;
    }
    writeln!(out)?;
    revisions(out, report)?;
    let counted = Verdict::ALL.into_iter().map(|it| (it, report.count(it))).filter(|(_, count)| *count > 0);
    let counted: Vec<_> = counted.map(|(verdict, count)| format!("{count} {}", verdict.name())).collect();
    let (style, result) = match report.result() {
        Verdict::Wrong => (BAD, "wrong"),
        Verdict::Odd => (WARN, "odd"),
        _ => (GOOD, "ok"),
    };
    writeln!(out, "{style}{result}{style:#}: {}", counted.join(", "))?;
    writeln!(out, "{}", report.outlook.summary())?;
    out.flush()
}

/// Which revisions are satisfied. Those that are broken by the same are named together.
fn revisions(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let broken = Revision::ALL.map(|revision| report.left(revision, Verdict::Wrong));
    let ids = |list: &Vec<(&'static str, String)>| list.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let [older, newer] = &broken;
    let together = !newer.is_empty() && ids(older) == ids(newer);
    for (revision, broken) in Revision::ALL.into_iter().zip(&broken) {
        let name = revision.name();
        if broken.is_empty() {
            let left = match report.left(revision, Verdict::Odd).len() {
                0 => String::new(),
                1 => "; 1 of its recommendations is not followed".to_owned(),
                left => format!("; {left} of its recommendations are not followed"),
            };
            writeln!(out, "{GOOD}✓{GOOD:#} MCP {name} is satisfied as far as can be seen{left}")?;
            continue;
        }
        match (together, revision) {
            (true, Revision::November2025) => continue,
            (true, Revision::July2026) => {
                let both = Revision::ALL.map(Revision::name).join(" and ");
                writeln!(out, "{BAD}✗{BAD:#} MCP {both} are not satisfied:")?;
            }
            (false, _) => writeln!(out, "{BAD}✗{BAD:#} MCP {name} is not satisfied:")?,
        }
        for (id, clause) in broken {
            writeln!(out, "    {id} {DIM}({clause}){DIM:#}")?;
        }
    }
    Ok(())
}

fn section(out: &mut dyn Write, section: &Section, all: bool) -> io::Result<()> {
    writeln!(out, "\n{BOLD}{}{BOLD:#} {DIM}{}{DIM:#}", section.document.title(), section.subject)?;
    if all {
        for told in &section.exchanges {
            exchange(out, told)?;
        }
    }
    let fine = section.count(Verdict::Ok);
    if fine > 0 && !all {
        let checks = if fine == 1 { "check" } else { "checks" };
        let notes = match section.count(Verdict::Note) {
            0 => String::new(),
            1 => ", 1 note".to_owned(),
            count => format!(", {count} notes"),
        };
        writeln!(out, "  {GOOD}✓{GOOD:#} {fine} {checks} passed{notes}")?;
    }
    let mut findings: Vec<_> = section.findings.iter().collect();
    if !all {
        findings.retain(|finding| finding.verdict >= Verdict::Odd);
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    }
    for it in findings {
        finding(out, it)?;
    }
    Ok(())
}

fn finding(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let (style, mark) = match finding.verdict {
        Verdict::Ok => (GOOD, "✓"),
        Verdict::Note => (DIM, "·"),
        Verdict::Skipped => (DIM, "–"),
        Verdict::Odd => (WARN, "!"),
        Verdict::Wrong => (BAD, "✗"),
    };
    let (id, expected, clause) = (finding.rule.id, finding.rule.expected, finding.rule.first_clause());
    let gap = " ".repeat(CLAUSE_COLUMN.saturating_sub(4 + expected.chars().count()).max(2));
    writeln!(out, "  {style}{mark}{style:#} {expected}{gap}{DIM}{clause}{DIM:#}")?;
    writeln!(out, "    {DIM}{id}:{DIM:#} {}", finding.got)?;
    if finding.verdict >= Verdict::Odd {
        writeln!(out, "    → {}", finding.rule.advice)?;
    }
    Ok(())
}

fn exchange(out: &mut dyn Write, told: &Told) -> io::Result<()> {
    let what = &told.what;
    match &told.exchange {
        None => {
            let why = told.refused.as_deref().map_or("not asked".to_owned(), words);
            writeln!(out, "  {DIM}GET{DIM:#} {} {DIM}({what}){DIM:#} {WARN}{why}{WARN:#}", shown(&told.url))
        }
        Some(exchange) => {
            let took = exchange.took.as_millis();
            let kind =
                exchange.answer().and_then(|answer| answer.field("content-type")).map(|kind| words(&kind));
            let size = exchange.answer().map_or(0, |answer| answer.body.len());
            let size = if size == 0 { String::new() } else { format!(", {size} bytes") };
            let kind = kind.map_or(String::new(), |kind| format!(", {kind}"));
            let url = shown(&told.url);
            let (method, came) = (&exchange.method, exchange.shown());
            writeln!(out, "  {DIM}{method}{DIM:#} {url} {DIM}({what}){DIM:#} {came}{kind}{size}, {took} ms")
        }
    }
}
