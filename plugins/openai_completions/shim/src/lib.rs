//! The OpenAI legacy completions dialect. The shared object.
thalweg_abi::export_plugin!(thalweg_openai_completions::Package);
