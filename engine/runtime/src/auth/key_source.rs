//! Keys that a function of the program gives, request by request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Error;
use crate::http::Secret;

type Giving = Pin<Box<dyn Future<Output = Result<Option<Secret>, String>> + Send>>;

/// A function that is asked for the key before each request, with the provider's name: keys that run out, or that a vault
/// or a person gives. What it gives goes where the provider's own key would go, and is never shown.
#[derive(Clone)]
pub struct KeySource(Arc<dyn Fn(&str) -> Giving + Send + Sync>);

impl KeySource {
    /// An async function. `None` stands for the key that there is without it; an error ends the request and must not
    /// hold a key itself.
    pub fn new<F, Fut>(function: F) -> Self
    where
        F: Fn(&str) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<String>, String>> + Send + 'static,
    {
        Self(Arc::new(move |provider| {
            let asked = function(provider);
            Box::pin(async move { Ok(asked.await?.map(|key| Secret::new(&key))) })
        }))
    }

    /// A function that answers at once.
    pub fn sync<F>(function: F) -> Self
    where
        F: Fn(&str) -> Result<Option<String>, String> + Send + Sync + 'static,
    {
        Self::new(move |provider| std::future::ready(function(provider)))
    }

    pub(crate) async fn key(&self, provider: &str) -> Result<Option<Secret>, Error> {
        let given = (self.0)(provider).await;
        let given = given.map_err(|reason| Error::KeySource { provider: provider.to_owned(), reason })?;
        Ok(given.filter(|key| !key.is_empty()))
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource")
    }
}
