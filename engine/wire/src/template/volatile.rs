//! The keys whose values no codec reads.

use crate::json;

/// Keys of a payload whose values say nothing once a reply has begun: at its top, or further in, as a path with dots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volatile {
    /// The steps of all paths. Each is the step before, whether its value is volatile, the length of its name, and its
    /// name, so that all take one piece of memory.
    steps: Box<[u8]>,
}

/// A place in a payload, as far as it is on the way to a volatile value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step(u8);

impl Step {
    /// The payload itself.
    pub(super) const TOP: Self = Self(0);
}

/// Steps that all paths have at most; further ones are never looked for.
const STEPS_MAX: u8 = 64;

impl Volatile {
    /// The paths, in any order. A list on the way stands for each of its elements.
    pub(crate) fn new<'n>(paths: impl IntoIterator<Item = &'n str>) -> Self {
        let mut steps = Vec::new();
        let mut count = 0;
        for path in paths {
            let mut step = Step::TOP;
            let mut names = path.split('.').peekable();
            while let Some(name) = names.next() {
                let is_last = u8::from(names.peek().is_none());
                step = match find(&steps, step, name.as_bytes()) {
                    Some((known, at)) => {
                        steps[at] |= is_last;
                        known
                    }
                    None => {
                        let Ok(length) = u8::try_from(name.len()) else { break };
                        if count == STEPS_MAX {
                            break;
                        }
                        count += 1;
                        steps.extend_from_slice(&[step.0, is_last, length]);
                        steps.extend_from_slice(name.as_bytes());
                        Step(count)
                    }
                };
            }
        }
        Self { steps: steps.into() }
    }

    /// The `volatile_keys` of what a codec says of itself.
    pub(crate) fn of_description(description: &str) -> Self {
        let whole = json::value(description.as_bytes(), json::NESTING_MAX).unwrap_or_default();
        let [list] = whole.fields(&KEYS).unwrap_or_default();
        Self::new(list.items().filter_map(|item| std::str::from_utf8(item.text()?.raw()).ok()))
    }

    /// The step from `step` to the value of a key, as its name stands between its quotes, and whether that value is volatile.
    pub(super) fn step(&self, step: Step, name: &[u8]) -> Option<(Step, bool)> {
        let (found, at) = find(&self.steps, step, name)?;
        Some((found, self.steps.get(at) == Some(&1)))
    }
}

/// The step from `step` by `name`, and where the mark of its value lies.
fn find(steps: &[u8], step: Step, name: &[u8]) -> Option<(Step, usize)> {
    let mut rest = steps;
    let mut number = 0;
    while let [before, _, length, names @ ..] = rest {
        let at = steps.len() - rest.len() + 1;
        let (one, behind) = names.split_at_checked(usize::from(*length))?;
        number += 1;
        if *before == step.0 && one == name {
            return Some((Step(number), at));
        }
        rest = behind;
    }
    None
}

static KEYS: json::Names<1> = json::Names::new(["volatile_keys"]);

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the value at a path is volatile; `None` when no volatile value is there or further in.
    fn at(volatile: &Volatile, path: &str) -> Option<bool> {
        let mut place = (Step::TOP, false);
        for name in path.split('.') {
            place = volatile.step(place.0, name.as_bytes())?;
        }
        Some(place.1)
    }

    #[test]
    fn names_are_read_from_a_description() {
        let volatile = Volatile::of_description(r#"{"dialect":"x","volatile_keys":["obfuscation","p"]}"#);
        for (name, is_one) in [("obfuscation", true), ("p", true), ("", false), ("o", false), ("x", false)] {
            assert_eq!(at(&volatile, name), is_one.then_some(true), "{name}");
        }
        for description in ["", "{}", "{\"volatile_keys\":1}"] {
            assert_eq!(at(&Volatile::of_description(description), "volatile_keys"), None, "{description}");
        }
    }

    #[test]
    fn paths_lead_to_values_further_in() {
        let volatile = Volatile::new(["a.b.c", "a.d", "e", "a.b", "e.f"]);
        for (path, expected) in [
            ("a", Some(false)),
            ("a.b", Some(true)),
            ("a.b.c", Some(true)),
            ("a.d", Some(true)),
            ("e", Some(true)),
            ("e.f", Some(true)),
            ("b", None),
            ("d", None),
            ("a.e", None),
            ("a.b.c.d", None),
        ] {
            assert_eq!(at(&volatile, path), expected, "{path}");
        }
    }

    #[test]
    fn paths_beyond_the_bound_are_never_found() {
        let names: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        let volatile = Volatile::new(names.iter().map(String::as_str));
        assert_eq!((at(&volatile, "63"), at(&volatile, "64")), (Some(true), None));
    }
}
