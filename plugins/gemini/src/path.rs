//! JSON paths as the provider writes them: `$.recipe.steps[2]['two words']`.

use thalweg_wire::json::Raw;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into a member of an object.
    Key(Vec<u8>),
    /// Into an element of an array.
    Index(usize),
}

/// Steps of one path; more are not read.
const STEPS_MAX: usize = 120;

/// Reads a path into `steps`, whose memory is used again. Whether it is one with a step at least.
pub(crate) fn read_path(path: Raw<'_>, steps: &mut Vec<Step>) -> bool {
    steps.clear();
    let Some(text) = path.text() else { return false };
    let mut unescaped = Vec::new();
    let text = if text.is_escaped() {
        text.push_to(&mut unescaped);
        &unescaped
    } else {
        text.raw()
    };
    let mut rest = text.strip_prefix(b"$").unwrap_or(text);
    while !rest.is_empty() {
        let Some((step, behind)) = read_step(rest) else { return false };
        if steps.len() >= STEPS_MAX {
            return false;
        }
        steps.push(step);
        rest = behind;
    }
    !steps.is_empty()
}

fn read_step(text: &[u8]) -> Option<(Step, &[u8])> {
    match text {
        [b'.', rest @ ..] => {
            let len = rest.iter().position(|byte| matches!(byte, b'.' | b'[')).unwrap_or(rest.len());
            (len > 0).then(|| (Step::Key(rest[..len].to_vec()), &rest[len..]))
        }
        [b'[', quote @ (b'\'' | b'"'), rest @ ..] => {
            let mut key = Vec::new();
            let mut rest = rest;
            loop {
                match rest {
                    [b'\\', byte, behind @ ..] => {
                        key.push(*byte);
                        rest = behind;
                    }
                    [byte, b']', behind @ ..] if byte == quote => return Some((Step::Key(key), behind)),
                    [byte, ..] if byte == quote => return None,
                    [byte, behind @ ..] => {
                        key.push(*byte);
                        rest = behind;
                    }
                    [] => return None,
                }
            }
        }
        [b'[', rest @ ..] => {
            let len = rest.iter().position(|byte| *byte == b']')?;
            let index = std::str::from_utf8(&rest[..len]).ok()?.parse().ok()?;
            Some((Step::Index(index), &rest[len + 1..]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_wire::json::value;

    #[test]
    fn paths_of_every_form_are_read() {
        let key = |key: &str| Step::Key(key.as_bytes().to_vec());
        let cases = [
            (r#""$.a""#, Some(vec![key("a")])),
            (r#""$.a.b_c[12].d-e""#, Some(vec![key("a"), key("b_c"), Step::Index(12), key("d-e")])),
            (r#""$['a.b']['it\\'s'][\"q\"]""#, Some(vec![key("a.b"), key("it's"), key("q")])),
            (r#""$.\u00e4[0][1]""#, Some(vec![key("ä"), Step::Index(0), Step::Index(1)])),
            (r#"".a""#, Some(vec![key("a")])),
            (r#""$""#, None),
            (r#""""#, None),
            (r#""a""#, None),
            (r#""$..a""#, None),
            (r#""$.a[""#, None),
            (r#""$.a[-1]""#, None),
            (r#""$['a'""#, None),
            (r#""$['a'x]""#, None),
            ("7", None),
        ];
        for (json, expected) in cases {
            let mut steps = vec![key("old")];
            let is_path = read_path(value(json.as_bytes(), 8).unwrap(), &mut steps);
            assert_eq!(is_path.then_some(steps), expected, "{json}");
        }
        let deep = format!("\"${}\"", ".a".repeat(STEPS_MAX + 1));
        assert!(!read_path(value(deep.as_bytes(), 8).unwrap(), &mut Vec::new()));
    }
}
