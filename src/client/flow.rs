//! Choice of the data path: through the service, or directly to and from the payload store.

use super::{ClientError, Origin};
use crate::domain::wire::Flow;

/// Allowed data path of payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowChoice {
    /// The path that the service names; the service itself if the payload store cannot be reached.
    #[default]
    Auto,
    /// Only directly between this machine and the payload store, by presigned URLs.
    Presigned,
    /// Only through the service.
    Bytes,
}

impl FlowChoice {
    /// Checks that the service offers the chosen path.
    ///
    /// Passes [`FlowChoice::Bytes`] with a payload store: only a created transfer shows whether the service itself
    /// accepts bytes as well.
    pub(super) fn check(self, offered: Flow, origin: &Origin) -> Result<(), ClientError> {
        match (self, offered) {
            (Self::Presigned, Flow::Bytes) => Err(ClientError::Flow { origin: origin.clone(), flow: Flow::Presigned }),
            _ => Ok(()),
        }
    }
}
