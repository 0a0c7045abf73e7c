//! Padding of a plaintext before it is sealed, which hides the exact size of the content.
//!
//! Padmé, from Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019,
//! section 4: a length has as many significant bits as its exponent needs bits. It adds at most 12 %, and 3 % at a
//! gibibyte.

use serde::{Deserialize, Serialize};

/// Padding of a payload's plaintext with zero bytes after its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Up to the next size of Padmé.
    Padme,
    /// None: the encrypted size shows the size of the content and of its metadata.
    None,
}

impl Padding {
    /// Returns the padded size of a plaintext of `bytes` bytes, envelope included.
    ///
    /// Saturates at [`u64::MAX`].
    #[must_use]
    pub const fn padded_size(self, bytes: u64) -> u64 {
        match self {
            Self::None => bytes,
            Self::Padme => {
                let step = step(bytes);
                match bytes.checked_next_multiple_of(step) {
                    Some(padded) => padded,
                    None => u64::MAX,
                }
            }
        }
    }
}

/// Returns the smallest size in bytes that Padmé pads to at least `padded` bytes.
///
/// The least that a plaintext of `padded` bytes contains, if its sender pads like this.
#[must_use]
pub const fn least_unpadded_size(padded: u64) -> u64 {
    match padded.checked_sub(1) {
        None | Some(0) => padded,
        Some(before) => before - before % step(before) + 1,
    }
}

/// Returns the distance between neighbouring sizes of Padmé at `bytes` bytes: a power of two.
const fn step(bytes: u64) -> u64 {
    match bytes.checked_ilog2() {
        // Sizes below 2 bytes stay as they are.
        None | Some(0) => 1,
        Some(exponent) => 1 << (exponent - (exponent.ilog2() + 1)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computes the padded size as in the paper.
    ///
    /// With floating-point logarithms, which are exact for small numbers.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^20")]
    fn from_the_paper(bytes: u32) -> u64 {
        let exponent = f64::from(bytes).log2().floor();
        let significant = exponent.log2().floor() + 1.0;
        let step = (exponent - significant).exp2();
        ((f64::from(bytes) / step).ceil() * step) as u64
    }

    #[test]
    fn small_sizes_are_those_of_the_paper() {
        for bytes in 2..200_000 {
            assert_eq!(Padding::Padme.padded_size(bytes.into()), from_the_paper(bytes), "{bytes}");
        }
    }

    #[test]
    fn sizes_around_powers_of_two() {
        let padded = |bytes| Padding::Padme.padded_size(bytes);
        for (bytes, expected) in [
            (0, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (9, 10),
            (255, 256),
            (256, 256),
            (257, 272),
            ((1 << 20) - 1, 1 << 20),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + (1 << 15)),
            ((1 << 30) + 1, (1 << 30) + (1 << 25)),
            // Here a logarithm in 64-bit floating point is rounded up to the next power of two.
            ((1 << 53) - 1, 1 << 53),
            ((1 << 53) + 1, (1 << 53) + (1 << 47)),
            (u64::MAX - (1 << 57), u64::MAX - (1 << 57) + 1),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(padded(bytes), expected, "{bytes}");
            assert_eq!(Padding::None.padded_size(bytes), bytes);
        }
    }

    proptest! {
        #[test]
        fn padding_is_idempotent_small_and_monotonic(bytes in 0..=u64::MAX >> 1, shift in 0..60_u32, more in 0..5_000_u64) {
            let bytes = bytes >> shift;
            let padded = Padding::Padme.padded_size(bytes);
            prop_assert!(bytes <= padded && padded - bytes <= bytes / 8);
            prop_assert_eq!(Padding::Padme.padded_size(padded), padded);
            prop_assert!(padded <= Padding::Padme.padded_size(bytes + more));
        }

        #[test]
        fn the_least_size_pads_to_the_same(bytes in 0..=u64::MAX >> 1, shift in 0..60_u32) {
            let padded = Padding::Padme.padded_size(bytes >> shift);
            let least = least_unpadded_size(padded);
            prop_assert!(least <= bytes >> shift);
            prop_assert_eq!(Padding::Padme.padded_size(least), padded);
            prop_assert!(least == 0 || Padding::Padme.padded_size(least - 1) < padded);
        }
    }
}
