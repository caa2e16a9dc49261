//! A number: an exact fraction as long as it fits, floating point beyond.

use std::fmt;

/// The result of a step of the calculation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// `numerator / denominator`, in lowest terms, the denominator above 0.
    Exact(i128, i128),
    /// What does not fit, or has no exact value.
    Real(f64),
}

use Number::{Exact, Real};

impl Number {
    /// The value of a literal made of digits, at most one point and perhaps an exponent; `None` when it is too large.
    pub(crate) fn from_literal(text: &str) -> Option<Self> {
        exact_literal(text).or_else(|| text.parse().ok().map(Real)).filter(|number| number.real().is_finite())
    }

    fn real(self) -> f64 {
        match self {
            Exact(numerator, denominator) => numerator as f64 / denominator as f64,
            Real(value) => value,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        match self {
            Exact(numerator, _) => numerator == 0,
            Real(value) => value == 0.0,
        }
    }

    pub(crate) fn negated(self) -> Self {
        match self {
            Exact(numerator, denominator) => numerator.checked_neg().map(|n| Exact(n, denominator)),
            Real(_) => None,
        }
        .unwrap_or_else(|| Real(-self.real()))
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.exactly(other, |a, b, c, d| fraction(a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?, b.checked_mul(d)?))
            .unwrap_or_else(|| Real(self.real() + other.real()))
    }

    pub(crate) fn times(self, other: Self) -> Self {
        self.exactly(other, |a, b, c, d| fraction(a.checked_mul(c)?, b.checked_mul(d)?))
            .unwrap_or_else(|| Real(self.real() * other.real()))
    }

    /// `other` is not 0.
    pub(crate) fn divided_by(self, other: Self) -> Self {
        self.exactly(other, |a, b, c, d| fraction(a.checked_mul(d)?, b.checked_mul(c)?))
            .unwrap_or_else(|| Real(self.real() / other.real()))
    }

    /// The remainder, with the sign of `self`; `other` is not 0.
    pub(crate) fn remainder(self, other: Self) -> Self {
        self.exactly(other, |a, b, c, d| fraction(a.checked_mul(d)?.checked_rem(c.checked_mul(b)?)?, b.checked_mul(d)?))
            .unwrap_or_else(|| Real(self.real() % other.real()))
    }

    /// `self` to the power of `exponent`; `None` when that is no real number. `0 ^ -1` is the caller's to refuse.
    pub(crate) fn to_the(self, exponent: Self) -> Option<Self> {
        if let (Exact(a, b), Exact(exponent, 1)) = (self, exponent)
            && let Some(power) = whole_power(a, b, exponent)
        {
            return Some(power);
        }
        let value = self.real().powf(exponent.real());
        (!value.is_nan()).then_some(Real(value))
    }

    /// Whether it is too large to be written.
    pub(crate) fn is_infinite(self) -> bool {
        !self.real().is_finite()
    }

    pub(crate) fn is_negative(self) -> bool {
        self.real() < 0.0
    }

    fn exactly(self, other: Self, work: impl FnOnce(i128, i128, i128, i128) -> Option<Self>) -> Option<Self> {
        match (self, other) {
            (Exact(a, b), Exact(c, d)) => work(a, b, c, d),
            _ => None,
        }
    }
}

/// A fraction in lowest terms.
fn fraction(numerator: i128, denominator: i128) -> Option<Number> {
    let divisor = i128::try_from(common_divisor(numerator.unsigned_abs(), denominator.unsigned_abs())).ok()?;
    let (numerator, denominator) = (numerator.checked_div(divisor)?, denominator.checked_div(divisor)?);
    if denominator < 0 {
        return Some(Exact(numerator.checked_neg()?, denominator.checked_neg()?));
    }
    Some(Exact(numerator, denominator))
}

const fn common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn whole_power(a: i128, b: i128, exponent: i128) -> Option<Number> {
    let magnitude = u32::try_from(exponent.unsigned_abs()).ok()?;
    let (a, b) = (a.checked_pow(magnitude)?, b.checked_pow(magnitude)?);
    if exponent < 0 { fraction(b, a) } else { fraction(a, b) }
}

fn exact_literal(text: &str) -> Option<Number> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole
        .bytes()
        .chain(decimals.bytes())
        .try_fold(0_i128, |value, digit| value.checked_mul(10)?.checked_add(i128::from(digit.checked_sub(b'0')?)))?;
    let scale = exponent.checked_sub(i32::try_from(decimals.len()).ok()?)?;
    let power = 10_i128.checked_pow(scale.unsigned_abs())?;
    if scale < 0 { fraction(digits, power) } else { fraction(digits.checked_mul(power)?, 1) }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exact(numerator, 1) => write!(f, "{numerator}"),
            Exact(numerator, denominator) => match decimals(numerator, denominator) {
                Some(text) => f.write_str(&text),
                None => write_rounded(f, self.real()),
            },
            Real(value) => write_rounded(f, value),
        }
    }
}

/// The digits of a fraction that ends after at most [`DECIMALS_MAX`] places.
fn decimals(numerator: i128, denominator: i128) -> Option<String> {
    let denominator = denominator.unsigned_abs();
    let magnitude = numerator.unsigned_abs();
    let mut text = format!("{}{}.", if numerator < 0 { "-" } else { "" }, magnitude / denominator);
    let mut rest = magnitude % denominator;
    for _ in 0..DECIMALS_MAX {
        let shifted = rest.checked_mul(10)?;
        text.push(char::from_digit((shifted / denominator) as u32, 10)?);
        rest = shifted % denominator;
        if rest == 0 {
            return Some(text);
        }
    }
    None
}

/// Fifteen significant digits, which floating point always has, without trailing zeros.
fn write_rounded(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let rounded: f64 = format!("{value:.14e}").parse().map_err(|_| fmt::Error)?;
    if (1e-7..1e21).contains(&rounded.abs()) || rounded == 0.0 {
        write!(f, "{rounded}")
    } else {
        write!(f, "{rounded:e}")
    }
}

/// Places after the point that are still written in full.
const DECIMALS_MAX: u32 = 20;
