//! The part of a record that the default table shows, without a copy of its texts.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::node::{Full, NodeId, Record};
use super::snapshot::Unreadable;
use crate::parallel;

/// Each text is a part of the JSON, unless it is escaped there: to allocate a hundred thousand texts
/// takes longer than to read them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableRecord<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    #[serde(borrow)]
    pub eligibility: Cow<'a, str>,
    pub drain: bool,
    #[serde(borrow)]
    pub datacenter: Cow<'a, str>,
    #[serde(borrow)]
    pub node_pool: Cow<'a, str>,
    #[serde(borrow)]
    pub node_class: Cow<'a, str>,
    #[serde(borrow)]
    pub address: Cow<'a, str>,
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    #[serde(borrow)]
    pub last_drain: Option<DrainStatus<'a>>,
    /// The node that it is part of, where more than this was read.
    #[serde(skip)]
    pub full: Option<&'a Full>,
}

/// How the last drain of a node ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DrainStatus<'a> {
    #[serde(borrow)]
    pub status: Cow<'a, str>,
}

impl<'a> TableRecord<'a> {
    /// Those of whole nodes.
    pub fn of(nodes: &'a [Full]) -> Vec<Self> {
        nodes.iter().map(Self::from).collect()
    }

    /// Those of a JSON array of records.
    ///
    /// # Errors
    /// A field of a record can't be read.
    pub fn all(all: &'a [u8]) -> Result<Vec<Self>, Unreadable> {
        match parallel::slices(all, listed) {
            Some(records) => Ok(records),
            // Also what is wrong, and where.
            None => serde_json::from_slice(all).map_err(Unreadable::because),
        }
    }
}

impl<'a> From<&'a Record> for TableRecord<'a> {
    fn from(record: &'a Record) -> Self {
        let status = |status: &'a String| DrainStatus { status: status.into() };
        Self {
            id: record.id.as_str().into(),
            name: (&record.name).into(),
            status: (&record.status).into(),
            eligibility: (&record.eligibility).into(),
            drain: record.drain,
            datacenter: (&record.datacenter).into(),
            node_pool: (&record.node_pool).into(),
            node_class: (&record.node_class).into(),
            address: (&record.address).into(),
            version: (&record.version).into(),
            last_drain: record.last_drain.as_ref().map(|drain| status(&drain.status)),
            full: None,
        }
    }
}

impl<'a> From<&'a Full> for TableRecord<'a> {
    fn from(full: &'a Full) -> Self {
        Self { full: Some(full), ..Self::from(&full.record) }
    }
}

/// The records of an array without its brackets, as this program writes them: with a comma between
/// them and no white space. `None` if it is something else.
fn listed(mut json: &[u8]) -> Option<Vec<TableRecord<'_>>> {
    let mut records = Vec::new();
    while !json.is_empty() {
        let mut values = serde_json::Deserializer::from_slice(json).into_iter();
        let record = values.next()?.ok()?;
        if records.is_empty() {
            // Others are about as long: to grow would touch twice the memory.
            records.reserve(json.len() / values.byte_offset());
        }
        records.push(record);
        json = &json[values.byte_offset()..];
        if let [b',', _, ..] = json {
            json = &json[1..];
        } else if !json.is_empty() {
            return None;
        }
    }
    Some(records)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn id<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Cow<'a, str>, D::Error> {
    let Text(text) = Text::deserialize(from)?;
    NodeId::text(text).ok_or_else(|| D::Error::custom(NodeId::NO_UUID))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Record, TableRecord};
    use crate::model::node::Full;

    const NODE: &str = r#"{"id":"6f1c36aa-0000-4000-8000-000000000001","name":"node-1",
        "status":"ready","status_description":"x","eligibility":"eligible","drain":true,
        "datacenter":"dc1","node_class":"c","node_pool":"p","address":"10.0.0.5","version":"1.9.3",
        "os":"ubuntu","arch":"amd64","cpu_mhz":9600,"cpu_cores":4,"memory_mb":15990,
        "disk_mb":51200,"drivers":{"docker":"healthy"},"meta":{"rack":"r1","row":"2"},
        "last_drain":{"status":"complete","started_at":null,"updated_at":null,"accessor_id":"",
        "meta":{}},"create_index":7,"modify_index":42}"#;

    fn record(name: &str) -> String {
        let record: Record = serde_json::from_str(NODE).unwrap();
        let record = Record { name: name.to_owned(), ..record };
        String::from_utf8(Full::from(record).json(false)).unwrap()
    }

    /// As the program writes them, on one core and on several, and with any white space.
    #[test]
    fn all_are_read_as_whole_records_are() {
        let few = ["node-1", "no\"de\\ \u{1b}", "節点", "},{\"id\":\""].map(record);
        let many: Vec<String> = (0..6000).map(|at| record(&format!("node-{at}"))).collect();
        for records in [&[][..], &few[..1], &few, &many] {
            for (before, after) in [("", ""), (" ", ""), ("", "\n")] {
                let seam = format!("{after},{before}");
                let all = format!("[{before}{}{after}]", records.join(&seam));
                let whole: Vec<Record> = serde_json::from_str(&all).unwrap();
                let whole: Vec<TableRecord<'_>> = whole.iter().map(TableRecord::from).collect();
                assert_eq!(TableRecord::all(all.as_bytes()).unwrap(), whole);
            }
        }
    }

    #[test]
    fn texts_are_copied_only_if_they_are_escaped() {
        let all = format!("[{},{}]", record("plain"), record("quo\"te"));
        let read = TableRecord::all(all.as_bytes()).unwrap();
        assert!(matches!(read[0].name, Cow::Borrowed("plain")));
        assert!(matches!(read[1].name, Cow::Owned(_)));
        assert!(matches!(read[1].last_drain.as_ref().unwrap().status, Cow::Borrowed("complete")));
    }

    #[test]
    fn what_can_not_be_read_is_an_error() {
        let one = record("node-1");
        let upper = one.replace("6f1c36aa", "6F1C36AA");
        let upper = format!("[{upper}]");
        let read = TableRecord::all(upper.as_bytes()).unwrap();
        assert_eq!(read[0].id, "6f1c36aa-0000-4000-8000-000000000001");
        for all in [
            one.clone(),
            format!("[{one}"),
            format!("{one}]"),
            format!("[{one},]"),
            format!("[,{one}]"),
            format!("[{one}{one}]"),
            format!("[{one}],"),
            format!("[{}]", one.replace("6f1c36aa", "no uuid")),
            format!("[{}]", one.replace("true", "null")),
            format!("[{}]", one.replace("\"node-1\"", "5")),
            "[{}]".to_owned(),
            String::new(),
        ] {
            assert!(TableRecord::all(all.as_bytes()).is_err(), "{all}");
        }
    }
}
