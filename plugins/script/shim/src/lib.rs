//! A provider that plays a script, to test agents without a model. The shared object.
thalweg_abi::export_plugin!(thalweg_script::Package);
