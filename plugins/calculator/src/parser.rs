//! Reads an expression and evaluates it on the way.
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = signed { ("*" | "/" | "%") signed }
//! signed  = ("+" | "-") signed | power
//! power   = atom [ "^" signed ]          so -2^2 is -4, 2^3^2 is 512 and 2^-1 is 0.5
//! atom    = number | "(" sum ")"
//! ```

use crate::number::Number;
use std::fmt;

/// The value of an expression, as text: exact for whole numbers and for decimals that end.
///
/// # Errors
/// What is wrong, and at which character.
pub fn evaluate(expression: &str) -> Result<String, Error> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(Error::TooLong { len: expression.len(), limit: EXPRESSION_BYTES_MAX });
    }
    let mut parser = Parser { text: expression, at: 0, depth: 0 };
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(value.to_string()),
        Some(found) => Err(Error::Unexpected { found, position: parser.position() }),
    }
}

/// Why an expression has no value. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A character that cannot stand here.
    Unexpected {
        /// The character.
        found: char,
        /// Where.
        position: usize,
    },
    /// A number or a parenthesis is missing at the end.
    Unfinished {
        /// Where the expression ends.
        position: usize,
    },
    /// A number that cannot be read.
    BadNumber {
        /// Where it begins.
        position: usize,
    },
    /// Division by zero, or the remainder of one.
    DivisionByZero {
        /// Where the operator stands.
        position: usize,
    },
    /// A root of a negative number.
    NotReal {
        /// Where the operator stands.
        position: usize,
    },
    /// A value beyond the largest floating-point number.
    TooLarge {
        /// Where the operator stands.
        position: usize,
    },
    /// Too many parentheses or signs inside each other.
    TooDeep {
        /// Where.
        position: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The expression is too long.
    TooLong {
        /// Its bytes.
        len: usize,
        /// How many are allowed.
        limit: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { found, position } => {
                write!(f, "unexpected {found:?} at character {position}; use numbers, + - * / % ^ and parentheses only")
            }
            Self::Unfinished { position } => {
                write!(f, "the expression ends too early, at character {position}; a number or `)` is missing")
            }
            Self::BadNumber { position } => write!(f, "the number at character {position} cannot be read"),
            Self::DivisionByZero { position } => write!(f, "division by zero at character {position}"),
            Self::NotReal { position } => {
                write!(f, "the power at character {position} of a negative number is not a real number")
            }
            Self::TooLarge { position } => write!(f, "the value at character {position} is too large"),
            Self::TooDeep { position, limit } => {
                write!(f, "more than {limit} parentheses or signs inside each other at character {position}")
            }
            Self::TooLong { len, limit } => write!(f, "the expression has {len} bytes, {limit} are allowed"),
        }
    }
}

