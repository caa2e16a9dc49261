//! The names under which a model may stand in the table, from its own to that without a date.

use std::borrow::Cow;

/// The names to look for, in their order. A name that only resembles the model's is none of them: no price is better than that of
/// another model.
pub(super) fn names<'m>(vendor: &str, model: &'m str) -> impl Iterator<Item = Cow<'m, str>> + use<'m> {
    let name = within_vendor(vendor, model);
    let undated = without_date(&name).to_owned();
    let bare = undated.strip_suffix("-latest").map(str::to_owned);
    // `claude-sonnet-4` is how the first of a generation is called where others have `-4-5`.
    let first = (vendor == "anthropic").then(|| format!("{undated}-0"));
    let latest = Some(format!("{undated}-latest"));
    let derived = [Some(undated), bare, first, latest].into_iter().flatten().map(Cow::Owned);
    std::iter::once(name).chain(derived)
}

/// The model's name as its vendor writes it: without what routes to it.
fn within_vendor<'m>(vendor: &str, model: &'m str) -> Cow<'m, str> {
    let name = model.rsplit_once("models/").map_or(model, |(_, name)| name);
    match vendor {
        "bedrock" => {
            // An inference profile: the region, then the model.
            let rest = name.split_once('.').filter(|(region, _)| BEDROCK_REGIONS.contains(region));
            Cow::Borrowed(rest.map_or(name, |(_, rest)| rest))
        }
        "anthropic" => {
            let name = name.split_once('@').map_or(name, |(name, _)| name);
            if name.contains('.') { Cow::Owned(name.replace('.', "-")) } else { Cow::Borrowed(name) }
        }
        _ => Cow::Borrowed(name),
    }
}

/// `name` without `-20250514` or `-2024-08-06` at its end.
fn without_date(name: &str) -> &str {
    for shape in ["-dddddddd", "-dddd-dd-dd"] {
        let Some(at) = name.len().checked_sub(shape.len()).filter(|at| *at > 0) else { continue };
        let is_date = |(byte, place): (u8, u8)| if place == b'd' { byte.is_ascii_digit() } else { byte == b'-' };
        if name.bytes().skip(at).zip(shape.bytes()).all(is_date) {
            // A hyphen stands there, so that the cut is between characters.
            return &name[..at];
        }
    }
    name
}

const BEDROCK_REGIONS: [&str; 7] = ["us", "eu", "apac", "global", "au", "jp", "us-gov"];

#[cfg(test)]
mod tests {
    use super::without_date;

    #[test]
    fn only_a_date_at_the_end_is_taken_off() {
        for (name, rest) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("claude-sonnet-4-20250514", "claude-sonnet-4"),
            ("mistral-small-2506", "mistral-small-2506"),
            ("gpt-4o-2024-08", "gpt-4o-2024-08"),
            ("-20250514", "-20250514"),
            ("é20250514", "é20250514"),
            ("ééééé", "ééééé"),
            ("", ""),
        ] {
            assert_eq!(without_date(name), rest);
        }
    }
}
