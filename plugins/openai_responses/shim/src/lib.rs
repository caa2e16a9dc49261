//! The OpenAI responses dialect. The shared object.
thalweg_abi::export_plugin!(thalweg_openai_responses::Package);
