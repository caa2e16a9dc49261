//! The gemini dialect: see `dialect.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_tests::naive::Dialect;

mod dialect;

fuzz_target!(|input: &[u8]| {
    dialect::check(Dialect::Gemini, input, &thalweg_gemini::Gemini);
});
