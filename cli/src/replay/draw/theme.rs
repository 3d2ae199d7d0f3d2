//! Colours and type. Every colour is a class, so that one sheet serves light, dark and paper.

/// A class, what it colours, and how by day and by night.
const COLOURS: [(&str, &str, &str, &str); 38] = [
    ("bg", "fill", "#ffffff", "#10151c"),
    ("t-ink", "fill", "#1c2430", "#e6ebf2"),
    ("t-muted", "fill", "#667085", "#95a2b4"),
    ("t-accent", "fill", "#2f5bd7", "#8fb1ff"),
    ("t-good", "fill", "#15734a", "#5fd39b"),
    ("t-odd", "fill", "#8a5a00", "#e5b44a"),
    ("t-bad", "fill", "#c3282d", "#ff8080"),
    ("t-secret", "fill", "#7a3ea8", "#cfa6f7"),
    ("t-on", "fill", "#ffffff", "#10151c"),
    ("t-halo", "stroke", "#ffffff", "#10151c"),
    ("t-haze", "stroke", "#f2ecfa", "#241c31"),
    ("l-life", "stroke", "#d3d9e2", "#323d4b"),
    ("l-ink", "stroke", "#44505f", "#b9c4d2"),
    ("l-muted", "stroke", "#98a2b3", "#6b7889"),
    ("l-good", "stroke", "#2e9e6b", "#47b884"),
    ("l-odd", "stroke", "#c98a12", "#d8a43a"),
    ("l-bad", "stroke", "#d8383d", "#f26d6d"),
    ("l-accent", "stroke", "#7d9bea", "#5c7fd0"),
    ("f-ink", "fill", "#44505f", "#b9c4d2"),
    ("f-muted", "fill", "#98a2b3", "#6b7889"),
    ("f-good", "fill", "#2e9e6b", "#47b884"),
    ("f-odd", "fill", "#c98a12", "#d8a43a"),
    ("f-bad", "fill", "#d8383d", "#f26d6d"),
    ("f-accent", "fill", "#2f5bd7", "#8fb1ff"),
    ("b-lane", "fill", "#f5f7fa", "#19212b"),
    ("b-lane", "stroke", "#d3d9e2", "#364250"),
    ("b-band", "fill", "#eef2fb", "#1a2436"),
    ("b-good", "fill", "#e8f6ee", "#13291f"),
    ("b-good", "stroke", "#a9dcc2", "#2a5a45"),
    ("b-odd", "fill", "#fff6dd", "#2b2411"),
    ("b-odd", "stroke", "#ecd28f", "#665321"),
    ("b-bad", "fill", "#fdecec", "#331a1d"),
    ("b-bad", "stroke", "#f0b3b5", "#7a3539"),
    ("b-plain", "fill", "#f5f7fa", "#19212b"),
    ("b-plain", "stroke", "#d3d9e2", "#364250"),
    ("b-busy", "fill", "#c9d7f8", "#30477c"),
    ("b-beside", "fill", "#f2ecfa", "#241c31"),
    ("b-aside", "fill", "#d9c3ef", "#59407a"),
];

/// What does not change with the light.
const TYPE: &str = "\
text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px}\
.c{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\
.s11{font-size:11px}.s10{font-size:10px}.s13{font-size:13px}.s22{font-size:22px}.w{font-weight:600}\
.mid{text-anchor:middle}.end{text-anchor:end}.up{letter-spacing:.06em}\
.t-halo,.t-haze{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}\
.line{fill:none;stroke-width:1.4px}.dash{stroke-dasharray:5 4}.dots{stroke-dasharray:1 5;stroke-linecap:round}\
.thin{fill:none;stroke-width:1px}.thick{fill:none;stroke-width:3px}.glyph{fill:none;stroke-width:1.6px;stroke-linecap:round;stroke-linejoin:round}\
.box{stroke-width:1px}.flat{stroke:none}";

/// On paper: text with a stroke would be put into a PDF twice, so that what is found and copied has every word doubled, and
/// each letter with its outline takes fifteen times the room.
const PRINT: &str = "@media print{.t-halo,.t-haze{stroke:none}}";

/// The style sheet of everything that is drawn.
pub(super) fn sheet() -> String {
    let by = |night: bool| -> String {
        let rule = |(class, property, day, dark): &(&str, &str, &str, &str)| {
            format!(".{class}{{{property}:{}}}", if night { dark } else { day })
        };
        COLOURS.iter().map(rule).collect()
    };
    format!("{TYPE}{}@media screen and (prefers-color-scheme:dark){{{}}}{PRINT}", by(false), by(true))
}
