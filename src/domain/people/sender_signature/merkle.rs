//! Merkle tree hash over the segments of a payload (RFC 6962, section 2.1).

use aws_lc_rs::digest::{Context, SHA256};

/// Hash of one segment: SHA-256 of a zero byte and the encrypted bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafHash([u8; 32]);

impl LeafHash {
    /// Hashes a segment: its encrypted bytes, with the header in the first one.
    #[must_use]
    pub fn of(segment: &[u8]) -> Self {
        Self(hash(&[&[0], segment]))
    }
}

/// Returns the tree hash of the segments of a payload, in their order.
#[must_use]
pub fn tree_hash(leaves: &[LeafHash]) -> [u8; 32] {
    match leaves {
        [] => hash(&[]),
        [leaf] => leaf.0,
        _ => {
            // The largest power of two below the number of leaves.
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(&[&[1], &tree_hash(left), &tree_hash(right)])
        }
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::hex;

    #[test]
    fn the_hash_is_that_of_rfc_6962() {
        // The test vectors of Certificate Transparency: leaves and the roots of their first 1 to 8.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves = leaves.map(LeafHash::of);
        for (number, root) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
            (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
            (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(hex(&tree_hash(&leaves[..number])), root, "{number} leaves");
        }
    }
}
