//! The lists of a record, as long at once as they become: each time one grows takes a lock of the allocator (realloc(3)).

use super::record::HierarchyRecord;
use crate::shared_text::SharedText;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

/// There are twelve controllers of version 1, and hierarchies of a name alone (cgroups(7)).
const HIERARCHIES: usize = 16;

/// As many as there are kinds of namespaces.
const NAMESPACES: usize = 8;

/// So many lists of controllers are kept: a host's own, and those of another layout that a record may tell of.
const CONTROLLERS: usize = 2 * HIERARCHIES;

/// A list of one for each hierarchy, whose paths lie in one block.
pub(super) fn hierarchies<'de, D>(from: D) -> Result<Vec<HierarchyRecord>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Read<'a> {
        version: u8,
        #[serde(deserialize_with = "controllers")]
        controllers: Arc<[String]>,
        #[serde(borrow)]
        path: Cow<'a, str>,
        dev: u64,
        ino: u64,
    }
    let read: Vec<Read<'de>> = with_room(from, HIERARCHIES)?;
    let length = read.iter().map(|one| one.path.len()).sum();
    let mut whole = String::with_capacity(length);
    whole.extend(read.iter().map(|one| &*one.path));
    let whole = SharedText::from(whole);
    let mut list = Vec::with_capacity(read.len());
    let mut end = 0;
    list.extend(read.into_iter().map(|one| {
        let start = end;
        end += one.path.len();
        HierarchyRecord {
            version: one.version,
            controllers: one.controllers,
            path: whole.slice(start..end),
            dev: one.dev,
            ino: one.ino,
        }
    }));
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

/// Writes the controllers of a hierarchy.
pub(super) fn write<S: Serializer>(list: &[String], to: S) -> Result<S::Ok, S::Error> {
    list.serialize(to)
}

/// What all containers of a host have alike: there is one of it for all records that are read.
pub(super) fn controllers<'de, D>(from: D) -> Result<Arc<[String]>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Known {
        text: Box<str>,
        list: Arc<[String]>,
    }
    static KNOWN: RwLock<Vec<Known>> = RwLock::new(Vec::new());
    let text = <&RawValue>::deserialize(from)?.get();
    let is = |one: &&Known| *one.text == *text;
    // Nobody waits here: who comes while a new one is put there goes without.
    if let Ok(known) = KNOWN.try_read()
        && let Some(one) = known.iter().find(is)
    {
        return Ok(Arc::clone(&one.list));
    }
    let list: Vec<String> = serde_json::from_str(text).map_err(Error::custom)?;
    let list: Arc<[String]> = list.into();
    if let Ok(mut known) = KNOWN.try_write()
        && known.len() < CONTROLLERS
        && !known.iter().any(|one| is(&one))
    {
        known.push(Known {
            text: text.into(),
            list: Arc::clone(&list),
        });
    }
    Ok(list)
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
                    assert_eq!(*one.controllers, [format!("c{number}"), "xA".to_owned()]);
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
