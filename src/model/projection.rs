//! Reads only the fields of a node that are needed; the rest of its JSON is skipped and stays empty.
//!
//! A table of ten fields needs a tenth of what a record holds, and one attribute a hundredth of a
//! full record. The types are those of [`node`](super::node).

use serde::Deserialize as _;
use serde::de::Deserializer as _;

use super::node::{Extra, Record};
use super::partial::{PartialDeserializer, Records, WantedKey};
use super::selection::field::{Field, KNOWN};

/// The fields to read; `None` = all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Option<RecordKeys>);

/// The keys of a record and those that only a full record has are read separately: each ignores
/// the keys of the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct RecordKeys {
    record: Vec<WantedKey>,
    extra: Vec<WantedKey>,
}

impl Wanted {
    /// All fields.
    pub fn everything() -> Self {
        Self(None)
    }

    /// These keys of the JSON; the id always.
    pub fn keys(keys: &[&'static str]) -> Self {
        let mut of = RecordKeys::default();
        for name in ["id"].iter().chain(keys) {
            of.add(WantedKey { name, members: None });
        }
        Self(Some(of))
    }

    /// These fields too.
    #[must_use]
    pub fn and<'a>(mut self, fields: impl IntoIterator<Item = &'a Field>) -> Self {
        for field in fields {
            if let Some(keys) = &mut self.0 {
                let members = field.map_key().map(|member| vec![member.to_owned()]);
                keys.add(WantedKey { name: field.root(), members });
            }
        }
        self
    }

    /// The records of a JSON array.
    ///
    /// # Errors
    /// A wanted field can't be read.
    pub fn records(&self, all: &[u8]) -> serde_json::Result<Vec<Record>> {
        match &self.0 {
            None => serde_json::from_slice(all),
            Some(keys) => {
                serde_json::Deserializer::from_slice(all).deserialize_seq(Records(&keys.record))
            }
        }
    }

    /// The fields that only a full record has.
    ///
    /// # Errors
    /// A wanted field can't be read.
    pub fn extra(&self, json: &[u8]) -> serde_json::Result<Extra> {
        let Some(keys) = &self.0 else { return serde_json::from_slice(json) };
        if keys.extra.is_empty() {
            return Ok(Extra::default());
        }
        let from = &mut serde_json::Deserializer::from_slice(json);
        Extra::deserialize(PartialDeserializer { from, wanted: &keys.extra })
    }
}

impl RecordKeys {
    /// Members of the same field are read together.
    fn add(&mut self, new: WantedKey) {
        let is_full = KNOWN.iter().any(|known| known.full && known.key == new.name);
        let keys = if is_full { &mut self.extra } else { &mut self.record };
        match keys.iter_mut().find(|key| key.name == new.name) {
            None => keys.push(new),
            Some(key) => match (&mut key.members, new.members) {
                (Some(members), Some(more)) => members.extend(more),
                (members, _) => *members = None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use crate::model::node::Full;
    use crate::model::selection::field::{self, KNOWN};

    const NODE: &str = r#"{"id":"6f1c36aa-0000-4000-8000-000000000001","name":"node-1",
        "status":"ready","status_description":"x","eligibility":"eligible","drain":true,
        "datacenter":"dc1","node_class":"c","node_pool":"p","address":"10.0.0.5","version":"1.9.3",
        "os":"ubuntu","arch":"amd64","cpu_mhz":9600,"cpu_cores":4,"memory_mb":15990,
        "disk_mb":51200,"drivers":{"docker":"healthy"},"meta":{"rack":"r1","row":"2"},
        "last_drain":null,"create_index":7,"modify_index":42,"attributes":{"a.b":"1","c":"2"},
        "resources":null,"reserved":null,"host_volumes":{},"host_networks":null,"later":[1]}"#;

    fn full(wanted: &Wanted) -> serde_json::Result<Full> {
        let record = wanted.records(format!("[{NODE}]").as_bytes())?.remove(0);
        Ok(Full { record, extra: wanted.extra(NODE.as_bytes())? })
    }

    /// Each field alone has its value, and every other one is empty.
    #[test]
    fn a_field_that_is_wanted_is_read_and_nothing_else() {
        let whole = Full::from_json(NODE.as_bytes()).unwrap();
        for known in KNOWN {
            let fields = field::parse_list(known.key).unwrap();
            let read = full(&Wanted::keys(&[]).and(&fields)).unwrap();
            assert_eq!(fields[0].value(&read), fields[0].value(&whole), "{}", known.key);
            let others = KNOWN.iter().filter(|other| ![known.key, "id"].contains(&other.key));
            for other in others {
                let value = field::parse_list(other.key).unwrap()[0].value(&read);
                let empty = [serde_json::json!(""), serde_json::json!(false), serde_json::json!(0)];
                let is_empty = value.is_null()
                    || empty.contains(&value)
                    || value.as_object().is_some_and(serde_json::Map::is_empty);
                assert!(is_empty, "{} beside {}: {value}", other.key, known.key);
            }
        }
    }

    #[test]
    fn members_alone_together_and_all() {
        let value = |wanted: &str, asked: &str| {
            let wanted = Wanted::keys(&[]).and(&field::parse_list(wanted).unwrap());
            field::parse_list(asked).unwrap()[0].value(&full(&wanted).unwrap())
        };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value("meta.rack", "meta"), json(r#"{"rack":"r1"}"#));
        assert_eq!(value("attr.a.b,attr.c", "attributes"), json(r#"{"a.b":"1","c":"2"}"#));
        assert_eq!(value("meta.rack,meta", "meta"), json(r#"{"rack":"r1","row":"2"}"#));
        assert_eq!(value("meta.none", "meta"), json("{}"));
        assert_eq!(value("drivers.docker", "drivers.docker"), json("\"healthy\""));
    }

    #[test]
    fn what_can_not_be_read_is_an_error_also_here() {
        let wanted = Wanted::keys(&["name"]);
        for json in ["[]", "{}", r#"{"id":"no uuid"}"#, &NODE.replace("\"node-1\"", "5")] {
            assert!(wanted.records(format!("[{json}]").as_bytes()).is_err(), "{json}");
        }
        let all = format!("[{NODE},{NODE}]");
        assert_eq!(wanted.records(all.as_bytes()).unwrap().len(), 2);
        assert!(wanted.records(&all.as_bytes()[..all.len() - 1]).is_err());
        assert_eq!(Wanted::everything().records(b"[]").unwrap(), []);
    }

    /// A forged record may hold whatever it likes under names that only full records have.
    #[test]
    fn the_keys_of_the_other_half_are_not_looked_at() {
        let name_and =
            |field: &str| Wanted::keys(&["name"]).and(&field::parse_list(field).unwrap());
        let record = NODE.replace(r#""attributes":{"a.b":"1","c":"2"}"#, r#""attributes":5"#);
        let read = name_and("attr.a.b").records(format!("[{record}]").as_bytes()).unwrap();
        assert_eq!(read[0].name, "node-1");
        let full = NODE.replace(r#""meta":{"rack":"r1","row":"2"}"#, r#""meta":5"#);
        let read = name_and("meta.rack,attr.c").extra(full.as_bytes()).unwrap();
        assert_eq!(read.attributes.unwrap().len(), 1);
    }
}
