//! Every recorded flow of `vectors/flows` is told, drawn and scrubbed, and what its trace says is looked for in what is drawn.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use mcp_auth::base::text::clean;
use roxmltree::Document;

use crate::expected::{Expected, hosts};
use crate::{Folder, drawn, replay, said, secrets};

fn all() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/flows");
    let paths = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let flows = paths.filter(|it| it.extension().is_some_and(|it| it == "jsonl"));
    let mut flows: Vec<_> =
        flows.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect();
    flows.sort();
    flows
}

/// Does it with every flow, on as many threads as there are processors.
fn each(of: &str, check: fn(&Folder, &str, &Path)) {
    let flows = all();
    assert!(flows.len() > 150, "{} flows", flows.len());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for part in flows.chunks(flows.len().div_ceil(threads)) {
            scope.spawn(move || {
                for (name, path) in part {
                    check(&Folder::new(&format!("{of}-{name}")), name, path);
                }
            });
        }
    });
}

#[test]
fn every_recorded_flow_is_told_and_drawn_whole() {
    each("whole", |folder, name, path| {
        let trace = fs::read_to_string(path).unwrap();
        let (svg, html, scrubbed) = drawn_of(folder, name, path, &[]);
        let told = replay(&[path.to_str().unwrap()]);
        assert!(told.status.success(), "{name}: {}", said(&told));
        let told = said(&told);
        shows(name, &scrubbed, [&svg, &html], &told);
        for secret in secrets(&trace) {
            for (form, shown) in [("svg", &svg), ("html", &html), ("terminal", &told), ("trace", &scrubbed)] {
                assert!(!shown.contains(&secret), "{name}, {form}: shows {secret}");
            }
        }
        // What is sent to others gives the same picture.
        let sent = folder.0.join("sent.jsonl");
        fs::write(&sent, &scrubbed).unwrap();
        let (again, _, twice) = drawn_of(folder, name, &sent, &[]);
        assert!(again == svg, "{name}: the scrubbed trace gives another picture");
        assert!(twice == scrubbed, "{name}: what is scrubbed is changed by scrubbing it");
    });
}

#[test]
fn every_recorded_flow_is_drawn_without_the_names_of_hosts() {
    each("names", |folder, name, path| {
        let trace = fs::read_to_string(path).unwrap();
        let (svg, html, scrubbed) = drawn_of(folder, name, path, &["--names"]);
        let told = said(&replay(&[path.to_str().unwrap(), "--names"]));
        shows(name, &scrubbed, [&svg, &html], &told);
        for hidden in secrets(&trace).iter().chain(&hosts(&trace)) {
            for shown in [&svg, &html, &told] {
                assert!(!shown.contains(hidden.as_str()), "{name}: shows {hidden}");
            }
        }
    });
}

/// The machine's trail does not repeat what it says; the story does.
#[test]
fn what_happens_again_has_its_remark_again() {
    for (name, purpose, remark, times) in [
        (
            "callback.foreign",
            "callback that nobody waited for",
            "it answers no request that is waited for",
            2,
        ),
        ("device", "authorization_pending", "the person has not decided yet", 2),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../vectors/flows/{name}.jsonl"));
        let told = said(&replay(&[path.to_str().unwrap()]));
        let lines: Vec<_> = told.lines().collect();
        let places: Vec<_> = (0..lines.len()).filter(|at| lines[*at].contains(purpose)).collect();
        assert_eq!(places.len(), times, "{name}: {told}");
        assert!(places.iter().all(|at| lines[at + 1].contains(remark)), "{name}: {told}");
    }
}

/// The picture, the page and the scrubbed trace, by one run.
fn drawn_of(folder: &Folder, name: &str, trace: &Path, more: &[&str]) -> (String, String, String) {
    let files = ["svg", "html", "jsonl"].map(|form| folder.file(&format!("drawn.{form}")));
    for file in &files {
        let _ = fs::remove_file(file);
    }
    let [svg, html, scrubbed] = &files;
    let mut arguments = vec![trace.to_str().unwrap(), "--svg", svg, "--html", html, "--scrub", scrubbed];
    arguments.extend(more);
    let ran = replay(&arguments);
    assert!(ran.status.success(), "{name}: {}", said(&ran));
    let [svg, html, scrubbed] = files.map(|file| fs::read_to_string(file).unwrap());
    (svg, html, scrubbed)
}

/// Both pictures and the story show what the scrubbed trace says, and nothing is cut.
fn shows(name: &str, scrubbed: &str, pictures: [&str; 2], told: &str) {
    let [svg_text, html_text] = pictures;
    let expected = Expected::of(scrubbed);
    for text in pictures {
        let document = drawn::read(text);
        drawn::stands_alone(name, &document);
        drawn::fits(name, &document);
        draws_every_arrow(name, &document, &expected);
        assert!(!text.contains("rows are left out") && !text.contains("cannot be shown without"), "{name}");
    }
    let [svg, html] = pictures.map(drawn::read);
    failures_are_red(name, &svg, &expected);
    failures_are_explained(name, &html, &expected);
    steps_are_told(name, &html, &expected);
    for (number, arrow) in (1..).zip(&expected.arrows) {
        let line = told.lines().find(|line| line.trim_start().starts_with(&format!("{number}  ")));
        let line = line.unwrap_or_else(|| panic!("{name}: the story has no message {number}\n{told}"));
        assert!(line.contains(&arrow.purpose) && line.contains(&arrow.head), "{name}: {arrow:?} in {line}");
    }
    assert!(told.contains("replays: "), "{name}: {told}");
    let blank = |line: &str| !line.is_empty() && line.trim().is_empty();
    assert!(!told.lines().any(blank), "{name}: a line of blanks in {told}");
    // Short codes aside, a pseudonym stands in the trace as long as a secret, and in the picture by its telling part.
    for pseudonym in secrets(scrubbed).iter().filter(|it| it.len() >= 30) {
        assert!([svg_text, html_text, told].iter().all(|it| !it.contains(pseudonym)), "{name}: {pseudonym}");
    }
}

