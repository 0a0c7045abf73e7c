//! Uploads of guests for a request: whose they are, and who may continue them.

use serde::{Deserialize, Serialize};

use super::Transfer;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::guest_proof::GuestProof;
use crate::domain::error::Error;
use crate::domain::id::TokenId;
use crate::domain::token::{ReservationMark, Token};

/// Guest who creates a transfer for a request.
#[derive(Clone, Copy, Debug)]
pub struct Guest<'a> {
    /// Token of the owner of the request.
    pub owner: &'a Token,
    /// SHA-256 of the guest proof.
    pub proof_sha256: Sha256,
}

/// Part of a transfer's record that only uploads for a request have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestUpload {
    /// Id of the owner's token.
    pub owner: TokenId,
    /// SHA-256 of the proof that continues the upload, or deletes it.
    pub proof_sha256: Sha256,
    /// Mark of the reservation in the quota of the owner.
    pub owner_reservation: ReservationMark,
}

impl Transfer {
    /// Returns the id of the token whose holder reads, changes and deletes the transfer.
    ///
    /// The creating token, or for the upload of a guest, the token of the request's owner.
    #[must_use]
    pub fn owner(&self) -> TokenId {
        self.guest.map_or(self.token_id, |guest| guest.owner)
    }

    /// Returns the id of the request that the transfer was uploaded for.
    #[must_use]
    pub fn request(&self) -> Option<TokenId> {
        self.guest.map(|_| self.token_id)
    }

    /// Returns the ids of the tokens whose quotas count the transfer.
    pub fn charged_tokens(&self) -> impl Iterator<Item = TokenId> + use<> {
        std::iter::once(self.token_id).chain(self.guest.map(|guest| guest.owner))
    }

    /// Returns the mark of the reservation for the transfer in the quota of `token`.
    #[must_use]
    pub fn reservation_in(&self, token: TokenId) -> Option<ReservationMark> {
        match self.guest {
            _ if token == self.token_id => self.reservation,
            Some(guest) if token == guest.owner => Some(guest.owner_reservation),
            _ => None,
        }
    }

    /// Checks that the holder of the token `token` owns the transfer.
    ///
    /// # Errors
    /// [`Error::NotYourTransfer`].
    pub fn check_owner(&self, token: TokenId) -> Result<(), Error> {
        if self.owner() == token { Ok(()) } else { Err(Error::NotYourTransfer) }
    }

    /// Checks that the holder of `token` and `proof` may upload the transfer.
    ///
    /// # Errors
    /// [`Error::NotYourTransfer`]; [`Error::GuestProofInvalid`] without the proof of the guest who created it.
    pub fn check_uploader(&self, token: TokenId, proof: Option<&GuestProof>) -> Result<(), Error> {
        if self.token_id != token {
            return Err(Error::NotYourTransfer);
        }
        match self.guest {
            Some(guest) if !proof.is_some_and(|proof| proof.matches(&guest.proof_sha256)) => {
                Err(Error::GuestProofInvalid)
            }
            _ => Ok(()),
        }
    }
}
