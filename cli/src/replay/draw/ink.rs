//! Text in a picture: escaped, measured, and put on lines. Nothing measures the reader's font, so widths are estimated
//! for a wide one.

use std::fmt::Write as _;

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The classes of the style sheet.
    pub(super) class: &'static str,
    /// In pixels.
    pub(super) size: usize,
    pub(super) mono: bool,
    pub(super) bold: bool,
}

impl Look {
    pub(super) const fn sans(class: &'static str, size: usize) -> Self {
        Self { class, size, mono: false, bold: false }
    }

    pub(super) const fn mono(class: &'static str, size: usize) -> Self {
        Self { class, size, mono: true, bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    fn classes(self) -> String {
        let size = match self.size {
            10 => " s10",
            11 => " s11",
            13 => " s13",
            22 => " s22",
            _ => "",
        };
        let (mono, bold) = (if self.mono { " c" } else { "" }, if self.bold { " w" } else { "" });
        format!("{}{size}{mono}{bold}", self.class)
    }
}

/// A run of text that looks alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) look: Look,
}

impl Span {
    pub(super) fn new(text: impl Into<String>, look: Look) -> Self {
        Self { text: text.into(), look }
    }

    fn width(&self) -> usize {
        width(&self.text, self.look)
    }
}

/// Spans that stay together.
pub(super) type Word = Vec<Span>;
/// Words with a gap between them.
pub(super) type Line = Vec<Word>;

/// The gap between words, in pixels.
const GAP: usize = 9;

/// Text for XML, in content and in attributes. What no document may hold becomes U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

/// How wide a text is, in pixels.
pub(super) fn width(text: &str, look: Look) -> usize {
    let hundredths: usize = text.chars().map(|letter| em(letter, look.mono)).sum();
    let hundredths = if look.bold { hundredths.saturating_mul(106) / 100 } else { hundredths };
    hundredths.saturating_mul(look.size).div_ceil(100)
}

fn em(letter: char, mono: bool) -> usize {
    match letter {
        _ if !letter.is_ascii() && letter > '\u{2e7f}' => 105,
        _ if mono => 61,
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | 'I' => 32,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '`' => 42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 92,
        'A'..='Z' => 70,
        _ => 61,
    }
}

/// Text cut to a width, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, look: Look, room: usize) -> String {
    if width(text, look) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    for letter in text.chars() {
        out.push(letter);
        if width(&out, look).saturating_add(look.size) > room {
            out.pop();
            break;
        }
    }
    out.push('…');
    out
}

/// Words on lines that are not wider than `room`; at most `most` lines.
pub(super) fn filled(words: Vec<Word>, room: usize, most: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let (mut line, mut used) = (Line::new(), 0_usize);
    for mut word in words {
        let mut wide: usize = word.iter().map(Span::width).sum();
        if wide > room {
            let before: usize = word.iter().rev().skip(1).map(Span::width).sum();
            if let Some(last) = word.last_mut() {
                last.text = cut(&last.text, last.look, room.saturating_sub(before));
            }
            wide = room;
        }
        if !line.is_empty() && used.saturating_add(GAP).saturating_add(wide) > room {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        used = used.saturating_add(wide).saturating_add(if line.is_empty() { 0 } else { GAP });
        line.push(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let look = last.last().and_then(|word| word.last()).map(|span| span.look);
            last.extend(look.map(|look| vec![Span::new("…", look)]));
        }
    }
    lines
}

/// Running text on lines: broken at spaces, and where there are none, anywhere.
pub(super) fn wrapped(text: &str, look: Look, room: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, look) <= room {
            *line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for letter in word.chars() {
            let Some(line) = lines.last_mut() else { break };
            line.push(letter);
            if width(line, look) > room {
                line.pop();
                lines.push(letter.to_string());
            }
        }
        if lines.len() > most {
            break;
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

/// A line of text at a place.
pub(super) fn line(out: &mut String, x: usize, y: usize, line: &Line) {
    let _ = write!(out, "<text class=\"t-halo\" x=\"{x}\" y=\"{y}\">");
    for (place, word) in line.iter().enumerate() {
        for (first, span) in word.iter().enumerate() {
            let gap = if place > 0 && first == 0 { format!(" dx=\"{GAP}\"") } else { String::new() };
            let _ =
                write!(out, "<tspan class=\"{}\"{gap}>{}</tspan>", span.look.classes(), escaped(&span.text));
        }
    }
    out.push_str("</text>");
}

/// One text at a place. `extra`: classes besides.
pub(super) fn text(out: &mut String, x: usize, y: usize, look: Look, extra: &str, text: &str) {
    let classes = look.classes();
    let _ = write!(out, "<text class=\"{classes} {extra}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look::sans("t-ink", 12);

    #[test]
    fn nothing_escapes() {
        assert_eq!(
            escaped("<a b='c' d=\"e\">&\u{ffff}\u{1b}\n"),
            "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn lines_have_a_width_and_a_number() {
        for text in ["a few words that go on and on", &"x".repeat(1000), &"字".repeat(1000), "", "  "] {
            let lines = wrapped(text, LOOK, 100, 5);
            assert!((1..=5).contains(&lines.len()), "{lines:?}");
            assert!(lines.iter().all(|line| width(line, LOOK) <= 100 + 12), "{lines:?}");
            assert!(width(&cut(text, LOOK, 50), LOOK) <= 50 + 12);
        }
        let words =
            |count: usize| (0..count).map(|_| vec![Span::new("a=", LOOK), Span::new("x".repeat(90), LOOK)]);
        let lines = filled(words(9).collect(), 100, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[0][0][1].text.ends_with('…'));
    }
}
