//! The dialect of the second Cohere API. The shared object.
thalweg_abi::export_plugin!(thalweg_cohere::Package);
