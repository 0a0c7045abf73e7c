//! Pagination of list requests.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::error::Error;
use crate::domain::wire::PageQuery;

/// Parses the `after` parameter of a list request: the id of the last item of the previous page.
///
/// # Errors
/// [`Error::InvalidRequest`] if `after` is malformed.
pub(crate) fn after<T>(query: &PageQuery) -> Result<Option<T>, Error>
where
    T: FromStr,
    T::Err: Display,
{
    let parsed = query.after.as_ref().map(|after| after.parse()).transpose();
    parsed.map_err(|error| Error::InvalidRequest(format!("after: {error}")))
}
