//! Full records as they stand in a hash: with their own sum as the last key.

use nomad_clients::store::meta;

const END: usize = r#","sum":"0123456789abcdef"}"#.len();

pub(crate) fn sealed(full: &[u8]) -> Vec<u8> {
    let open = &full[..full.len() - 1];
    [open, format!(r#","sum":"{}"}}"#, meta::sum(open)).as_bytes()].concat()
}

/// `None` if its sum is not the right one.
pub(crate) fn unsealed(stored: &[u8]) -> Option<Vec<u8>> {
    let full = [stored.get(..stored.len().checked_sub(END)?)?, b"}"].concat();
    (sealed(&full) == stored).then_some(full)
}
