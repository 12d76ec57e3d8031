//! The Merkle tree of `@openzeppelin/merkle-tree`, `StandardMerkleTree` of `(address, uint256)`. Pure.
//!
//! Source: <https://github.com/OpenZeppelin/merkle-tree>, `src/core.ts` and `src/standard.ts`: a leaf is
//! keccak256(keccak256(abi.encode(address, uint256))), leaves are sorted, pairs are sorted before they are hashed,
//! and the tree is an array with the root first and the leaves, in reverse order, last.

use alloy::primitives::{Address, B256, keccak256};
use base::amount::Base;

/// The tree over some values, in their order.
#[derive(Debug, Clone)]
pub struct MerkleTree {
    nodes: Vec<B256>,
    /// Where the leaf of each value stands among the nodes.
    places: Vec<usize>,
}

/// The hash of a value's leaf.
pub fn leaf(address: Address, amount: Base) -> B256 {
    let mut encoded = [0; 64];
    encoded[12..32].copy_from_slice(address.as_slice());
    encoded[32..].copy_from_slice(&amount.to_be_bytes::<32>());
    keccak256(keccak256(encoded))
}

fn node(a: B256, b: B256) -> B256 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let mut both = [0; 64];
    both[..32].copy_from_slice(low.as_slice());
    both[32..].copy_from_slice(high.as_slice());
    keccak256(both)
}

impl MerkleTree {
    /// The tree over these values; `None` for none, which have no root.
    pub fn new(values: impl IntoIterator<Item = (Address, Base)>) -> Option<Self> {
        let leaves: Vec<B256> = values.into_iter().map(|(address, amount)| leaf(address, amount)).collect();
        let size = (2 * leaves.len()).checked_sub(1)?;
        let mut order: Vec<usize> = (0..leaves.len()).collect();
        order.sort_by_key(|value| leaves.get(*value));
        let mut nodes = vec![B256::ZERO; size];
        let mut places = vec![0; leaves.len()];
        // The lowest leaf stands last.
        for (place, value) in (0..size).rev().zip(order) {
            if let (Some(slot), Some(leaf)) = (nodes.get_mut(place), leaves.get(value)) {
                *slot = *leaf;
            }
            if let Some(slot) = places.get_mut(value) {
                *slot = place;
            }
        }
        for place in (0..leaves.len() - 1).rev() {
            let hash = node(nodes[2 * place + 1], nodes[2 * place + 2]);
            nodes[place] = hash;
        }
        Some(Self { nodes, places })
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.nodes.first().copied().unwrap_or_default()
    }

    /// All nodes, the root first.
    pub fn nodes(&self) -> &[B256] {
        &self.nodes
    }

    /// Where the leaf of a value stands among the nodes; values are counted from 0 in the order given.
    pub fn place(&self, value: usize) -> Option<usize> {
        self.places.get(value).copied()
    }

    /// What `MerkleProof.verify` takes for a value, from its leaf to the root.
    pub fn proof(&self, value: usize) -> Option<Vec<B256>> {
        let mut place = self.place(value)?;
        let mut proof = Vec::new();
        while place > 0 {
            let sibling = if place.is_multiple_of(2) { place - 1 } else { place + 1 };
            proof.push(self.nodes.get(sibling).copied()?);
            place = (place - 1) / 2;
        }
        Some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(count: u64) -> Vec<(Address, Base)> {
        (0..count)
            .map(|n| (Address::left_padding_from(&(n * 7 + 1).to_be_bytes()), Base::from(n + 1)))
            .collect()
    }

    #[test]
    fn no_values_have_no_tree() {
        assert!(MerkleTree::new([]).is_none());
    }

    #[test]
    fn one_value_is_its_own_root() {
        let value = values(1)[0];
        let tree = MerkleTree::new([value]).unwrap();
        assert_eq!((tree.root(), tree.proof(0), tree.proof(1)), (leaf(value.0, value.1), Some(vec![]), None));
    }

    /// The example of the library's own readme.
    #[test]
    fn the_published_example() {
        let unit = Base::from(10u8).pow(Base::from(18u8));
        let values = [
            (Address::repeat_byte(0x11), Base::from(5u8) * unit),
            (Address::repeat_byte(0x22), Base::from(25u8) * unit / Base::from(10u8)),
        ];
        let tree = MerkleTree::new(values).unwrap();
        let published = "0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77";
        assert_eq!(tree.root().to_string(), published);
    }

    proptest! {
        #[test]
        fn every_proof_leads_to_the_root(count in 1u64..40) {
            let values = values(count);
            let tree = MerkleTree::new(values.iter().copied()).unwrap();
            prop_assert_eq!(tree.nodes().len(), values.len() * 2 - 1);
            for (n, (address, amount)) in values.iter().enumerate() {
                let leaf = leaf(*address, *amount);
                prop_assert_eq!(tree.nodes()[tree.place(n).unwrap()], leaf);
                let root = tree.proof(n).unwrap().into_iter().fold(leaf, node);
                prop_assert_eq!(root, tree.root());
            }
            let leaves = &tree.nodes()[values.len() - 1..];
            prop_assert!(leaves.windows(2).all(|w| w[0] > w[1]), "sorted, the lowest last");
        }
    }
}
