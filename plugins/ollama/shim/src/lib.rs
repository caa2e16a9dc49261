//! The dialect of Ollama's own API. The shared object.
thalweg_abi::export_plugin!(thalweg_ollama::Package);
