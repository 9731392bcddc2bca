//! Charts: one line a target over object sizes, drawn once as shapes ([`layout`]) and written as SVG ([`svg`]) or
//! painted as PNG ([`png`]).
//!
//! Made to be read in print, in the dark and by the colour-blind: Okabe and Ito's colours, a marker of its own for each
//! line, and names at the lines' ends instead of a legend. The usual libraries for charts draw in fixed colours and know
//! no names at the ends of lines; what is left to them, ticks and a linear map, is a page of code ([`scale`]).

mod font;
mod layout;
mod marker;
pub mod palette;
mod png;
mod scale;
pub mod svg;

pub use layout::layout;
pub use png::{PngError, png};

/// What a chart shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What its file is called, without an ending.
    pub name: String,
    /// What it says.
    pub title: String,
    /// What is counted, in a few words.
    pub subtitle: String,
    /// The labels along the bottom.
    pub places: Vec<String>,
    /// What these are.
    pub places_are: String,
    /// How values are written at the axis.
    pub unit: Unit,
    /// Lines, in the order of their colours.
    pub lines: Vec<Line>,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `12,500`.
    Count,
    /// Of bits a second, given in megabits: `940 Mbit/s`.
    Megabits,
    /// `84 %`, given as 0.84.
    Percent,
}

/// One target's line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The target's name.
    pub name: String,
    /// Which colour and marker it has in every chart.
    pub style: usize,
    /// One for each place; none where nothing was measured.
    pub points: Vec<Option<Point>>,
}

/// A value and how far the rounds lay apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The median.
    pub value: f64,
    /// The least and the most.
    pub between: (f64, f64),
}

impl Chart {
    /// Whether there is anything to see.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.iter().all(Option::is_none))
    }
}

/// Shapes on an area of this size, in pixels, the origin at the top left.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// Says what is to be seen to whoever can't see it.
    pub(crate) title: String,
    pub(crate) description: String,
    /// Back to front.
    pub(crate) shapes: Vec<Shape>,
}

/// One thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A line through these points.
    Path { points: Vec<(f32, f32)>, ink: Ink, width: f32, dash: Option<[f32; 2]> },
    /// A closed figure; with a hint that a browser shows at it.
    Area { points: Vec<(f32, f32)>, ink: Ink, hint: Option<String> },
    /// A word, with its baseline at this place.
    Text { at: (f32, f32), text: String, size: f32, anchor: Anchor, ink: Ink, is_strong: bool },
}

/// Which end of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A role, not a colour: what colour it is depends on the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The background itself.
    Paper,
    /// Text.
    Text,
    /// Text that may be overlooked.
    Quiet,
    /// The lines behind everything.
    Grid,
    /// The bottom line.
    Axis,
    /// A target's line.
    Line(usize),
}
