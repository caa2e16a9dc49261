//! AWS Signature Version 4: which bytes are signed, with which key, and the headers that tell it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::http::{Parts, Secret};

/// Who signs.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Told openly.
    pub access_key_id: String,
    /// Never sent.
    pub secret_access_key: Secret,
    /// Sent with each request, for credentials that run out.
    pub session_token: Option<Secret>,
}

/// What a signature is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// For example `us-east-1`.
    pub region: String,
    /// For example `bedrock`.
    pub service: String,
}

/// The headers that have to be added to a request: its date, the session's token, and the signature over all of its parts
/// and these.
#[must_use]
pub fn sign(
    credentials: &Credentials,
    scope: &Scope,
    parts: &Parts<'_>,
    now: SystemTime,
) -> Vec<(&'static str, String)> {
    let time = timestamp(now);
    let date = &time[..8];
    let mut added = vec![("x-amz-date", time.clone())];
    added.extend(credentials.session_token.iter().map(|token| ("x-amz-security-token", token.expose().to_owned())));
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let own = parts.headers.iter().map(|(name, value)| (*name, *value));
    for (name, value) in own.chain(added.iter().map(|(name, value)| (*name, value.as_str()))) {
        if is_signed(name) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            headers.insert(name.to_ascii_lowercase(), value);
        }
    }
    headers.insert("host".into(), parts.host.to_owned());
    let names = headers.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let mut body = Sha256::new();
    parts.body.iter().for_each(|piece| body.update(piece));
    let (path, query) = (canonical_path(parts.path), canonical_query(parts.query));
    let request = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{}", parts.method, hex(&body.finalize()));
    let scope_line = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope_line}\n{}", hex(&Sha256::digest(request)));
    let key = signing_key(&credentials.secret_access_key, date, scope);
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let id = &credentials.access_key_id;
    added.push((
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope_line}, SignedHeaders={names}, Signature={signature}"),
    ));
    added
}

/// Headers on the way are changed by proxies, so only those are signed that tell what is meant.
fn is_signed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "content-type" || name.starts_with("x-amz-")
}

fn signing_key(secret: &Secret, date: &str, scope: &Scope) -> [u8; 32] {
    let first = format!("AWS4{}", secret.expose());
    let parts = [date, &scope.region, &scope.service, "aws4_request"];
    let mut key = hmac(first.as_bytes(), parts[0].as_bytes());
    for part in &parts[1..] {
        key = hmac(&key, part.as_bytes());
    }
    key
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The path as it goes out, encoded once more, without empty parts and dots.
fn canonical_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let has_end = path.len() > 1 && path.ends_with('/') && !parts.is_empty();
    let mut canonical: String = parts.iter().map(|part| format!("/{}", encoded(part.bytes()))).collect();
    if has_end || canonical.is_empty() {
        canonical.push('/');
    }
    canonical
}

/// The parameters by name and value, encoded in the one way that is allowed.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(decoded(name)), encoded(decoded(value))))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encoded(bytes: impl IntoIterator<Item = u8>) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = &behind[2..];
            }
            None => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as AWS writes it, `20150830T123600Z`.
fn timestamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    /// 2015-08-30 12:36:00, the time of all examples of AWS.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        }
    }

    struct Case<'a> {
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'static str,
    }

    fn signature(service: &str, host: &str, case: &Case<'_>) -> String {
        let body = [Bytes::from_static(case.body.as_bytes())];
        let Case { method, path, query, headers, .. } = *case;
        let parts = Parts { method, host, path, query, headers: headers.to_vec(), body: &body };
        let scope = Scope { region: "us-east-1".into(), service: service.into() };
        let headers = sign(&credentials(), &scope, &parts, then());
        assert_eq!(headers[0], ("x-amz-date", "20150830T123600Z".to_owned()));
        let (name, value) = headers.last().expect("the signature");
        assert_eq!(*name, "authorization");
        value.rsplit_once("Signature=").expect("a signature").1.to_owned()
    }

    #[test]
    fn the_test_suite_of_aws_is_signed_as_published() {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let all = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let unreserved = format!("/{all}");
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        for (name, method, path, query, headers, body, expected) in [
            ("get-vanilla", "GET", "/", "", &[][..], "", vanilla),
            ("get-slash", "GET", "//", "", &[], "", vanilla),
            ("get-relative", "GET", "/example/..", "", &[], "", vanilla),
            ("get-slash-dot-slash", "GET", "/./", "", &[], "", vanilla),
            (
                "get-utf8",
                "GET",
                "/\u{1234}",
                "",
                &[],
                "",
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "get-space",
                "GET",
                "/example space/",
                "",
                &[],
                "",
                "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
            ),
            (
                "get-unreserved",
                "GET",
                &unreserved,
                "",
                &[],
                "",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/",
                "Param2=value2&Param1=value1",
                &[],
                "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                "",
                &[],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-vanilla-query",
                "POST",
                "/",
                "Param1=value1",
                &[],
                "",
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "/",
                "",
                &form,
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let case = Case { method, path, query, headers, body };
            assert_eq!(signature("service", "example.amazonaws.com", &case), expected, "{name}");
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_signed_as_published() {
        let headers = [("Content-Type", "application/x-www-form-urlencoded;  charset=utf-8"), ("accept", "*/*")];
        let case = Case {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &headers,
            body: "",
        };
        let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature("iam", "iam.amazonaws.com", &case), expected);
        let scope = Scope { region: "us-east-1".into(), service: "iam".into() };
        let key = signing_key(&credentials().secret_access_key, "20150830", &scope);
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn a_path_that_is_encoded_is_encoded_once_more() {
        assert_eq!(canonical_path("/model/a.b-v1%3A0/converse"), "/model/a.b-v1%253A0/converse");
        assert_eq!(canonical_query("b=%7e&a=x%20y&a&c=%zz"), "a=&a=x%20y&b=~&c=%25zz");
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let credentials = Credentials { session_token: Some(Secret::new("tok en")), ..credentials() };
        let scope = Scope { region: "us-east-1".into(), service: "bedrock".into() };
        let parts = Parts { method: "POST", host: "h", path: "/", query: "", headers: Vec::new(), body: &[] };
        let headers = sign(&credentials, &scope, &parts, then());
        assert_eq!(headers[1], ("x-amz-security-token", "tok en".to_owned()));
        assert!(headers[2].1.contains("SignedHeaders=host;x-amz-date;x-amz-security-token, "));
        assert!(!format!("{credentials:?}").contains("tok en"));
    }

    #[test]
    fn times_are_written_as_aws_writes_them() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
