//! Which way payload bytes go, where there is a choice.

use super::{ClientError, Origin};
use crate::domain::wire::Flow;

/// Which way payload bytes may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowChoice {
    /// As the service says, and through the service where its payload store cannot be reached.
    #[default]
    Auto,
    /// Between this machine and the payload store only.
    Presigned,
    /// Through the service only.
    Bytes,
}

impl FlowChoice {
    /// Refuses a service whose way is not the chosen one. One with a payload store may take bytes itself as well, which
    /// shows when a transfer is there.
    pub(super) fn check(self, offered: Flow, origin: &Origin) -> Result<(), ClientError> {
        match (self, offered) {
            (Self::Presigned, Flow::Bytes) => Err(ClientError::Flow { origin: origin.clone(), flow: Flow::Presigned }),
            _ => Ok(()),
        }
    }
}
