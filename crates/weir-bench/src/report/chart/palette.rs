//! Colours: Okabe and Ito's eight, which the colour-blind can tell apart, on light and on dark paper.
//!
//! Their yellow can't be seen on white, so it is darkened; their blue can't on black, so it is lightened there.

use super::Ink;

/// A colour on light and on dark paper, as `#rrggbb`.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// On white.
    pub light: &'static str,
    /// On black.
    pub dark: &'static str,
}

/// Of lines. The first is for what the others are compared with: the paper's own ink.
pub const LINES: &[Pair] = &[
    Pair { light: "#1c2126", dark: "#eef1f4" },
    Pair { light: "#0072b2", dark: "#4aa8e8" },
    Pair { light: "#d55e00", dark: "#f07f2e" },
    Pair { light: "#009e73", dark: "#25c298" },
    Pair { light: "#cc79a7", dark: "#e09cc2" },
    Pair { light: "#e69f00", dark: "#f0b429" },
    Pair { light: "#56b4e9", dark: "#86cbf2" },
    Pair { light: "#a39400", dark: "#f0e442" },
];

/// Of everything else.
const PAPER: Pair = Pair { light: "#ffffff", dark: "#14181c" };
const TEXT: Pair = Pair { light: "#1c2126", dark: "#eef1f4" };
const QUIET: Pair = Pair { light: "#5b6670", dark: "#9aa7b2" };
const GRID: Pair = Pair { light: "#e4e8eb", dark: "#2a3138" };
const AXIS: Pair = Pair { light: "#9aa5ae", dark: "#5b6670" };

/// Lines from this one on share colours with the first ones, and are dashed.
pub const fn colours() -> usize {
    LINES.len()
}

pub(crate) fn pair(ink: Ink) -> Pair {
    match ink {
        Ink::Paper => PAPER,
        Ink::Text => TEXT,
        Ink::Quiet => QUIET,
        Ink::Grid => GRID,
        Ink::Axis => AXIS,
        Ink::Line(style) => LINES[style % LINES.len()],
    }
}

/// The class of an ink in SVG, and the name of its variable in CSS.
pub(crate) fn class(ink: Ink) -> String {
    match ink {
        Ink::Paper => "paper".into(),
        Ink::Text => "text".into(),
        Ink::Quiet => "quiet".into(),
        Ink::Grid => "grid".into(),
        Ink::Axis => "axis".into(),
        Ink::Line(style) => format!("line{}", style % LINES.len()),
    }
}

/// Every ink.
pub(crate) fn all() -> impl Iterator<Item = Ink> {
    [Ink::Paper, Ink::Text, Ink::Quiet, Ink::Grid, Ink::Axis]
        .into_iter()
        .chain((0..LINES.len()).map(Ink::Line))
}
