//! A deserializer that reads some keys of an object and skips the others, which become empty.

use std::cell::Cell;
use std::fmt;

use serde::de::value::{self, MapDeserializer, StrDeserializer};
use serde::de::{
    Deserialize as _, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::Record;

/// One field, or some members of one that holds texts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedKey {
    pub(super) name: &'static str,
    /// `None` = all.
    pub(super) members: Option<Vec<String>>,
}

/// How much of one field is wanted.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Nothing,
    Members(&'a [String]),
    Whole,
}

impl<'a> Part<'a> {
    /// Of the field of this name.
    fn of(name: &str, wanted: &'a [WantedKey]) -> Self {
        match wanted.iter().find(|key| key.name == name) {
            None => Self::Nothing,
            Some(WantedKey { members: None, .. }) => Self::Whole,
            Some(WantedKey { members: Some(members), .. }) => Self::Members(members),
        }
    }
}

/// The records of a JSON array.
pub(super) struct Records<'a>(pub(super) &'a [WantedKey]);

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

struct One<'a>(&'a [WantedKey]);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Record;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Record, D::Error> {
        Record::deserialize(PartialDeserializer { from, wanted: self.0 })
    }
}

/// An object of which only some keys are read.
pub(super) struct PartialDeserializer<'a, D> {
    pub(super) from: D,
    pub(super) wanted: &'a [WantedKey],
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for PartialDeserializer<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.from.deserialize_map(PartialObject { visitor, wanted: self.wanted })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct PartialObject<'a, V> {
    visitor: V,
    wanted: &'a [WantedKey],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for PartialObject<'_, V> {
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
    wanted: &'a [WantedKey],
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
                let texts = self.members.next_value_seed(SomeTexts(names))?;
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
    wanted: &'a [WantedKey],
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
        self.part.set(Part::of(name, self.wanted));
        self.seed.deserialize(StrDeserializer::new(name))
    }
}

/// Some texts of an object, or null.
struct SomeTexts<'a>(&'a [String]);

type Pairs = Vec<(String, String)>;

impl<'de> DeserializeSeed<'de> for SomeTexts<'_> {
    type Value = Option<Pairs>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Pairs>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SomeTexts<'_> {
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

/// The texts that were read; `None` is an empty value of any type.
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
