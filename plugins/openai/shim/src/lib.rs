//! The OpenAI chat completions dialect. The shared object.
thalweg_abi::export_plugin!(thalweg_openai::Package);
