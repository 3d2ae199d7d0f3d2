//! The picture in a page, row by row so that no page break goes through an arrow, and every step with its details.

use std::fmt::Write as _;

use super::super::flow::{Flow, Message, Row, Verdict, What};
use super::ink::escaped;
use super::row::{self, WIDTH};
use super::{NAMES, legend, names, theme, timed};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;background:#fff;color:#1c2430;font:15px/1.5 ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif}\
main{max-width:1200px;margin:0 auto;padding:24px 0 48px}\
h1{font-size:24px;line-height:1.25;margin:0 24px 2px}h2{font-size:18px;margin:32px 24px 8px}.setting{margin:0 24px 16px;color:#667085}\
table{border-collapse:collapse;width:100%}td,th{padding:0;font-weight:normal}svg{display:block;width:100%;height:auto}\
thead svg{background:#fff}\
details{margin:0 24px;border-top:1px solid #e4e8ee;padding:6px 0}summary{cursor:pointer;padding-left:50px;text-indent:-50px}\
summary b{display:inline-block;min-width:34px;text-indent:0}\
.good{color:#15734a}.odd{color:#8a5a00}.bad{color:#c3282d}.dim{color:#667085}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:6px 0 10px 50px;font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\
dt{color:#667085}dd{margin:0;overflow-wrap:anywhere}.secret{color:#7a3ea8}ul{margin:6px 0 10px 50px;padding-left:1.1em}p.what{margin:8px 0 0 50px}\
main>p.what,main>ul{margin-left:74px;margin-right:24px}p.what+details,ul+details{margin-top:8px}\
@media screen{thead{position:sticky;top:0}}\
@media screen and (prefers-color-scheme:dark){body,thead svg{background:#10151c;color:#e6ebf2}.setting,.dim,dt{color:#95a2b4}\
details{border-color:#2a3441}.good{color:#5fd39b}.odd{color:#e5b44a}.bad{color:#ff8080}.secret{color:#cfa6f7}}\
@page{size:A4 landscape;margin:10mm}\
@media print{main{padding:0;max-width:none}thead{display:table-header-group}tr,h2,summary,dt,dd,li,p{break-inside:avoid}h2,summary,details p{break-after:avoid}\
dl{font-size:10px}details::details-content{content-visibility:visible;display:block}body{font-size:11px}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

/// The flow as one page that needs nothing else, and runs nothing. It is well-formed XML too.
pub(crate) fn html(flow: &Flow) -> String {
    let mut rows = String::new();
    let svg = |ink: &str, height: usize| {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"presentation\">{ink}</svg>"
        )
    };
    let _ = writeln!(rows, "<thead><tr><th>{}</th></tr></thead>\n<tbody>", svg(&names(flow, true), NAMES));
    for (row, timed) in timed(flow) {
        let drawn = row::drawn(flow, row, timed);
        let _ = writeln!(rows, "<tr><td>{}</td></tr>", svg(&drawn.ink, drawn.height));
    }
    let _ = writeln!(rows, "<tr><td>{}</td></tr>\n</tbody>", svg(&legend(), 44));
    let steps: String = flow.rows.iter().map(|row| step(flow, row)).collect();
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
        <meta name=\"viewport\" content=\"width=device-width\"/>\n\
        <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
        <title>{title}</title>\n<style>{STYLE}{sheet}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
        <p class=\"setting\">{setting}. Secrets are shown by pseudonyms.</p>\n<table>\n{rows}</table>\n\
        <h2>Step by step</h2>\n{steps}</main>\n</body>\n</html>\n",
        title = escaped(&flow.title),
        setting = escaped(&flow.setting),
        sheet = theme::sheet(),
    )
}

fn step(flow: &Flow, row: &Row) -> String {
    let name = |lane: &usize| flow.lanes.get(*lane).map_or("?", |lane| lane.party.name());
    // What went wrong is seen without being opened.
    let open = if row.remarks.iter().any(|it| it.verdict == Verdict::Failed) { " open=\"open\"" } else { "" };
    let number = if row.number > 0 { format!("<b>{}</b> ", row.number) } else { String::new() };
    match &row.what {
        What::Begin { title, why } => {
            let told = remarks(row);
            format!("<h2>{} <small class=\"dim\">{}</small></h2>\n{told}", escaped(title), escaped(why))
        }
        What::Gap(text) => format!("<p class=\"what dim\">{}</p>\n", escaped(text)),
        What::Aside { text, .. } => {
            format!("<p class=\"what dim\">{}</p>\n{}", escaped(text), remarks(row))
        }
        What::End { title, lines, tone } => {
            let class = class(*tone);
            let lines: Vec<_> = lines.iter().map(|line| escaped(line)).collect();
            format!(
                "<p class=\"what {class}\"><strong>{}</strong><br/>{}</p>\n{}",
                escaped(title),
                lines.join("<br/>"),
                remarks(row)
            )
        }
        What::Exchange { from, to, request, answer } => {
            let (how, head) = answer
                .as_ref()
                .map_or(("dim", row::UNANSWERED), |answer| (class(answer.tone), answer.head.as_str()));
            let status = format!(" <span class=\"{how}\">{}</span>", escaped(head));
            let answered = answer.as_ref().map_or(String::new(), |answer| message("answer", answer));
            format!(
                "<details{open}><summary>{number}{} → {}: {} <span class=\"dim\">{}</span>{status}</summary>\n{}{answered}{}</details>\n",
                name(from),
                name(to),
                escaped(&request.purpose),
                escaped(&request.head),
                message("request", request),
                remarks(row)
            )
        }
        What::Message { from, to, message: it } => format!(
            "<details{open}><summary>{number}{} → {}: {} <span class=\"dim\">{}</span></summary>\n{}{}</details>\n",
            name(from),
            name(to),
            escaped(&it.purpose),
            escaped(&it.head),
            message("sent", it),
            remarks(row)
        ),
    }
}

const fn class(tone: super::super::flow::Tone) -> &'static str {
    match tone {
        super::super::flow::Tone::Plain => "plain",
        super::super::flow::Tone::Good => "good",
        super::super::flow::Tone::Odd => "odd",
        super::super::flow::Tone::Bad => "bad",
    }
}

fn message(what: &str, message: &Message) -> String {
    let mut out = String::new();
    let url = message.url.iter().map(|url| ("url", url.as_str(), false));
    let parameters = message.parameters.iter().map(|it| (it.name.as_str(), it.value.as_str(), it.secret));
    for (name, value, secret) in url.chain(parameters) {
        let class = if secret { " class=\"secret\"" } else { "" };
        let _ = write!(out, "<dt>{}</dt><dd{class}>{}</dd>", escaped(name), escaped(value));
    }
    if out.is_empty() {
        return out;
    }
    format!("<p class=\"what dim\">{what}: {}</p>\n<dl>{out}</dl>\n", escaped(&message.head))
}

fn remarks(row: &Row) -> String {
    if row.remarks.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    for it in &row.remarks {
        let class = match it.verdict {
            Verdict::Failed => "bad",
            Verdict::Deviation | Verdict::PassedOver => "odd",
            Verdict::Taken | Verdict::Checked | Verdict::Decided => "plain",
        };
        let about = if it.about.is_empty() {
            String::new()
        } else {
            format!(" <span class=\"dim\">{}</span>", escaped(&it.about))
        };
        let _ = write!(
            out,
            "<li class=\"{class}\">{}: {}{about} <span class=\"dim\">{}</span></li>",
            it.verdict.name(),
            escaped(&it.text),
            escaped(&it.clause)
        );
    }
    format!("<ul>{out}</ul>\n")
}
