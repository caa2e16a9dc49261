//! State by type: one value of each type, for an actor across its restarts, or for all actors of a system.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// What an actor keeps across restarts. Without values, it takes no heap memory.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "most actors keep nothing, and there may be a million of them")]
pub struct State(Option<Box<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl State {
    /// The value of type `T`, made if there is none.
    pub fn entry<T: Default + Send + 'static>(&mut self) -> &mut T {
        let boxed = self.0.get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        boxed.downcast_mut().expect("a value is stored under its own type")
    }

    /// The value of type `T`.
    #[must_use]
    pub fn get<T: Send + 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Sets the value of type `T` and gives back the one before.
    pub fn set<T: Send + 'static>(&mut self, value: T) -> Option<T> {
        let before = self.0.get_or_insert_default().insert(TypeId::of::<T>(), Box::new(value))?;
        before.downcast().ok().map(|before| *before)
    }

    /// Takes the value of type `T` out.
    pub fn take<T: Send + 'static>(&mut self) -> Option<T> {
        self.0.as_mut()?.remove(&TypeId::of::<T>())?.downcast().ok().map(|value| *value)
    }
}

/// What all actors of a system share. A value is handed out as an `Arc`; what changes in it locks itself.
#[derive(Default)]
pub struct SharedState(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl SharedState {
    /// The value of type `T`, made if there is none.
    pub fn entry<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        // Made before the lock is taken: `default` is anybody's code.
        self.get().unwrap_or_else(|| {
            let made: Arc<dyn Any + Send + Sync> = Arc::new(T::default());
            let kept = lock(&self.0).entry(TypeId::of::<T>()).or_insert(made).clone();
            kept.downcast().expect("a value is stored under its own type")
        })
    }

    /// The value of type `T`.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let found = lock(&self.0).get(&TypeId::of::<T>()).cloned()?;
        found.downcast().ok()
    }

    /// Sets the value of type `T` and gives back the one before.
    pub fn set<T: Send + Sync + 'static>(&self, value: T) -> Option<Arc<T>> {
        let before = lock(&self.0).insert(TypeId::of::<T>(), Arc::new(value))?;
        before.downcast().ok()
    }
}
