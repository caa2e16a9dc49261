//! The cohere-v1 dialect: see `dialect.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_tests::naive::Dialect;

mod dialect;

fuzz_target!(|input: &[u8]| {
    dialect::check(Dialect::CohereV1, input, &thalweg_cohere_v1::CohereV1);
});
