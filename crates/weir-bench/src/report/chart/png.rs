//! A drawing as PNG, on light paper, with the built-in font: the same on every machine.

use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};
use ttf_parser::OutlineBuilder;

use super::font::font;
use super::palette::pair;
use super::{Anchor, Drawing, Ink, Shape};

/// Dots for each of a drawing's pixels: sharp on today's screens.
const DOTS: f32 = 2.0;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("can't paint a picture of {width} by {height}: {why}")]
pub struct PngError {
    width: f32,
    height: f32,
    why: String,
}

/// Paints a drawing.
///
/// # Errors
/// When the picture is too large to be one.
pub fn png(drawing: &Drawing) -> Result<Vec<u8>, PngError> {
    let Drawing { width, height, .. } = *drawing;
    let refused = |why: &str| PngError { width, height, why: why.into() };
    let mut picture =
        Pixmap::new((width * DOTS) as u32, (height * DOTS) as u32).ok_or_else(|| refused("its size"))?;
    picture.fill(colour(Ink::Paper));
    for shape in &drawing.shapes {
        paint(&mut picture, shape);
    }
    picture.encode_png().map_err(|error| refused(&error.to_string()))
}

fn paint(picture: &mut Pixmap, shape: &Shape) {
    let dots = Transform::from_scale(DOTS, DOTS);
    match shape {
        Shape::Path { points, ink, width, dash } => {
            let Some(path) = path(points, false) else { return };
            let stroke = Stroke {
                width: *width,
                dash: dash.and_then(|dash| StrokeDash::new(dash.to_vec(), 0.0)),
                line_cap: tiny_skia::LineCap::Round,
                line_join: tiny_skia::LineJoin::Round,
                ..Stroke::default()
            };
            picture.stroke_path(&path, &brush(*ink), &stroke, dots, None);
        }
        Shape::Area { points, ink, hint: _ } => {
            let Some(path) = path(points, true) else { return };
            picture.fill_path(&path, &brush(*ink), FillRule::Winding, dots, None);
        }
        Shape::Text { at, text, size, anchor, ink, is_strong } => {
            let font = font(*is_strong);
            let back = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => font.width(text, *size) / 2.0,
                Anchor::End => font.width(text, *size),
            };
            font.letters(text, *size, |x, scale, glyph| {
                let mut letter = Letter(PathBuilder::new());
                font.outline(glyph, &mut letter);
                let Some(path) = letter.0.finish() else { return };
                // The font's letters stand upwards, a picture's lines go down.
                let place =
                    Transform::from_row(scale, 0.0, 0.0, -scale, at.0 - back + x, at.1).post_concat(dots);
                picture.fill_path(&path, &brush(*ink), FillRule::Winding, place, None);
            });
        }
    }
}

fn path(points: &[(f32, f32)], is_closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(x, y);
        } else {
            builder.line_to(x, y);
        }
    }
    if is_closed {
        builder.close();
    }
    builder.finish()
}

fn brush(ink: Ink) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour(ink));
    paint.anti_alias = true;
    paint
}

fn colour(ink: Ink) -> Color {
    let part = |from: usize| u8::from_str_radix(&pair(ink).light[from..from + 2], 16).unwrap_or(0);
    Color::from_rgba8(part(1), part(3), part(5), u8::MAX)
}

struct Letter(PathBuilder);

impl OutlineBuilder for Letter {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}
