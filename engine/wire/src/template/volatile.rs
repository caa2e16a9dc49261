//! The keys whose values no codec reads, and those that number a block.

use std::sync::Arc;

use crate::json;

/// Keys of a payload whose values say nothing once a reply has begun, or which block it is for: at its top, or further
/// in, as a path with dots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volatile {
    /// The steps of all paths. Each is the step before and what its value is, the length of its name, and its name, so
    /// that all take one piece of memory, which the pipelines of a codec share.
    steps: Arc<[u8]>,
}

/// A place in a payload, as far as it is on the way to a volatile value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step(u8);

impl Step {
    /// The payload itself.
    pub(super) const TOP: Self = Self(0);
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// One that is read, if anything in it is not.
    None,
    Volatile,
    /// The number of a block.
    Block,
}

/// Steps that all paths have at most; further ones are never looked for.
const STEPS_MAX: u8 = 63;

/// Bits of a step that say what its value is.
const MARK_BITS: u8 = 2;
const MARKS: u8 = (1 << MARK_BITS) - 1;

impl Volatile {
    /// The paths with their marks, in any order. A list on the way stands for each of its elements.
    fn new<'n>(paths: impl IntoIterator<Item = (&'n str, Mark)>) -> Self {
        let mut steps = Vec::new();
        let mut count = 0;
        for (path, mark) in paths {
            let mut step = Step::TOP;
            let mut names = path.split('.').peekable();
            while let Some(name) = names.next() {
                let mark = if names.peek().is_none() { mark as u8 } else { 0 };
                step = match find(&steps, step, name.as_bytes()) {
                    Some((known, at)) => {
                        if steps[at] & MARKS < mark {
                            steps[at] = steps[at] & !MARKS | mark;
                        }
                        known
                    }
                    None => {
                        let Ok(length) = u8::try_from(name.len()) else { break };
                        if count == STEPS_MAX {
                            break;
                        }
                        count += 1;
                        steps.extend_from_slice(&[step.0 << MARK_BITS | mark, length]);
                        steps.extend_from_slice(name.as_bytes());
                        Step(count)
                    }
                };
            }
        }
        Self { steps: steps.into() }
    }

    /// The `volatile_keys` and `block_keys` of what a codec says of itself.
    pub(crate) fn of_description(description: &str) -> Self {
        let whole = json::value(description.as_bytes(), json::NESTING_MAX).unwrap_or_default();
        let lists = whole.fields(&KEYS).unwrap_or_default();
        let paths = lists.into_iter().zip([Mark::Volatile, Mark::Block]).flat_map(|(list, mark)| {
            let names = list.items().filter_map(|item| std::str::from_utf8(item.text()?.raw()).ok());
            names.map(move |name| (name, mark))
        });
        Self::new(paths)
    }

    /// The step from `step` to the value of a key, as its name stands between its quotes, and what that value is.
    pub(super) fn step(&self, step: Step, name: &[u8]) -> Option<(Step, Mark)> {
        let (found, at) = find(&self.steps, step, name)?;
        let mark = match self.steps.get(at).map(|mark| mark & MARKS) {
            Some(1) => Mark::Volatile,
            Some(2) => Mark::Block,
            _ => Mark::None,
        };
        Some((found, mark))
    }
}

/// The step from `step` by `name`, and where the mark of its value lies.
fn find(steps: &[u8], step: Step, name: &[u8]) -> Option<(Step, usize)> {
    let mut rest = steps;
    let mut number = 0;
    while let [before, length, names @ ..] = rest {
        let at = steps.len() - rest.len();
        let (one, behind) = names.split_at_checked(usize::from(*length))?;
        number += 1;
        if before >> MARK_BITS == step.0 && one == name {
            return Some((Step(number), at));
        }
        rest = behind;
    }
    None
}

static KEYS: json::Names<2> = json::Names::new(["volatile_keys", "block_keys"]);

#[cfg(test)]
mod tests {
    use super::*;

    /// What the value at a path is; `None` when none that is marked is there or further in.
    fn at(volatile: &Volatile, path: &str) -> Option<Mark> {
        let mut place = (Step::TOP, Mark::None);
        for name in path.split('.') {
            place = volatile.step(place.0, name.as_bytes())?;
        }
        Some(place.1)
    }

    #[test]
    fn names_are_read_from_a_description() {
        let volatile = Volatile::of_description(
            r#"{"dialect":"x","volatile_keys":["obfuscation","p"],"block_keys":["index","delta.index"]}"#,
        );
        for (path, mark) in [
            ("obfuscation", Some(Mark::Volatile)),
            ("p", Some(Mark::Volatile)),
            ("index", Some(Mark::Block)),
            ("delta.index", Some(Mark::Block)),
            ("delta", Some(Mark::None)),
            ("", None),
            ("o", None),
            ("x", None),
        ] {
            assert_eq!(at(&volatile, path), mark, "{path}");
        }
        for description in ["", "{}", "{\"volatile_keys\":1}"] {
            assert_eq!(at(&Volatile::of_description(description), "volatile_keys"), None, "{description}");
        }
    }

    #[test]
    fn paths_lead_to_values_further_in() {
        let volatile = Volatile::new(["a.b.c", "a.d", "e", "a.b", "e.f"].map(|path| (path, Mark::Volatile)));
        for (path, expected) in [
            ("a", Some(Mark::None)),
            ("a.b", Some(Mark::Volatile)),
            ("a.b.c", Some(Mark::Volatile)),
            ("a.d", Some(Mark::Volatile)),
            ("e", Some(Mark::Volatile)),
            ("e.f", Some(Mark::Volatile)),
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
        let volatile = Volatile::new(names.iter().map(|name| (name.as_str(), Mark::Volatile)));
        assert_eq!((at(&volatile, "62"), at(&volatile, "63")), (Some(Mark::Volatile), None));
    }
}
