//! What is tried on a plugin that lists its models.

use std::collections::HashSet;

use thalweg::plugin::list_models;
use thalweg_abi::host::Models;

/// The list is one, twice, and no model is in it twice.
pub(super) fn lists_models(models: &Models) -> Result<String, String> {
    let mut count = 0;
    for _ in 0..2 {
        let list = list_models(models).map_err(|error| error.to_string())?;
        let mut ids = HashSet::new();
        if let Some(twice) = list.iter().find(|model| !ids.insert(&model.id)) {
            return Err(format!("the model {:?} is listed twice", twice.id));
        }
        count = list.len();
    }
    Ok(format!("{count} models"))
}
