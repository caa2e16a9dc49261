//! JSON pointers (RFC 6901), with one addition: a number below 0 counts from the end of an array.

use thalweg_wire::json::{self, NESTING_MAX, Raw};

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// What was searched is not JSON, at least up to where the search ended.
    Json,
    /// The pointer does not begin with a slash, or has a `~` that is neither `~0` nor `~1`.
    Pointer,
}

/// The value that `pointer` leads to in `json`; `None` when there is none. Of equal keys the last one counts.
///
/// # Errors
/// When one of both is not what it should be.
pub fn find<'j>(json: &'j [u8], pointer: &str) -> Result<Option<Raw<'j>>, Error> {
    let mut value = json::value(json, NESTING_MAX).map_err(|_| Error::Json)?;
    if pointer.is_empty() {
        return Ok(Some(value));
    }
    let steps = pointer.strip_prefix('/').ok_or(Error::Pointer)?;
    for step in steps.split('/') {
        let step = unescape(step)?;
        let next = if value.is_object() { member(value, &step) } else { element(value, &step) };
        match next {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// Number of elements of an array; `None` when it is none.
#[must_use]
pub fn count(array: &[u8]) -> Option<usize> {
    let value = json::value(array, NESTING_MAX).ok()?;
    value.is_array().then(|| value.items().count())
}

fn member<'j>(object: Raw<'j>, name: &str) -> Option<Raw<'j>> {
    let mut found = None;
    let walked = object.cursor().members(|cursor, key| {
        let value = cursor.skip()?;
        if key.is(name.as_bytes()) {
            found = Some(value);
        }
        Ok(())
    });
    walked.ok().and(found)
}

fn element<'j>(array: Raw<'j>, index: &str) -> Option<Raw<'j>> {
    let from_end = index.strip_prefix('-');
    let digits = from_end.unwrap_or(index);
    // As the RFC has it: no sign, no leading zero.
    if digits.is_empty()
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
        || (digits.len() > 1 && digits.starts_with('0'))
    {
        return None;
    }
    let number: usize = digits.parse().ok()?;
    match from_end {
        None => array.items().nth(number),
        Some(_) => {
            let index = array.items().count().checked_sub(number).filter(|_| number > 0)?;
            array.items().nth(index)
        }
    }
}

fn unescape(step: &str) -> Result<String, Error> {
    let mut plain = String::with_capacity(step.len());
    let mut parts = step.split('~');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (meaning, rest) = match part.as_bytes().first() {
            Some(b'0') => ('~', &part[1..]),
            Some(b'1') => ('/', &part[1..]),
            _ => return Err(Error::Pointer),
        };
        plain.push(meaning);
        plain.push_str(rest);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn found(json: &Value, pointer: &str) -> Option<Value> {
        let text = json.to_string();
        let value = find(text.as_bytes(), pointer).unwrap();
        value.map(|value| serde_json::from_slice(value.bytes()).unwrap())
    }

    #[test]
    fn pointers_of_the_rfc_lead_where_it_says() {
        // The example of section 5.
        let json = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8});
        for (pointer, _) in [
            ("", 0),
            ("/foo", 0),
            ("/foo/0", 0),
            ("/", 0),
            ("/a~1b", 0),
            ("/c%d", 0),
            ("/e^f", 0),
            ("/g|h", 0),
            ("/i\\j", 0),
            ("/k\"l", 0),
            ("/ ", 0),
            ("/m~0n", 0),
        ] {
            assert_eq!(found(&json, pointer).as_ref(), json.pointer(pointer), "{pointer}");
        }
    }

    #[test]
    fn every_pointer_of_few_parts_leads_where_another_reader_goes() {
        let json = json!({"a": [{"b": "x"}, [1, 2, {"0": true}], null], "0": {"a": {"1": "é\n"}}, "1": "t"});
        let parts = ["a", "b", "0", "1", "2", "3", "00", "+1", "x", ""];
        for first in parts {
            for second in parts {
                for third in parts {
                    for pointer in
                        [format!("/{first}"), format!("/{first}/{second}"), format!("/{first}/{second}/{third}")]
                    {
                        assert_eq!(found(&json, &pointer).as_ref(), json.pointer(&pointer), "{pointer}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_below_zero_counts_from_the_end() {
        let json = json!([1, 2, {"-1": 3}]);
        assert_eq!(found(&json, "/-2"), Some(json!(2)));
        assert_eq!(found(&json, "/-1/-1"), Some(json!(3)));
        assert_eq!((found(&json, "/-4"), found(&json, "/-0"), found(&json, "/-")), (None, None, None));
    }

    #[test]
    fn what_is_neither_json_nor_a_pointer_is_told_apart() {
        assert_eq!(find(b"{", "").unwrap_err(), Error::Json);
        assert_eq!(find(b"{}", "a").unwrap_err(), Error::Pointer);
        assert_eq!(find(b"{}", "/~2").unwrap_err(), Error::Pointer);
        assert_eq!(count(b"[1, [2, 3]]"), Some(2));
        assert_eq!((count(b"{}"), count(b"[")), (None, None));
    }
}
