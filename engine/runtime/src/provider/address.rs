//! A base URL whose parts may come from the environment: `https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1`.
//!
//! `{A|B}` is the first of the variables that is set; `{A!global}` counts as not set when it holds `global`.

use hyper::Uri;

use super::row::Variables;
use crate::http;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable { names: Vec<String>, not: Option<String> },
}

impl Address {
    /// Takes apart what stands in a row. An error says what to do.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = written;
        while let Some((text, behind)) = rest.split_once('{') {
            let (inside, behind) =
                behind.split_once('}').ok_or_else(|| "base_url has a `{` without its `}`".to_owned())?;
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            let (names, not) = inside.split_once('!').map_or((inside, None), |(names, not)| (names, Some(not)));
            let names: Vec<String> = names.split('|').map(|name| name.trim().to_owned()).collect();
            if !names.iter().all(|name| is_variable_name(name)) {
                return Err("base_url has something in `{…}` that is no name of an environment variable".to_owned());
            }
            pieces.push(Piece::Variable { names, not: not.map(str::to_owned) });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        match pieces.first() {
            Some(Piece::Variable { .. }) => {}
            Some(Piece::Text(text)) if text.starts_with("https://") || text.starts_with("http://") => {}
            _ => return Err("base_url must begin with https://, http:// or a `{VARIABLE}`".to_owned()),
        }
        let address = Self { written: written.trim_end_matches('/').to_owned(), pieces };
        if address.is_fixed() {
            check(&address.written)?;
        }
        Ok(address)
    }

    /// As it stands in the row.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Whether it takes nothing from the environment.
    pub(super) fn is_fixed(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Whether its host is written down as one of this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_fixed() && http::is_loopback_url(&self.written)
    }

    /// Whether keys would go in the clear over a network.
    pub(super) fn is_cleartext(&self) -> bool {
        self.written.starts_with("http://") && !self.is_loopback()
    }

    /// The URL; `Ok(None)` when a variable is not set. An error names the variable whose value does not fit.
    pub(super) fn fill(&self, variables: Variables<'_>) -> Result<Option<String>, String> {
        let mut url = String::new();
        for piece in &self.pieces {
            let (names, not) = match piece {
                Piece::Text(text) => {
                    url.push_str(text);
                    continue;
                }
                Piece::Variable { names, not } => (names, not),
            };
            let found = names.iter().find_map(|name| Some((name, super::row::set(variables, name)?)));
            let Some((name, value)) = found.filter(|(_, value)| Some(value) != not.as_ref()) else { return Ok(None) };
            let value = value.trim_end_matches('/');
            // What stands within a URL must not end its host: a key would go elsewhere.
            let fits = match url.split_once("://") {
                None => url.is_empty() && check(value).is_ok(),
                Some((_, behind)) if behind.contains('/') => value.chars().all(is_of_a_path),
                Some(_) => value.chars().all(is_of_a_host),
            };
            if !fits {
                let place = if url.is_empty() { "a base URL" } else { "a part of a base URL" };
                return Err(format!("{name} holds something that is not {place}"));
            }
            url.push_str(value);
        }
        Ok(Some(url.trim_end_matches('/').to_owned()))
    }

    /// Whether it leads to `url`, which has no slash at its end.
    pub(super) fn leads_to(&self, url: &str, variables: Variables<'_>) -> bool {
        // Nearly all of a table are fixed, and each is asked for each agent.
        if self.is_fixed() { self.written == url } else { self.fill(variables).ok().flatten().as_deref() == Some(url) }
    }

    /// The variables that it takes something from, the first of each alternative.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { names, .. } => names.first().map(String::as_str),
            Piece::Text(_) => None,
        })
    }
}

/// Whether requests can go to `url`. An error says what is wrong with it, without a user name and a password.
pub(super) fn check(url: &str) -> Result<(), String> {
    // In lower case, since whether a key may go there is asked of the same letters.
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err("a base URL must begin with https:// or http://".to_owned());
    }
    http::Request::get(url).map(drop).map_err(|error| error.to_string())
}

/// Whether both lead to the same port of the same host in the same way.
pub(crate) fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((scheme, uri.host()?.to_ascii_lowercase(), port))
    };
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

/// The host of a URL, in lower case.
pub(super) fn host(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
}

pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

const fn is_of_a_host(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-'
}

const fn is_of_a_path(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '~' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(written: &str, set: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variables = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Address::parse(written).expect("an address").fill(&variables)
    }

    #[test]
    fn parts_come_from_the_environment() {
        let azure = "https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1/";
        assert_eq!(filled(azure, &[]), Ok(None));
        let expected = Ok(Some("https://mine.openai.azure.com/openai/v1".to_owned()));
        assert_eq!(filled(azure, &[("AZURE_RESOURCE_NAME", "mine")]), expected);
        assert_eq!(filled("{E}/openai/v1", &[("E", "https://mine.openai.azure.com/")]), expected);
        let vertex = "https://{L|M!global}-x.example/{P}";
        assert_eq!(filled(vertex, &[("M", "eu"), ("P", "a:b")]), Ok(Some("https://eu-x.example/a:b".to_owned())));
        assert_eq!(filled(vertex, &[("L", "global"), ("M", "eu"), ("P", "p")]), Ok(None));
    }

    #[test]
    fn no_value_leads_to_another_host() {
        for value in ["evil.example/", "evil.example#", "evil.example", "x@evil", "x y", "x:1", "x?", "ä"] {
            let failure = filled("https://{N}.openai.azure.com/", &[("N", value)]).expect_err(value);
            assert!(failure.contains('N') && !failure.contains(value), "{failure}");
        }
        for value in ["../x", "a?b", "a#b", "a/b", "a%2fb"] {
            filled("https://h.example/{P}/x", &[("P", value)]).expect_err(value);
        }
        for value in ["mine.example", "ftp://h", "https://me:secret@h", "https://"] {
            filled("{U}/v1", &[("U", value)]).expect_err(value);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for wrong in
            ["", "h.example", "ftp://h", "https://{A", "https://{}", "https://{A-B}", "https://u:p@h/v1", "x{A}"]
        {
            Address::parse(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn origins_are_compared_as_a_whole() {
        assert!(is_same_origin("https://H.example/v1", "https://h.example:443/v2"));
        for other in ["http://h.example", "https://h.example:444", "https://h.example.evil", "https://xh.example", "x"]
        {
            assert!(!is_same_origin("https://h.example/v1", other), "{other}");
        }
    }
}
