//! The two services over a store.

pub mod store;
