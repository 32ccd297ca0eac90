//! From what plotters writes to what a page shows.
//!
//! Why after the fact: plotters knows fixed colours and sizes only. Each colour of [`Ink`] is unique, so
//! replacing its text is safe.

use plotters::style::RGBColor;

/// Units of the drawing per CSS pixel: plotters places things at whole units.
pub const FINE: i32 = 4;
/// Font size, CSS pixels.
pub const FONT_PX: f64 = 13.0;
/// Mean width of a character over the font's size, on the wide side.
const CHAR_EM: f64 = 0.58;

/// Who a colour belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    Muted,
    Grid,
    /// The page behind: for the inside of hollow points.
    Paper,
    /// One of the Okabe-Ito colours, safe for colour-blind readers; counted modulo their number.
    Series(usize),
}

/// Okabe and Ito's set, without its yellow (unreadable on white) and black (the text's).
const PALETTE: [(u8, u8, u8); 6] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233)];
const TEXT: (u8, u8, u8) = (0x1f, 0x24, 0x2a);
const MUTED: (u8, u8, u8) = (0x5d, 0x66, 0x70);
const GRID: (u8, u8, u8) = (0xde, 0xe1, 0xe5);
const PAPER: (u8, u8, u8) = (0xff, 0xff, 0xfe);

/// Series that a chart can tell apart.
pub const SERIES_MAX: usize = PALETTE.len();

/// Rules for a page that embeds charts; they need the properties `--ink`, `--muted`, `--grid`, `--paper`
/// and `--c0` to `--c5`.
pub const CSS: &str = "\
.f-ink{fill:var(--ink)}.f-muted{fill:var(--muted)}.f-grid{fill:var(--grid)}.f-paper{fill:var(--paper)}\
.s-ink{stroke:var(--ink)}.s-muted{stroke:var(--muted)}.s-grid{stroke:var(--grid)}.s-paper{stroke:var(--paper)}\
.f-0{fill:var(--c0)}.f-1{fill:var(--c1)}.f-2{fill:var(--c2)}.f-3{fill:var(--c3)}.f-4{fill:var(--c4)}.f-5{fill:var(--c5)}\
.s-0{stroke:var(--c0)}.s-1{stroke:var(--c1)}.s-2{stroke:var(--c2)}.s-3{stroke:var(--c3)}.s-4{stroke:var(--c4)}.s-5{stroke:var(--c5)}";

impl Ink {
    pub fn color(self) -> RGBColor {
        let (r, g, b) = self.rgb();
        RGBColor(r, g, b)
    }

    fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Text => TEXT,
            Self::Muted => MUTED,
            Self::Grid => GRID,
            Self::Paper => PAPER,
            Self::Series(i) => PALETTE[i % SERIES_MAX],
        }
    }

    fn class(self) -> String {
        match self {
            Self::Text => "ink".to_owned(),
            Self::Muted => "muted".to_owned(),
            Self::Grid => "grid".to_owned(),
            Self::Paper => "paper".to_owned(),
            Self::Series(i) => i.to_string(),
        }
    }
}

/// Width of a text, CSS pixels.
pub fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * FONT_PX * CHAR_EM
}

/// Plotters' text as an element that fills its container, follows the theme and has a name for readers
/// who do not see it.
pub fn finish(drawn: &str, size: (i32, i32), title: &str) -> String {
    let inks = [Ink::Text, Ink::Muted, Ink::Grid, Ink::Paper].into_iter();
    let mut text = drawn.to_owned();
    for ink in inks.chain((0..SERIES_MAX).map(Ink::Series)) {
        let (r, g, b) = ink.rgb();
        let class = ink.class();
        for (attribute, kind) in [("fill", "f"), ("stroke", "s")] {
            let from = format!("{attribute}=\"#{r:02X}{g:02X}{b:02X}\"");
            text = text.replace(&from, &format!("{from} class=\"{kind}-{class}\""));
        }
    }
    let body = text.split_once('>').map_or("", |(_, rest)| rest);
    let (width, height) = (size.0 * FINE, size.1 * FINE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"100%\" \
         role=\"img\" stroke-linejoin=\"round\" stroke-linecap=\"round\" aria-label=\"{}\">{body}",
        escape(title)
    )
}

/// The element with a background, a fixed size and its title above.
pub fn standalone(svg: &str, title: &str) -> String {
    const HEAD_PX: i32 = 30;
    let Some((head, body)) = svg.split_once('>') else { return svg.to_owned() };
    let view = head.split("viewBox=\"0 0 ").nth(1).and_then(|rest| rest.split('"').next());
    let mut sides = view.unwrap_or_default().split(' ').map(|side| side.parse::<i32>().unwrap_or(0));
    let (width, height) = (sides.next().unwrap_or(0), sides.next().unwrap_or(0));
    let top = HEAD_PX * FINE;
    let total = height + top;
    // A long title is pressed together rather than cut off.
    let room = f64::from(width / FINE) - 16.0;
    let needed = text_width(title) * 14.0 / FONT_PX;
    let fit = if needed > room {
        format!(" textLength=\"{:.0}\" lengthAdjust=\"spacingAndGlyphs\"", room * f64::from(FINE))
    } else {
        String::new()
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 {} {width} {total}\" width=\"{}\" height=\"{}\" \
         stroke-linejoin=\"round\" stroke-linecap=\"round\">\n\
         <rect x=\"0\" y=\"{}\" width=\"{width}\" height=\"{total}\" fill=\"#FFFFFF\"/>\n\
         <text x=\"{}\" y=\"{}\" font-family=\"system-ui, sans-serif\" font-size=\"{}\" font-weight=\"600\" \
         fill=\"#1F242A\"{fit}>{}</text>{body}",
        -top,
        width / FINE,
        total / FINE,
        -top,
        8 * FINE,
        -10 * FINE,
        14 * FINE,
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