/// Each message has its row, in the order of the trace, with an arrow there and one back.
fn draws_every_arrow(name: &str, document: &Document<'_>, expected: &Expected) {
    let rows = drawn::rows(document);
    let numbered = rows.iter().filter_map(|row| Some((drawn::number(*row)?, *row)));
    let numbered: Vec<_> = numbered.collect();
    assert_eq!(numbered.len(), expected.arrows.len(), "{name}: {:#?}", expected.arrows);
    for (place, ((number, row), arrow)) in numbered.iter().zip(&expected.arrows).enumerate() {
        let (words, answer) = (drawn::words(*row), arrow.answer.as_deref().unwrap_or_default());
        let method = arrow.head.split(' ').next().unwrap();
        assert_eq!(*number, (place + 1).to_string(), "{name}");
        let said = [arrow.purpose.as_str(), method, answer];
        assert!(said.iter().all(|it| words.contains(it)), "{name}, {number}: {arrow:?} is drawn as {words}");
    }
    let lines: usize = rows.iter().map(|row| drawn::arrows(*row)).sum();
    assert_eq!(lines, expected.both_ways(), "{name}: arrows");
}

/// The box of a failure is red, and says what was expected, what came and by which clause.
fn failures_are_red(name: &str, document: &Document<'_>, expected: &Expected) {
    let ends =
        drawn::rows(document).into_iter().filter(|row| row.descendants().any(|it| drawn::has(it, "b-bad")));
    let ends: Vec<_> = ends.map(drawn::words).collect();
    assert_eq!(ends.len(), expected.failures.len(), "{name}: {ends:?}");
    for (end, failure) in ends.iter().zip(&expected.failures) {
        let title = format!("Failed: {}", failure.breach.kind);
        assert!(
            end.contains(&title) && end.contains(failure.breach.clause.as_ref()),
            "{name}: {failure} in {end}"
        );
    }
    for class in ["t-bad", "l-bad", "f-bad", "b-bad"] {
        let [red, green, blue] = drawn::colour(document, class);
        assert!(red > green && red > blue, "{name}: {class} is no red");
    }
}

/// The page says of a failure what its value says, and the whole way there.
fn failures_are_explained(name: &str, document: &Document<'_>, expected: &Expected) {
    let bad = document.descendants().filter(|it| it.tag_name().name() == "p" && drawn::has(*it, "bad"));
    let bad: Vec<_> = bad.map(drawn::words).collect();
    assert_eq!(bad.len(), expected.failures.len(), "{name}: {bad:?}");
    let remarks: Vec<_> = document.descendants().filter(|it| it.tag_name().name() == "li").collect();
    let said: Vec<_> = remarks.iter().map(|it| drawn::words(*it)).collect();
    for (shown, failure) in bad.iter().zip(&expected.failures) {
        let breach = &failure.breach;
        let kind = breach.kind.to_string();
        for part in [kind.as_str(), &breach.expected, &breach.got, breach.clause.as_ref()] {
            assert!(shown.contains(&plain(part)), "{name}: {part} is not in {shown}");
        }
        for entry in failure.trail.entries() {
            let status = entry.status.map(|status| format!("[{status}]"));
            let parts =
                [Some(&*entry.note), entry.clause.as_deref(), entry.url.as_deref(), status.as_deref()];
            let whole = |line: &&String| parts.iter().flatten().all(|part| line.contains(&plain(part)));
            // What ended the attempt was passed over first, and is said once.
            let twice = || failure.trail.entries().iter().filter(|it| it.note == entry.note).count() > 1;
            assert!(said.iter().find(whole).is_some() || twice(), "{name}: {parts:?} is not in the trail");
        }
        let last = failure.trail.entries().last().unwrap();
        let red = |at: usize| drawn::has(remarks[at], "bad") && said[at].contains(&plain(&last.note));
        assert!((0..said.len()).any(red), "{name}: {} is not red", last.note);
    }
}

/// Each message has its details in the page.
fn steps_are_told(name: &str, document: &Document<'_>, expected: &Expected) {
    let summaries = document.descendants().filter(|it| it.tag_name().name() == "summary");
    let summaries: Vec<_> = summaries.map(drawn::words).collect();
    assert_eq!(summaries.len(), expected.arrows.len(), "{name}: {summaries:#?}");
    for (summary, arrow) in summaries.iter().zip(&expected.arrows) {
        let answer = arrow.answer.as_deref().unwrap_or_default();
        let said = [&arrow.purpose, &arrow.head, answer].map(plain);
        assert!(said.iter().all(|it| summary.contains(it)), "{name}: {arrow:?} in {summary}");
    }
}

/// The beginning of a text as it may be shown, with single spaces.
fn plain(text: impl AsRef<str>) -> String {
    let shown = clean(text.as_ref(), 240);
    shown.trim_end_matches('…').split_whitespace().collect::<Vec<_>>().join(" ")
}
