//! Where everything of a chart stands. Pure: the same chart is the same drawing.

use super::font::font;
use super::scale::Scale;
use super::{Anchor, Chart, Drawing, Ink, Line, Point, Shape, Unit, marker, palette};
use crate::report::words;

const WIDTH: f32 = 920.0;
const HEIGHT: f32 = 460.0;
const TITLE_SIZE: f32 = 18.0;
const TEXT_SIZE: f32 = 13.0;
const TOP: f32 = 78.0;
const BOTTOM: f32 = 58.0;
const EDGE: f32 = 16.0;
/// Between two names at the lines' ends.
const NAME_STEP: f32 = 18.0;
/// From the last point to the names.
const NAME_GAP: f32 = 26.0;
const MARKER: f32 = 4.2;
/// Names are cut here, or no room is left for the lines.
const NAME_CHARS_MAX: usize = 28;

/// Draws a chart.
pub fn layout(chart: &Chart) -> Drawing {
    let plot = Plot::of(chart);
    let mut shapes = Vec::new();
    plot.title(chart, &mut shapes);
    plot.grid(chart, &mut shapes);
    for line in &chart.lines {
        plot.line(line, &mut shapes);
    }
    for line in &chart.lines {
        plot.markers(chart, line, &mut shapes);
    }
    plot.names(chart, &mut shapes);
    Drawing {
        width: WIDTH,
        height: HEIGHT,
        title: chart.title.clone(),
        description: description(chart),
        shapes,
    }
}

/// The area within the axes.
struct Plot {
    left: f32,
    right: f32,
    scale: Scale,
    places: usize,
}

