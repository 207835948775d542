//! The lists of a record, as long at once as they become: each time one grows takes a lock of the allocator (realloc(3)).

use super::record::HierarchyRecord;
use crate::shared_text::SharedText;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// There are twelve controllers of version 1, and hierarchies of a name alone (cgroups(7)).
const HIERARCHIES: usize = 16;

/// As many as there are kinds of namespaces.
const NAMESPACES: usize = 8;

/// A list of one for each hierarchy, whose texts lie in one block.
pub(super) fn hierarchies<'de, D>(from: D) -> Result<Vec<HierarchyRecord>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Read<'a> {
        version: u8,
        #[serde(borrow)]
        controllers: &'a RawValue,
        #[serde(borrow)]
        path: Cow<'a, str>,
        dev: u64,
        ino: u64,
    }
    #[derive(Deserialize)]
    struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
    let read: Vec<Read<'de>> = with_room(from, HIERARCHIES)?;
    let length = |one: &Read<'_>| one.controllers.get().len() + one.path.len();
    let mut whole = String::with_capacity(read.iter().map(length).sum());
    let mut ends = Vec::with_capacity(read.len());
    for one in &read {
        let names: Vec<Name<'_>> =
            serde_json::from_str(one.controllers.get()).map_err(Error::custom)?;
        for (place, Name(name)) in names.into_iter().enumerate() {
            whole.push_str(if place == 0 { "" } else { "," });
            whole.push_str(&name);
        }
        let middle = whole.len();
        whole.push_str(&one.path);
        ends.push((middle, whole.len()));
    }
    let whole = SharedText::from(whole);
    let mut list = Vec::with_capacity(read.len());
    let mut begin = 0;
    for (one, (middle, end)) in read.into_iter().zip(ends) {
        list.push(HierarchyRecord {
            version: one.version,
            controllers: whole.slice(begin..middle).into(),
            path: whole.slice(middle..end),
            dev: one.dev,
            ino: one.ino,
        });
        begin = end;
    }
    Ok(list)
}

/// A list of one for each kind of namespace.
pub(super) fn namespaces<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    with_room(from, NAMESPACES)
}

fn with_room<'de, D, T>(from: D, room: usize) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Room<T>(usize, PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Room<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::with_capacity(self.0);
            while let Some(one) = from.next_element()? {
                list.push(one);
            }
            Ok(list)
        }
    }

    from.deserialize_seq(Room(room, PhantomData))
}

#[cfg(test)]
mod tests {
    use crate::state::CgroupRecord;

    fn record(count: usize, path: &str) -> String {
        let one = |number| {
            format!(
                r#"{{"version":1,"controllers":["c{number}","x\u0041"],"path":"{path}{number}","dev":1,"ino":{number}}}"#
            )
        };
        let all: Vec<String> = (0..count).map(one).collect();
        let all = all.join(",");
        format!(r#"{{"hierarchies":[{all}],"made_parents":[]}}"#)
    }

    #[test]
    fn paths_and_controllers_are_read_whatever_they_hold_and_however_many_they_are() {
        for count in [0, 1, 17, 40] {
            for (written, path) in [("/c/é", "/c/é"), (r"/c/a\\x2d\u0042", r"/c/a\x2dB")] {
                let read: CgroupRecord = serde_json::from_str(&record(count, written)).unwrap();
                assert_eq!(read.hierarchies.len(), count);
                for (number, one) in read.hierarchies.iter().enumerate() {
                    assert_eq!(&*one.path, format!("{path}{number}"));
                    assert_eq!(one.controllers.text(), format!("c{number},xA"));
                    assert_eq!((one.version, one.dev, one.ino), (1, 1, number as u64));
                }
                let again = serde_json::to_string(&read).unwrap();
                assert_eq!(serde_json::from_str::<CgroupRecord>(&again).unwrap(), read);
            }
        }
    }

    #[test]
    fn what_is_no_such_list_is_an_error() {
        for wrong in ["1", "[1]", r#"{"a":1}"#, "null"] {
            let text = record(1, "/c").replace(r#"["c0","x\u0041"]"#, wrong);
            assert!(serde_json::from_str::<CgroupRecord>(&text).is_err());
            let text = format!(r#"{{"hierarchies":{wrong},"made_parents":[]}}"#);
            assert!(serde_json::from_str::<CgroupRecord>(&text).is_err());
        }
    }
}
