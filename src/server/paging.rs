//! Where a page of a list begins.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::error::Error;
use crate::domain::wire::PageQuery;

/// The id after which a page begins.
///
/// # Errors
/// [`Error::InvalidRequest`] for one of another form.
pub(super) fn after<T>(query: &PageQuery) -> Result<Option<T>, Error>
where
    T: FromStr,
    T::Err: Display,
{
    let parsed = query.after.as_ref().map(|after| after.parse()).transpose();
    parsed.map_err(|error| Error::InvalidRequest(format!("after: {error}")))
}
