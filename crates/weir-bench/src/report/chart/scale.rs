//! From values to places on an axis: a linear or a logarithmic map, with ticks at round numbers. Pure.

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    pub(super) is_logarithmic: bool,
    /// Where lines and labels are, ascending.
    pub(super) ticks: Vec<f64>,
}

/// From how many times the least the most is, on, a linear axis would press the small ones flat.
const LOGARITHMIC_FROM: f64 = 25.0;

/// Up to how many times the least the most is, ticks of a logarithmic axis are at 1, 2 and 5.
const SHORT: f64 = 300.0;

/// How many ticks a linear axis has, about.
const TICKS: f64 = 5.0;

impl Scale {
    /// An axis for amounts, which begins at 0 unless the amounts are too far apart for that.
    pub(super) fn of_amounts(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let most = positive.clone().fold(0.0, f64::max);
        let least = positive.fold(f64::INFINITY, f64::min);
        if most > 0.0 && most / least > LOGARITHMIC_FROM {
            return Self::logarithmic(least, most);
        }
        Self::linear(0.0, if most > 0.0 { most } else { 1.0 })
    }

    /// An axis for shares, which has 0 and 1 in it if they are not far.
    pub(super) fn of_shares(values: impl Iterator<Item = f64> + Clone) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let most = finite.clone().fold(f64::NEG_INFINITY, f64::max);
        let least = finite.fold(f64::INFINITY, f64::min);
        if most < least {
            return Self::linear(0.0, 1.0);
        }
        let from = if least > 0.8 { (least * 10.0).floor() / 10.0 } else { least.min(0.0) };
        Self::linear(from.min(0.9), most.max(if most > 0.5 { 1.0 } else { 0.1 }))
    }

    fn linear(from: f64, to: f64) -> Self {
        let step = round_step((to - from) / TICKS);
        let (first, last) = ((from / step).floor(), (to / step - 1e-9).ceil());
        let mut ticks = Vec::new();
        let mut at = first;
        while at <= last {
            ticks.push(at * step);
            at += 1.0;
        }
        Self { from: first * step, to: last * step, is_logarithmic: false, ticks }
    }

    fn logarithmic(least: f64, most: f64) -> Self {
        let (first, last) = (least.log10().floor(), (most.log10() - 1e-9).ceil());
        // Over few decades there are ticks at 2 and 5, too, and the axis ends at such a one.
        let is_short = most / least <= SHORT;
        let (from, to) = if is_short {
            (cut_below(least, first), cut_above(most, last))
        } else {
            (10_f64.powf(first), 10_f64.powf(last))
        };
        let factors: &[f64] = if is_short { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        let mut decade = first;
        while decade <= last {
            ticks.extend(factors.iter().map(|factor| factor * 10_f64.powf(decade)));
            decade += 1.0;
        }
        ticks.retain(|&tick| (from * 0.999..=to * 1.001).contains(&tick));
        Self { from, to, is_logarithmic: true, ticks }
    }

    /// Where `value` lies, 0 at the axis' beginning and 1 at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.is_logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        place.clamp(0.0, 1.0)
    }

    /// Whether it has a 0.
    pub(super) fn has_zero_inside(&self) -> bool {
        !self.is_logarithmic && self.from < 0.0 && self.to > 0.0
    }
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

fn cut_below(least: f64, decade: f64) -> f64 {
    let power = 10_f64.powf(decade);
    [5.0, 2.0].into_iter().map(|factor| factor * power).find(|&cut| cut <= least).unwrap_or(power)
}

fn cut_above(most: f64, decade: f64) -> f64 {
    let power = 10_f64.powf(decade);
    [0.2, 0.5].into_iter().map(|factor| factor * power).find(|&cut| cut >= most).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(values: &[f64]) -> Scale {
        Scale::of_amounts(values.iter().copied())
    }

    #[test]
    fn ticks_are_round_numbers_that_hold_all_values() {
        let scale = amounts(&[1234.0, 8_700.0]);
        assert_eq!(scale.ticks, [0.0, 2000.0, 4000.0, 6000.0, 8000.0, 10_000.0]);
        assert_eq!((scale.place(0.0), scale.place(5000.0), scale.place(1e9)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn amounts_far_apart_are_put_on_a_logarithmic_axis() {
        let scale = amounts(&[300.0, 15_000.0]);
        assert!(scale.is_logarithmic);
        assert_eq!(
            scale.ticks,
            [200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0].map(|tick: f64| tick)
        );
        assert!((scale.place(2000.0) - 0.5).abs() < 1e-9);
        let wide = amounts(&[3.0, 1e6]);
        assert_eq!(wide.ticks.len(), 7, "{:?}", wide.ticks);
    }

    #[test]
    fn shares_have_their_zero_or_are_looked_at_closely() {
        let shares = |values: &[f64]| Scale::of_shares(values.iter().copied());
        assert_eq!(shares(&[0.2, 0.85]).ticks.first(), Some(&0.0));
        assert_eq!(shares(&[0.2, 0.85]).ticks.last(), Some(&1.0));
        assert!(shares(&[0.92, 0.97]).ticks[0] >= 0.89);
        assert!(shares(&[-0.05, 0.3]).has_zero_inside());
    }

    #[test]
    fn nothing_and_nonsense_still_make_an_axis() {
        for values in [&[][..], &[0.0], &[f64::NAN], &[f64::INFINITY], &[-1.0]] {
            for scale in [amounts(values), Scale::of_shares(values.iter().copied())] {
                assert!(scale.ticks.len() >= 2, "{values:?}: {scale:?}");
                assert!((0.0..=1.0).contains(&scale.place(0.5)), "{values:?}: {scale:?}");
            }
        }
    }
}
