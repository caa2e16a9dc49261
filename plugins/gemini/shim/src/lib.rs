//! The Gemini dialect. The shared object.
thalweg_abi::export_plugin!(thalweg_gemini::Package);
