//! The bedrock dialect: see `dialect.rs`. Checksums would keep the fuzzer out, so it writes events a line each, name and
//! payload, and they are framed here. A line that begins with `=` is a model's own event, which goes in wrapped.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_tests::naive::Dialect;
use thalweg_tests::naive_event_stream::{event, to_base64};

mod dialect;

fuzz_target!(|input: &[u8]| {
    let cuts = input.len().min(1 + usize::from(input.first().map_or(0, |count| count % 16)));
    let (cuts, lines) = input.split_at(cuts);
    let mut framed = cuts.to_vec();
    for line in String::from_utf8_lossy(lines).lines() {
        let (name, payload) = line.split_once(' ').unwrap_or((line, ""));
        let name: String = name.chars().take(64).collect();
        framed.extend(match line.strip_prefix('=') {
            Some(inner) => event("chunk", &format!(r#"{{"bytes":"{}"}}"#, to_base64(inner.as_bytes()))),
            None => event(&name, payload),
        });
    }
    dialect::check(Dialect::Bedrock, &framed, &thalweg_bedrock::Bedrock);
});