impl Plot {
    fn of(chart: &Chart) -> Self {
        let points = chart.lines.iter().flat_map(|line| line.points.iter().flatten());
        let values = points.flat_map(|point| [point.value, point.between.0, point.between.1]);
        let scale = match chart.unit {
            Unit::Count | Unit::Megabits => Scale::of_amounts(values),
            Unit::Percent => Scale::of_shares(values),
        };
        let wide = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|text| font(false).width(&text, TEXT_SIZE)).fold(0.0, f32::max)
        };
        let ticks = wide(&mut scale.ticks.iter().map(|&tick| tick_text(chart.unit, tick)));
        let names = wide(&mut chart.lines.iter().map(name_of));
        let left = EDGE + ticks + 12.0;
        let right = WIDTH - EDGE - names - NAME_GAP - 14.0;
        Self { left, right, scale, places: chart.places.len() }
    }

    fn title(&self, chart: &Chart, shapes: &mut Vec<Shape>) {
        let note = if self.scale.is_logarithmic { ", logarithmic" } else { "" };
        shapes.push(text((EDGE, 30.0), &chart.title, TITLE_SIZE, Anchor::Start, Ink::Text, true));
        let subtitle = format!("{}{note}", chart.subtitle);
        shapes.push(text((EDGE, 51.0), &subtitle, TEXT_SIZE, Anchor::Start, Ink::Quiet, false));
    }

    fn grid(&self, chart: &Chart, shapes: &mut Vec<Shape>) {
        for (index, &tick) in self.scale.ticks.iter().enumerate() {
            let y = self.y(tick);
            let is_zero = self.scale.has_zero_inside() && tick.abs() < 1e-9;
            let ink = if index == 0 || is_zero { Ink::Axis } else { Ink::Grid };
            shapes.push(Shape::Path {
                points: vec![(self.left, y), (self.right, y)],
                ink,
                width: 1.0,
                dash: None,
            });
            let label = tick_text(chart.unit, tick);
            let at = (self.left - 10.0, y + 4.5);
            shapes.push(text(at, &label, TEXT_SIZE, Anchor::End, Ink::Quiet, false));
        }
        for (place, label) in chart.places.iter().enumerate() {
            let at = (self.x(place), HEIGHT - BOTTOM + 22.0);
            shapes.push(text(at, label, TEXT_SIZE, Anchor::Middle, Ink::Quiet, false));
        }
        let at = ((self.left + self.right) / 2.0, HEIGHT - BOTTOM + 43.0);
        shapes.push(text(at, &chart.places_are, TEXT_SIZE, Anchor::Middle, Ink::Quiet, false));
    }

    fn line(&self, line: &Line, shapes: &mut Vec<Shape>) {
        let ink = Ink::Line(line.style);
        let width = if line.style == 0 { 2.6 } else { 2.0 };
        let dash = (line.style >= palette::colours()).then_some([7.0, 4.0]);
        // What was not measured is a gap, not a line across.
        for run in line.points.split(Option::is_none).filter(|run| run.len() > 1) {
            let first = run.as_ptr_range().start;
            let offset = line.points.iter().position(|point| std::ptr::eq(point, first)).unwrap_or(0);
            let at = |(index, point): (usize, &Option<Point>)| {
                point.map(|point| (self.x(offset + index), self.y(point.value)))
            };
            let points = run.iter().enumerate().filter_map(at).collect();
            shapes.push(Shape::Path { points, ink, width, dash });
        }
        for (place, point) in line.points.iter().enumerate() {
            let Some(Point { between: (low, high), .. }) = *point else { continue };
            let (x, top, bottom) = (self.x(place), self.y(high), self.y(low));
            if bottom - top > 2.0 * MARKER {
                shapes.push(Shape::Path { points: vec![(x, top), (x, bottom)], ink, width: 1.0, dash: None });
                for y in [top, bottom] {
                    let points = vec![(x - 3.5, y), (x + 3.5, y)];
                    shapes.push(Shape::Path { points, ink, width: 1.0, dash: None });
                }
            }
        }
    }

    fn markers(&self, chart: &Chart, line: &Line, shapes: &mut Vec<Shape>) {
        for (place, point) in line.points.iter().enumerate() {
            let Some(point) = point else { continue };
            let at = (self.x(place), self.y(point.value));
            let label = chart.places.get(place).map_or("", String::as_str);
            let hint = format!("{}, {label}: {}", line.name, value_text(chart.unit, point.value));
            // A rim of paper keeps figures apart where lines cross.
            let rim = marker::corners(line.style, at, MARKER + 1.4);
            shapes.push(Shape::Area { points: rim, ink: Ink::Paper, hint: None });
            let points = marker::corners(line.style, at, MARKER);
            shapes.push(Shape::Area { points, ink: Ink::Line(line.style), hint: Some(hint) });
        }
    }

    /// The names at the lines' ends, moved apart where they would cover each other.
    fn names(&self, chart: &Chart, shapes: &mut Vec<Shape>) {
        let end = |line: &Line| {
            let place = line.points.iter().rposition(Option::is_some)?;
            Some((self.x(place), self.y(line.points[place]?.value)))
        };
        let mut ends: Vec<(&Line, (f32, f32))> =
            chart.lines.iter().filter_map(|line| Some((line, end(line)?))).collect();
        ends.sort_by(|one, two| one.1.1.total_cmp(&two.1.1));
        let wished: Vec<f32> = ends.iter().map(|(_, (_, y))| *y).collect();
        let given = spread(&wished, NAME_STEP, TOP - 8.0, HEIGHT - 12.0);
        for ((line, (x, y)), name_y) in ends.into_iter().zip(given) {
            let ink = Ink::Line(line.style);
            let from = self.right + NAME_GAP - 8.0;
            let points = vec![(x + MARKER + 3.0, y), (self.right + 8.0, y), (from, name_y)];
            shapes.push(Shape::Path { points, ink, width: 1.0, dash: Some([2.0, 2.0]) });
            let points = marker::corners(line.style, (from + 6.0, name_y), MARKER);
            shapes.push(Shape::Area { points, ink, hint: None });
            let at = (from + 16.0, name_y + 4.5);
            shapes.push(text(at, &name_of(line), TEXT_SIZE, Anchor::Start, Ink::Text, line.style == 0));
        }
    }

    fn x(&self, place: usize) -> f32 {
        let share = (place as f32 + 0.5) / self.places.max(1) as f32;
        self.left + share * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f32 {
        let from = HEIGHT - BOTTOM;
        from - self.scale.place(value) as f32 * (from - TOP)
    }
}

