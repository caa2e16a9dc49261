//! Whatever comes in.

use thalweg::provider::{Table, Wish};
use thalweg_tests::random::Random;

/// `text` with a few of its characters dropped, doubled, or replaced by what has a meaning somewhere.
fn mutated(random: &mut Random, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(letters.len());
        let odd = random
            .pick(&['@', '/', '\\', '?', '#', ':', '.', '%', '{', '}', '"', '\n', '=', '[', ' ', 'e', '0', 'ß', '\0']);
        match random.below(4) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, letters[at]),
            2 => letters[at] = odd,
            _ => letters.insert(at, odd),
        }
        if letters.is_empty() {
            letters.push('x');
        }
    }
    letters.into_iter().collect()
}

/// The authority of a URL, found without a parser of URLs.
fn authority(url: &str) -> String {
    let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
    behind.split(['/', '?', '#', '\\']).next().unwrap_or_default().to_lowercase()
}

#[test]
fn no_address_however_odd_gets_a_key_that_is_not_its_own() {
    let mut random = Random::new(7);
    let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| "secret-one".to_owned());
    let mut with_key = 0;
    for _ in 0..4_000 {
        let url = mutated(&mut random, "https://api.openai.com/v1");
        let wish = Wish { base_url: Some(&url), ..Wish::model("m") };
        let Ok(route) = Table::built_in().route(&wish, &environment) else { continue };
        if route.key.is_some() {
            with_key += 1;
            assert!(["api.openai.com", "api.openai.com:443"].contains(&authority(&url).as_str()), "{url:?}");
            assert!(url.trim().to_lowercase().starts_with("https://"), "{url:?}");
        }
    }
    assert!((50..3_900).contains(&with_key), "{with_key}");
    let mut filled = 0;
    for _ in 0..4_000 {
        let name = mutated(&mut random, "mine-01");
        let environment = |variable: &str| match variable {
            "AZURE_RESOURCE_NAME" => Some(name.clone()),
            "AZURE_API_KEY" => Some("secret-one".to_owned()),
            _ => None,
        };
        let Ok(route) = Table::built_in().route(&Wish::model("azure/m"), &environment) else { continue };
        filled += 1;
        let host = authority(&route.base_url);
        let label = host.strip_suffix(".openai.azure.com").unwrap_or_else(|| panic!("{host}"));
        assert!(!label.is_empty() && !label.contains(['.', '@', ':', '%']), "{host}");
    }
    assert!((50..3_900).contains(&filled), "{filled}");
}

#[test]
fn a_file_that_was_mangled_is_read_or_refused_with_its_line() {
    let text = include_str!("../../docs/PROVIDERS.md").split("```toml\n").nth(1).expect("an example");
    let text = text.split("```").next().expect("its end");
    let mut random = Random::new(11);
    let mut refused = 0;
    for _ in 0..500 {
        let mangled = mutated(&mut random, text);
        let mut table = Table::built_in().clone();
        if let Err(error) = table.add_toml("mine.toml", &mangled) {
            refused += 1;
            let message = error.to_string();
            let line =
                message.strip_prefix("mine.toml:").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            assert!(line.is_some_and(|line| (1..=mangled.matches('\n').count() + 1).contains(&line)), "{message}");
            assert!(!message.contains('\n'), "{message:?}");
        }
    }
    assert!((50..500).contains(&refused), "{refused}");
}
