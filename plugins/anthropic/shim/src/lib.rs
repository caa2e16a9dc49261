//! The Anthropic messages dialect. The shared object.
thalweg_abi::export_plugin!(thalweg_anthropic::Package);
