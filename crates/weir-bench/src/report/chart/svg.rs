//! A drawing as SVG. Its colours are CSS variables: in a page they follow the page, and a file of its own follows the
//! viewer's wish for light or dark.

use std::fmt::Write as _;

use super::palette::{all, class, pair};
use super::{Anchor, Drawing, Ink, Shape};
use crate::report::words::escape;

/// Fonts for text beside which the built-in one looks the same.
pub const FONTS: &str = "Roboto, 'Segoe UI', system-ui, -apple-system, 'Helvetica Neue', Arial, sans-serif";

/// Where the drawing will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a page that has [`style`] in its head.
    Page,
    /// In a file of its own.
    File,
}

/// Writes a drawing.
pub fn svg(drawing: &Drawing, place: Place) -> String {
    let Drawing { width, height, title, description, shapes } = drawing;
    let mut out = String::new();
    let space = match place {
        Place::Page => String::new(),
        Place::File => format!(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\""),
    };
    put(&mut out, format_args!("<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\"{space}>"));
    put(&mut out, format_args!("<title>{}</title><desc>{}</desc>", escape(title), escape(description)));
    if place == Place::File {
        put(&mut out, format_args!("<style>{}\n{}</style>", variables(".chart"), style()));
        put(&mut out, format_args!("<rect width=\"{width}\" height=\"{height}\" class=\"fill-paper\"/>"));
    }
    for shape in shapes {
        put(&mut out, format_args!("{}", one(shape)));
    }
    out.push_str("</svg>\n");
    out
}

/// The variables that hold the colours, for `selector`, light and dark.
pub fn variables(selector: &str) -> String {
    let list = |colour: fn(Ink) -> &'static str| {
        all().map(|ink| format!("--{}:{}", class(ink), colour(ink))).collect::<Vec<_>>().join(";")
    };
    let (light, dark) = (list(|ink| pair(ink).light), list(|ink| pair(ink).dark));
    format!("{selector}{{{light}}}\n@media screen and (prefers-color-scheme:dark){{{selector}{{{dark}}}}}")
}

/// The classes of a drawing's parts.
pub fn style() -> String {
    let classes = all().map(|ink| {
        let class = class(ink);
        format!(".stroke-{class}{{stroke:var(--{class})}}.fill-{class}{{fill:var(--{class})}}")
    });
    format!(
        ".chart{{font-family:{FONTS}}}.chart path,.chart polyline{{fill:none;stroke-linejoin:round;stroke-linecap:round}}\n{}",
        classes.collect::<String>()
    )
}

fn one(shape: &Shape) -> String {
    match shape {
        Shape::Path { points, ink, width, dash } => {
            let dash = dash.map_or(String::new(), |[on, off]| format!(" stroke-dasharray=\"{on} {off}\""));
            let class = class(*ink);
            format!(
                "<polyline class=\"stroke-{class}\" stroke-width=\"{width}\"{dash} points=\"{}\"/>",
                list(points)
            )
        }
        Shape::Area { points, ink, hint } => {
            let class = class(*ink);
            let points = list(points);
            match hint {
                None => format!("<polygon class=\"fill-{class}\" points=\"{points}\"/>"),
                Some(hint) => format!(
                    "<polygon class=\"fill-{class}\" points=\"{points}\"><title>{}</title></polygon>",
                    escape(hint)
                ),
            }
        }
        Shape::Text { at: (x, y), text, size, anchor, ink, is_strong } => {
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let weight = if *is_strong { " font-weight=\"500\"" } else { "" };
            let class = class(*ink);
            format!(
                "<text class=\"fill-{class}\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{anchor}{weight}>{}</text>",
                escape(text)
            )
        }
    }
}

fn list(points: &[(f32, f32)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes every write");
}
