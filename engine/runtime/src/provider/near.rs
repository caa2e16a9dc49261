//! Names that somebody may have meant.

/// Those of `known` that `name` may be a slip of, the nearest first, at most `max`.
pub(super) fn near<'k>(name: &str, known: impl Iterator<Item = &'k str>, max: usize) -> Vec<&'k str> {
    let name: Vec<char> = name.trim().to_lowercase().chars().take(CHARS_MAX).collect();
    if name.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|known| {
            let letters: Vec<char> = known.chars().collect();
            let is_part = name.len() >= 3 && (letters.starts_with(&name) || name.starts_with(&letters));
            let slips = if is_part { 1 } else { distance(&name, &letters) };
            (slips <= 1 + name.len().min(letters.len()) / 4).then_some((slips, known))
        })
        .collect();
    found.sort_by_key(|(slips, _)| *slips);
    found.truncate(max);
    found.into_iter().map(|(_, known)| known).collect()
}

/// Letters to add, drop, change, or swap with their neighbour until both are equal.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, wanted) in other.iter().enumerate() {
            let changed = row[j] + usize::from(letter != wanted);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *wanted {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

/// No provider's name is longer; what is longer is not looked at to its end.
const CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["openai", "openrouter", "ollama", "xai", "z.ai", "minimax", "minimax-cn", "groq"];
        let near = |name: &str| near(name, known.into_iter(), 3);
        assert_eq!(near("opnai"), ["openai"]);
        assert_eq!(near("OpenIA"), ["openai"]);
        assert_eq!(near("minmax"), ["minimax"]);
        assert_eq!(near("zai")[0], "xai");
        assert!(near("zai").contains(&"z.ai"));
        assert_eq!(near("open"), ["openai", "openrouter"]);
        assert_eq!(near("grok"), ["groq"]);
        assert!(near("something-else").is_empty());
        assert!(near("").is_empty());
        assert!(near(&"x".repeat(100_000)).is_empty());
    }
}
