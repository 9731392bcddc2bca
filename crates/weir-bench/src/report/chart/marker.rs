//! A figure for each line, so that lines are told apart without their colours.

/// The corners of the figure of `style` around `at`; closed.
pub(super) fn corners(style: usize, at: (f32, f32), radius: f32) -> Vec<(f32, f32)> {
    type Figure = fn() -> Vec<(f32, f32)>;
    let figures: [Figure; 8] = [
        || polygon(16, 0.0, 1.0),
        || polygon(4, 45.0, 1.2),
        || polygon(3, -90.0, 1.35),
        || polygon(4, 0.0, 1.3),
        || polygon(3, 90.0, 1.35),
        || star(4, 45.0, 0.42),
        || star(5, -90.0, 0.45),
        || polygon(6, 0.0, 1.15),
    ];
    let unit = figures[style % figures.len()]();
    unit.into_iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect()
}

/// A regular polygon, its first corner at `turn` degrees.
fn polygon(corners: u16, turn: f32, radius: f32) -> Vec<(f32, f32)> {
    (0..corners).map(|corner| on_circle(f32::from(corner) / f32::from(corners), turn, radius)).collect()
}

/// A star whose inner corners are at `waist`.
fn star(tips: u16, turn: f32, waist: f32) -> Vec<(f32, f32)> {
    let radius = |corner: u16| if corner.is_multiple_of(2) { 1.5 } else { 1.5 * waist };
    (0..2 * tips)
        .map(|corner| on_circle(f32::from(corner) / f32::from(2 * tips), turn, radius(corner)))
        .collect()
}

fn on_circle(share: f32, turn: f32, radius: f32) -> (f32, f32) {
    let angle = share * std::f32::consts::TAU + turn.to_radians();
    (radius * angle.cos(), radius * angle.sin())
}
