//! A tool that does arithmetic. The shared object.
thalweg_abi::export_plugin!(thalweg_calculator::Package);
