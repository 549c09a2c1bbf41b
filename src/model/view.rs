//! Reading only what is wanted of a node: the rest of its JSON is skipped and stays empty.
//!
//! A table of ten fields needs a tenth of what a record holds, and one attribute a hundredth of a
//! full record. The types stay those of [`node`](super::node): what is skipped reads as nothing.

use std::cell::Cell;
use std::fmt;

use serde::de::value::{self, MapDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::field::{Field, KNOWN};
use super::node::{Extra, Record};

/// The fields to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Option<Vec<Key>>);

/// One field, or some members of one that holds texts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    name: &'static str,
    /// `None` = all.
    members: Option<Vec<String>>,
}

impl Wanted {
    /// Everything that there is.
    pub fn everything() -> Self {
        Self(None)
    }

    /// These keys of the JSON; the id always.
    pub fn keys(keys: &[&'static str]) -> Self {
        let ids = ["id"].iter().chain(keys);
        Self(Some(ids.map(|name| Key { name, members: None }).collect()))
    }

    /// These fields too.
    #[must_use]
    pub fn and<'a>(mut self, fields: impl IntoIterator<Item = &'a Field>) -> Self {
        for field in fields {
            if let Some(keys) = &mut self.0 {
                let members = field.map_key().map(|member| vec![member.to_owned()]);
                add(keys, Key { name: field.root(), members });
            }
        }
        self
    }

    fn key(&self, name: &str) -> Part<'_> {
        let Some(keys) = &self.0 else { return Part::Whole };
        match keys.iter().find(|key| key.name == name) {
            None => Part::Nothing,
            Some(Key { members: None, .. }) => Part::Whole,
            Some(Key { members: Some(members), .. }) => Part::Members(members),
        }
    }

    /// Whether something is wanted that only full records have.
    fn wants_extra(&self) -> bool {
        let full = |name: &str| KNOWN.iter().any(|known| known.full && known.key == name);
        self.0.as_ref().is_none_or(|keys| keys.iter().any(|key| full(key.name)))
    }

    /// The records of a JSON array.
    ///
    /// # Errors
    /// What is wanted can't be read.
    pub fn records(&self, all: &[u8]) -> serde_json::Result<Vec<Record>> {
        match self.0 {
            None => serde_json::from_slice(all),
            Some(_) => serde_json::Deserializer::from_slice(all).deserialize_seq(Records(self)),
        }
    }

    /// What a full record has beside its record.
    ///
    /// # Errors
    /// What is wanted can't be read.
    pub fn extra(&self, json: &[u8]) -> serde_json::Result<Extra> {
        if self.wants_extra() { self.part(json) } else { Ok(Extra::default()) }
    }

    fn part<'de, T: Deserialize<'de>>(&self, json: &'de [u8]) -> serde_json::Result<T> {
        T::deserialize(Picking {
            from: &mut serde_json::Deserializer::from_slice(json),
            wanted: self,
        })
    }
}

/// Two wishes for members of the same field are one wish for all of them.
fn add(keys: &mut Vec<Key>, new: Key) {
    match keys.iter_mut().find(|key| key.name == new.name) {
        None => keys.push(new),
        Some(key) => match (&mut key.members, new.members) {
            (Some(members), Some(more)) => members.extend(more),
            (members, _) => *members = None,
        },
    }
}

/// How much of one field is wanted.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Nothing,
    Members(&'a [String]),
    Whole,
}

struct Records<'a>(&'a Wanted);

impl<'de> Visitor<'de> for Records<'_> {
    type Value = Vec<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Vec<Record>, A::Error> {
        let mut read = Vec::new();
        while let Some(record) = records.next_element_seed(One(self.0))? {
            read.push(record);
        }
        Ok(read)
    }
}

struct One<'a>(&'a Wanted);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Record;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Record, D::Error> {
        Record::deserialize(Picking { from, wanted: self.0 })
    }
}

/// An object of which only some keys are read.
struct Picking<'a, D> {
    from: D,
    wanted: &'a Wanted,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Picking<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.from.deserialize_map(Object { visitor, wanted: self.wanted })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Object<'a, V> {
    visitor: V,
    wanted: &'a Wanted,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        let part = Cell::new(Part::Nothing);
        self.visitor.visit_map(Members { members, wanted: self.wanted, part: &part })
    }
}

struct Members<'a, A> {
    members: A,
    wanted: &'a Wanted,
    /// Of the key that was read last.
    part: &'a Cell<Part<'a>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.members.next_key_seed(Name { seed, wanted: self.wanted, part: self.part })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.part.get() {
            Part::Whole => self.members.next_value_seed(seed),
            Part::Members(names) => {
                let texts = self.members.next_value_seed(Few(names))?;
                seed.deserialize(Texts(texts)).map_err(A::Error::custom)
            }
            Part::Nothing => {
                self.members.next_value::<IgnoredAny>()?;
                seed.deserialize(Texts(None)).map_err(A::Error::custom)
            }
        }
    }
}

/// A key; notes how much of its value is wanted.
struct Name<'a, K> {
    seed: K,
    wanted: &'a Wanted,
    part: &'a Cell<Part<'a>>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<'_, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<K::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Name<'_, K> {
    type Value = K::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<K::Value, E> {
        self.part.set(self.wanted.key(name));
        self.seed.deserialize(StrDeserializer::new(name))
    }
}

/// Some texts of an object, or null.
struct Few<'a>(&'a [String]);

type Pairs = Vec<(String, String)>;

impl<'de> DeserializeSeed<'de> for Few<'_> {
    type Value = Option<Pairs>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Pairs>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Few<'_> {
    type Value = Option<Pairs>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts by name, or null")
    }

    fn visit_unit<E>(self) -> Result<Option<Pairs>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut texts: A) -> Result<Option<Pairs>, A::Error> {
        let mut pairs = Pairs::new();
        while let Some(wanted) = texts.next_key_seed(OneOf(self.0))? {
            match wanted {
                Some(name) => pairs.push((name.clone(), texts.next_value()?)),
                None => drop(texts.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(pairs))
    }
}

/// Which of the names a key is.
struct OneOf<'a>(&'a [String]);

impl<'de, 'a> DeserializeSeed<'de> for OneOf<'a> {
    type Value = Option<&'a String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for OneOf<'a> {
    type Value = Option<&'a String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|wanted| *wanted == name))
    }
}

/// What was read of texts by name; `None` is nothing of whatever type is asked for.
struct Texts(Option<Pairs>);

impl<'de> Deserializer<'de> for Texts {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_map(MapDeserializer::new(self.0.unwrap_or_default().into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        match self.0 {
            None => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_str("")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_u64(0)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use crate::model::field::{self, KNOWN};
    use crate::model::node::Full;

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
            let fields = field::list(known.key).unwrap();
            let read = full(&Wanted::keys(&[]).and(&fields)).unwrap();
            assert_eq!(fields[0].value(&read), fields[0].value(&whole), "{}", known.key);
            let others = KNOWN.iter().filter(|other| ![known.key, "id"].contains(&other.key));
            for other in others {
                let value = field::list(other.key).unwrap()[0].value(&read);
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
            let wanted = Wanted::keys(&[]).and(&field::list(wanted).unwrap());
            field::list(asked).unwrap()[0].value(&full(&wanted).unwrap())
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
}
