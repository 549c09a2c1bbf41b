//! The copies of publications that hosts keep, to spoil and to forge.

use std::path::Path;

use nomad_clients::store::meta::{self, Meta};

/// A copy as it stands in its file: fields of the header, and the bytes.
pub(super) struct Copied {
    fields: Vec<String>,
    bytes: Vec<u8>,
}

impl Copied {
    /// `None` if there is none, or one whose header is spoilt.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut head = std::fs::read(path).ok()?;
        let end = head.iter().position(|byte| *byte == b'\n')?;
        let bytes = head.split_off(end + 1);
        let head = String::from_utf8(head).ok()?;
        let fields: Vec<String> = head.trim_end().split('|').map(str::to_owned).collect();
        (fields.len() == 8).then_some(Self { fields, bytes })
    }

    /// Whether it is whole, and of the records of this length and sum.
    pub(super) fn is_of(&self, len_and_sum: &str) -> bool {
        self.fields.join("|").contains(len_and_sum) && self.fields[7] == meta::sum(&self.bytes)
    }

    /// It claims to be of these records, or, without, to be whole.
    pub(super) fn forge(mut self, of: Option<&Meta>, path: &Path) {
        if let Some(Meta { len, sum, .. }) = of {
            (self.fields[4], self.fields[5]) = (len.to_string(), sum.clone());
        } else {
            (self.fields[6], self.fields[7]) =
                (self.bytes.len().to_string(), meta::sum(&self.bytes));
        }
        let head = self.fields.join("|") + "\n";
        std::fs::write(path, [head.as_bytes(), &self.bytes].concat()).unwrap();
    }
}