fn text(at: (f32, f32), text: &str, size: f32, anchor: Anchor, ink: Ink, is_strong: bool) -> Shape {
    Shape::Text { at, text: text.into(), size, anchor, ink, is_strong }
}

fn name_of(line: &Line) -> String {
    words::cut(&line.name, NAME_CHARS_MAX)
}

fn tick_text(unit: Unit, tick: f64) -> String {
    match unit {
        Unit::Count => words::count(tick),
        Unit::Megabits => words::megabits(tick),
        Unit::Percent => words::percent_round(tick),
    }
}

fn value_text(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => words::count(value),
        Unit::Megabits => words::megabits(value),
        Unit::Percent => words::percent(value),
    }
}

/// Ascending places as near to the wished ones as they can be, `step` apart and between `top` and `bottom`.
fn spread(wished: &[f32], step: f32, top: f32, bottom: f32) -> Vec<f32> {
    let Some(last) = wished.len().checked_sub(1) else { return Vec::new() };
    // Where there are too many for that, they come closer.
    let step = if last == 0 { step } else { step.min((bottom - top) / last as f32) };
    // Without the steps between them, places only must not descend: neighbours that do are pooled at their mean,
    // which is the nearest that they can be (isotonic regression).
    let mut pools: Vec<(f32, usize)> = Vec::new();
    for (index, y) in wished.iter().enumerate() {
        let mut pool = (y - index as f32 * step, 1);
        while let Some(&(mean, count)) = pools.last().filter(|(mean, _)| *mean > pool.0) {
            pool = ((mean * count as f32 + pool.0 * pool.1 as f32) / (count + pool.1) as f32, count + pool.1);
            pools.pop();
        }
        pools.push(pool);
    }
    let lowest = bottom - last as f32 * step;
    let level =
        pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean.min(lowest).max(top), count));
    level.enumerate().map(|(index, y)| y + index as f32 * step).collect()
}

/// The chart in words.
fn description(chart: &Chart) -> String {
    let line = |line: &Line| {
        let values = line.points.iter().zip(&chart.places).filter_map(|(point, place)| {
            point.map(|point| format!("{place}: {}", value_text(chart.unit, point.value)))
        });
        format!("{}: {}", line.name, values.collect::<Vec<_>>().join(", "))
    };
    format!("{}. {}", chart.subtitle, chart.lines.iter().map(line).collect::<Vec<_>>().join(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_moved_apart_and_stay_in_order_and_inside() {
        for wished in
            [vec![], vec![50.0], vec![100.0, 101.0, 102.0], vec![10.0, 300.0, 300.0], vec![200.0; 30]]
        {
            let given = spread(&wished, 18.0, 70.0, 400.0);
            assert_eq!(given.len(), wished.len());
            let step = 18.0_f32.min(330.0 / wished.len().max(2) as f32);
            assert!(given.windows(2).all(|pair| pair[1] - pair[0] > step - 0.1), "{given:?}");
            assert!(given.iter().all(|y| (69.0..=401.0).contains(y)), "{given:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_a_gap() {
        let point = |value: f64| Some(Point { value, between: (value, value) });
        let points = vec![point(1.0), point(2.0), None, point(3.0), None, point(5.0), point(6.0)];
        let places = (0..7).map(|place| place.to_string()).collect();
        let chart = Chart {
            name: "c".into(),
            title: "t".into(),
            subtitle: String::new(),
            places,
            places_are: String::new(),
            unit: Unit::Count,
            lines: vec![Line { name: "a".into(), style: 1, points }],
        };
        let drawing = layout(&chart);
        let runs: Vec<usize> = drawing
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Path { points, ink: Ink::Line(1), dash: None, .. } => Some(points.len()),
                Shape::Path { .. } | Shape::Area { .. } | Shape::Text { .. } => None,
            })
            .collect();
        assert_eq!(runs, [2, 2]);
    }
}
