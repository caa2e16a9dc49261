//! The dialects of Amazon Bedrock. The shared object.
thalweg_abi::export_plugin!(thalweg_bedrock::Package);
