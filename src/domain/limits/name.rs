//! Names of the limits that reject requests, for metrics.

/// Limit that rejects requests or connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitName {
    /// Requests per client address.
    ClientRate,
    /// Requests per sender token.
    TokenRate,
    /// Connections per network.
    Connections,
    /// Concurrent uploads and downloads through the service.
    PayloadStreams,
    /// Concurrent uploads per sender token.
    TokenUploads,
    /// Concurrent lists.
    Lists,
    /// Concurrent event streams of one token, or of the server.
    EventStreams,
    /// Memory of responses that clients have not read.
    UnreadResponses,
    /// Connections to the store.
    StoreConnections,
    /// Wrong access proofs per transfer and network.
    WrongProofs,
    /// Wrong admin and metrics keys per network.
    WrongKeys,
    /// New downloads of an unlimited transfer per network.
    NewDownloads,
    /// Quota of a sender token.
    Quota,
    /// Client events per transfer.
    Events,
}

impl LimitName {
    /// All limits.
    pub const ALL: [Self; 14] = [
        Self::ClientRate,
        Self::TokenRate,
        Self::Connections,
        Self::PayloadStreams,
        Self::TokenUploads,
        Self::Lists,
        Self::EventStreams,
        Self::UnreadResponses,
        Self::StoreConnections,
        Self::WrongProofs,
        Self::WrongKeys,
        Self::NewDownloads,
        Self::Quota,
        Self::Events,
    ];

    /// Returns the name as used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientRate => "client_rate",
            Self::TokenRate => "token_rate",
            Self::Connections => "connections",
            Self::PayloadStreams => "payload_streams",
            Self::TokenUploads => "token_uploads",
            Self::Lists => "lists",
            Self::EventStreams => "event_streams",
            Self::UnreadResponses => "unread_responses",
            Self::StoreConnections => "store_connections",
            Self::WrongProofs => "wrong_proofs",
            Self::WrongKeys => "wrong_keys",
            Self::NewDownloads => "new_downloads",
            Self::Quota => "quota",
            Self::Events => "events",
        }
    }
}