impl std::error::Error for Error {}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Number, Error> {
        let mut value = self.product()?;
        loop {
            let position = self.position();
            value = match self.peek() {
                Some('+') => {
                    self.take();
                    value.plus(self.product()?)
                }
                Some('-') => {
                    self.take();
                    value.plus(self.product()?.negated())
                }
                _ => return Ok(value),
            };
            limited(value, position)?;
        }
    }

    fn product(&mut self) -> Result<Number, Error> {
        let mut value = self.signed()?;
        loop {
            let position = self.position();
            let Some(operator @ ('*' | '/' | '%')) = self.peek() else { return Ok(value) };
            self.take();
            let other = self.signed()?;
            if operator != '*' && other.is_zero() {
                return Err(Error::DivisionByZero { position });
            }
            value = match operator {
                '*' => value.times(other),
                '/' => value.divided_by(other),
                _ => value.remainder(other),
            };
            limited(value, position)?;
        }
    }

    fn signed(&mut self) -> Result<Number, Error> {
        match self.peek() {
            Some(sign @ ('+' | '-')) => {
                self.take();
                let value = self.deeper(Self::signed)?;
                Ok(if sign == '-' { value.negated() } else { value })
            }
            _ => self.power(),
        }
    }

    fn power(&mut self) -> Result<Number, Error> {
        let base = self.atom()?;
        let position = self.position();
        if self.peek() != Some('^') {
            return Ok(base);
        }
        self.take();
        let exponent = self.deeper(Self::signed)?;
        if base.is_zero() && exponent.is_negative() {
            return Err(Error::DivisionByZero { position });
        }
        limited(base.to_the(exponent).ok_or(Error::NotReal { position })?, position)
    }

    fn atom(&mut self) -> Result<Number, Error> {
        match self.peek() {
            Some('(') => {
                self.take();
                let value = self.deeper(Self::sum)?;
                match self.peek() {
                    Some(')') => {
                        self.take();
                        Ok(value)
                    }
                    Some(found) => Err(Error::Unexpected { found, position: self.position() }),
                    None => Err(Error::Unfinished { position: self.position() }),
                }
            }
            Some('0'..='9' | '.') => self.number(),
            Some(found) => Err(Error::Unexpected { found, position: self.position() }),
            None => Err(Error::Unfinished { position: self.position() }),
        }
    }

    fn number(&mut self) -> Result<Number, Error> {
        let position = self.position();
        let rest = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let whole = digits(0);
        let mut len = whole;
        if rest.get(len) == Some(&b'.') {
            let decimals = digits(len + 1);
            if whole + decimals == 0 {
                return Err(Error::BadNumber { position });
            }
            len += 1 + decimals;
        }
        if matches!(rest.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(len + 1), Some(b'+' | b'-')));
            let exponent = rest.get(len + 1 + sign..).map_or(0, |_| digits(len + 1 + sign));
            if exponent == 0 {
                return Err(Error::BadNumber { position });
            }
            len += 1 + sign + exponent;
        }
        let literal = &self.text[self.at..self.at + len];
        self.at += len;
        Number::from_literal(literal).ok_or(Error::BadNumber { position })
    }

    /// Runs `read` one level further inside, up to a limit that keeps the stack small.
    fn deeper(&mut self, read: fn(&mut Self) -> Result<Number, Error>) -> Result<Number, Error> {
        if self.depth == DEPTH_MAX {
            return Err(Error::TooDeep { position: self.position(), limit: DEPTH_MAX });
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// The next character that is no space, with the signs of print as those of the keyboard.
    fn peek(&mut self) -> Option<char> {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        Some(match rest.chars().next()? {
            '×' | '·' => '*',
            '÷' => '/',
            '−' => '-',
            other => other,
        })
    }

    /// Passes over the character that `peek` gave.
    fn take(&mut self) {
        self.at += self.text[self.at..].chars().next().map_or(0, char::len_utf8);
    }

    /// Number of the next character that is no space, from 1.
    fn position(&mut self) -> usize {
        self.peek();
        self.text[..self.at].chars().count() + 1
    }
}

fn limited(value: Number, position: usize) -> Result<Number, Error> {
    if value.is_infinite() { Err(Error::TooLarge { position }) } else { Ok(value) }
}

/// Bytes of the longest expression.
const EXPRESSION_BYTES_MAX: usize = 4096;
/// Parentheses and signs inside each other.
const DEPTH_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_arithmetic() {
        let cases = [
            ("17 * 23", "391"),
            ("1+2*3", "7"),
            ("(1+2)*3", "9"),
            ("10 - 4 - 3", "3"),
            ("100 / 10 / 2", "5"),
            ("2^3^2", "512"),
            ("-2^2", "-4"),
            ("(-2)^2", "4"),
            ("2^-1", "0.5"),
            ("2*-3", "-6"),
            ("--3", "3"),
            ("+3 - +4", "-1"),
            ("0.1 + 0.2", "0.3"),
            ("1/3", "0.333333333333333"),
            ("1/3*3", "1"),
            ("7 % 3", "1"),
            ("-7 % 3", "-1"),
            ("5.5 % 2", "1.5"),
            ("1/8", "0.125"),
            ("-1/8", "-0.125"),
            ("2^100", "1267650600228229401496703205376"),
            ("2^200", "1.60693804425899e60"),
            ("2^0.5", "1.4142135623731"),
            ("4^0.5", "2"),
            ("1.5e3", "1500"),
            (".5 + 5.", "5.5"),
            ("1e-7", "0.0000001"),
            ("6 × 7 ÷ 2 − 1", "20"),
            ("0 * -1", "0"),
            ("0^0", "1"),
            ("170141183460469231731687303715884105727 + 1", "1.70141183460469e38"),
            ("  42  ", "42"),
        ];
        for (expression, value) in cases {
            assert_eq!(evaluate(expression).as_deref(), Ok(value), "{expression}");
        }
    }

    #[test]
    fn errors_name_the_character() {
        let cases = [
            ("", Error::Unfinished { position: 1 }),
            ("1 +", Error::Unfinished { position: 4 }),
            ("(1 + 2", Error::Unfinished { position: 7 }),
            ("1 + x", Error::Unexpected { found: 'x', position: 5 }),
            ("1 2", Error::Unexpected { found: '2', position: 3 }),
            ("1)", Error::Unexpected { found: ')', position: 2 }),
            ("()", Error::Unexpected { found: ')', position: 2 }),
            ("×", Error::Unexpected { found: '*', position: 1 }),
            ("1 / 0", Error::DivisionByZero { position: 3 }),
            ("1 % (2 - 2)", Error::DivisionByZero { position: 3 }),
            ("0^-1", Error::DivisionByZero { position: 2 }),
            ("(-8)^0.5", Error::NotReal { position: 5 }),
            ("10^400", Error::TooLarge { position: 3 }),
            (".", Error::BadNumber { position: 1 }),
            ("1e", Error::BadNumber { position: 1 }),
            ("2 + 1e+", Error::BadNumber { position: 5 }),
            ("9e999", Error::BadNumber { position: 1 }),
            ("1.2.3", Error::Unexpected { found: '.', position: 4 }),
            ("é", Error::Unexpected { found: 'é', position: 1 }),
        ];
        for (expression, error) in cases {
            assert_eq!(evaluate(expression), Err(error), "{expression}");
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert!(matches!(evaluate(&"(".repeat(2000)), Err(Error::TooDeep { limit: 100, .. })));
        assert!(matches!(evaluate(&"-".repeat(2000)), Err(Error::TooDeep { .. })));
        assert!(matches!(evaluate(&"2^".repeat(2000)), Err(Error::TooDeep { .. })));
        assert!(matches!(evaluate(&"1".repeat(5000)), Err(Error::TooLong { len: 5000, .. })));
        assert_eq!(evaluate(&format!("{}1{}", "(".repeat(100), ")".repeat(100))).as_deref(), Ok("1"));
    }
}
