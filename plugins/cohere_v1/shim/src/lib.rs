//! The dialect of the first Cohere API. The shared object.
thalweg_abi::export_plugin!(thalweg_cohere_v1::Package);
