//! A picture as its reader sees it: rows, texts with their places, and arrows. Both forms are read as XML.

use roxmltree::{Document, Node, ParsingOptions};

/// How wide every picture is, and where what was checked begins.
const WIDTH: f64 = 1200.0;
const COLUMN: f64 = 816.0;
/// What must stay free at both sides.
const EDGE: f64 = 20.0;

/// The elements and attributes that are drawn with. None of them runs or fetches anything.
const ELEMENTS: [&str; 35] = [
    "b", "body", "br", "circle", "dd", "details", "dl", "dt", "g", "h1", "h2", "head", "html", "li", "main",
    "meta", "p", "path", "rect", "small", "span", "strong", "style", "summary", "svg", "table", "tbody",
    "td", "text", "th", "thead", "title", "tr", "tspan", "ul",
];
const ATTRIBUTES: [&str; 22] = [
    "aria-label",
    "charset",
    "class",
    "content",
    "cx",
    "cy",
    "d",
    "dx",
    "height",
    "http-equiv",
    "id",
    "lang",
    "name",
    "open",
    "r",
    "role",
    "rx",
    "transform",
    "viewBox",
    "width",
    "x",
    "y",
];

/// Well-formed XML.
pub(crate) fn read(text: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).unwrap()
}

/// Nothing in it runs, and nothing in it is elsewhere.
pub(crate) fn stands_alone(name: &str, document: &Document<'_>) {
    for node in document.descendants().filter(Node::is_element) {
        let tag = node.tag_name().name();
        assert!(ELEMENTS.contains(&tag), "{name}: <{tag}>");
        for attribute in node.attributes() {
            assert!(ATTRIBUTES.contains(&attribute.name()), "{name}: <{tag} {}>", attribute.name());
        }
        let style = if tag == "style" { node.text().unwrap_or_default() } else { "" };
        for reference in ["url(", "@import", "expression", "src:", "image-set"] {
            assert!(!style.contains(reference), "{name}: {reference} in its style sheet");
        }
    }
}

/// Everything below a node, as one text with spaces between the elements.
pub(crate) fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|it| it.text());
    texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn has(node: Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|it| it.split_whitespace().any(|it| it == class))
}

/// The rows of a picture: groups of the one form, pictures in a table of the other.
pub(crate) fn rows<'a, 'input>(document: &'a Document<'input>) -> Vec<Node<'a, 'input>> {
    let root = document.root_element();
    if root.tag_name().name() == "svg" {
        return root.children().filter(|it| it.has_tag_name(("http://www.w3.org/2000/svg", "g"))).collect();
    }
    root.descendants().filter(|it| it.has_tag_name(("http://www.w3.org/2000/svg", "svg"))).collect()
}

/// How many arrows are in a row: one line each.
pub(crate) fn arrows(row: Node<'_, '_>) -> usize {
    let line = |it: &Node<'_, '_>| it.tag_name().name() == "path" && has(*it, "line") && !has(*it, "dots");
    row.descendants().filter(line).count()
}

/// The number of the message of a row.
pub(crate) fn number(row: Node<'_, '_>) -> Option<String> {
    let text = row.descendants().find(|it| it.tag_name().name() == "text" && has(*it, "t-on"))?;
    Some(words(text))
}

/// Nothing goes over an edge of the picture, nor from the lanes into what was checked.
pub(crate) fn fits(name: &str, document: &Document<'_>) {
    for node in document.descendants().filter(Node::is_element) {
        let number = |attribute| node.attribute(attribute).map_or(0.0, |it: &str| it.parse::<f64>().unwrap());
        match node.tag_name().name() {
            "text" => {
                let wide = width(node);
                let begin = number("x")
                    - if has(node, "mid") {
                        wide / 2.0
                    } else if has(node, "end") {
                        wide
                    } else {
                        0.0
                    };
                let end = begin + wide;
                let what = format!("{name}: {:?} from {begin:.0} to {end:.0}", words(node));
                assert!(begin >= 0.0 && end <= WIDTH - EDGE, "{what}");
                // Beside the lanes stands what was checked; titles and ends have the whole width.
                let beside = node.ancestors().any(|it| {
                    it.descendants().any(|it| it.tag_name().name() == "text" && has(it, "t-on"))
                        && matches!(it.tag_name().name(), "g" | "svg")
                        && it.parent().is_some_and(|it| matches!(it.tag_name().name(), "svg" | "td"))
                });
                assert!(!beside || begin >= COLUMN || end <= COLUMN, "{what} runs into what was checked");
            }
            "rect" | "circle" => {
                let end = number("x") + number("cx") + number("width") + number("r");
                assert!(end <= WIDTH, "{name}: {node:?} ends at {end}");
            }
            _ => {}
        }
    }
}

/// How wide a text is in Helvetica (and Courier's successors), in pixels.
fn width(text: Node<'_, '_>) -> f64 {
    let spans = text.descendants().filter(Node::is_text).map(|it| {
        let style = it.parent().unwrap();
        let size = [("s10", 10.0), ("s11", 11.0), ("s13", 13.0), ("s22", 22.0)];
        let size = size.iter().find(|(class, _)| has(style, class)).map_or(12.0, |(_, size)| *size);
        let mono = has(style, "c");
        let letters = it.text().unwrap_or_default().chars();
        let ems: f64 = letters.map(|it| if mono { 0.602 } else { em(it) }).sum();
        let gap = style.attribute("dx").map_or(0.0, |it| it.parse::<f64>().unwrap());
        ems * size * if has(style, "w") && !mono { 1.06 } else { 1.0 } + gap
    });
    spans.sum()
}

/// The advance widths of Helvetica, from the space to the tilde, in thousandths.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

fn em(letter: char) -> f64 {
    let place = (letter as usize).checked_sub(32).and_then(|place| HELVETICA.get(place));
    place.map_or(if letter == '§' { 0.556 } else { 1.0 }, |wide| f64::from(*wide) / 1000.0)
}

/// A colour of the style sheet by day, as red, green and blue.
pub(crate) fn colour(document: &Document<'_>, class: &str) -> [u8; 3] {
    let sheet: String = document
        .descendants()
        .filter(|it| it.tag_name().name() == "style")
        .filter_map(|it| it.text())
        .collect();
    for property in ["fill", "stroke", "color"] {
        let rule = format!(".{class}{{{property}:#");
        if let Some(at) = sheet.find(&rule) {
            let hex = &sheet[at + rule.len()..][..6];
            return [0, 2, 4].map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
        }
    }
    panic!("no colour for {class}")
}
