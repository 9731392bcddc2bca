//! The font that is built in: how wide texts are, and the outlines of their letters.
//!
//! What it has no letter for (names are the user's) takes the room of an `n` and is drawn as a box.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// A weight of the font.
pub(super) struct Font(Face<'static>);

static REGULAR: LazyLock<Font> =
    LazyLock::new(|| Font::of(include_bytes!("../../../fonts/Roboto-Regular.ttf")));
static MEDIUM: LazyLock<Font> =
    LazyLock::new(|| Font::of(include_bytes!("../../../fonts/Roboto-Medium.ttf")));

/// The font for text, or for what is to stand out.
pub(super) fn font(is_strong: bool) -> &'static Font {
    if is_strong { &MEDIUM } else { &REGULAR }
}

impl Font {
    fn of(bytes: &'static [u8]) -> Self {
        Self(Face::parse(bytes, 0).expect("the font that is built in is one"))
    }

    /// How wide `text` is at this size, in pixels.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.advance(letter)).sum::<f32>() * self.scale(size)
    }

    /// Tells `builder` the outlines of `text`, each moved to its place: `outline(letter's x in pixels, scale)`.
    pub(super) fn letters(&self, text: &str, size: f32, mut letter_at: impl FnMut(f32, f32, GlyphId)) {
        let scale = self.scale(size);
        let mut x = 0.0;
        for letter in text.chars() {
            letter_at(x, scale, self.0.glyph_index(letter).unwrap_or(GlyphId(0)));
            x += self.advance(letter) * scale;
        }
    }

    /// The outline of one letter, in the font's own units, upwards.
    pub(super) fn outline(&self, glyph: GlyphId, builder: &mut dyn OutlineBuilder) {
        let _ = self.0.outline_glyph(glyph, builder);
    }

    fn scale(&self, size: f32) -> f32 {
        size / f32::from(self.0.units_per_em())
    }

    fn advance(&self, letter: char) -> f32 {
        let glyph = self.0.glyph_index(letter).or_else(|| self.0.glyph_index('n')).unwrap_or(GlyphId(0));
        f32::from(self.0.glyph_hor_advance(glyph).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_width_and_strange_letters_take_room() {
        let width = |text: &str| font(false).width(text, 12.0);
        assert!(width("mmm") > width("iii") && width("iii") > 0.0);
        assert!(width("\u{4e2d}") > 0.0);
        assert!(font(true).width("native", 12.0) > width("native") * 0.95);
        for letter in "0123456789,.% abcxyzABCXYZµ–×±≥".chars() {
            assert!(font(false).0.glyph_index(letter).is_some(), "{letter} is missing");
        }
    }
}
