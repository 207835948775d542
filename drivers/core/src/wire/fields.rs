//! Strict readers, and Go's nil, for fields of types that are (de)serialised as they are.

use super::mirror::{List, Map, Object, Objects, Word};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Writes `null` for an empty collection: Go's nil slice or map.
pub(crate) fn null_if_empty<S, C>(collection: &C, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    C: Serialize + Default + PartialEq,
{
    if *collection == C::default() {
        serializer.serialize_none()
    } else {
        collection.serialize(serializer)
    }
}

/// Whether a field with Go's `omitempty` is left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads an object, never an array.
pub(crate) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Object::deserialize(deserializer).map(|object| object.0)
}

/// Reads an object or `null`, never an array.
pub(crate) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let object = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(object.map(|object| object.0))
}

/// Reads one of an enum's words, never an object.
pub(crate) fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Word::deserialize(deserializer).map(|word| word.0)
}

/// Reads one of an enum's words or `null`.
pub(crate) fn optional_word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let word = Option::<Word<T>>::deserialize(deserializer)?;
    Ok(word.map(|word| word.0))
}

/// Reads a list of words.
pub(crate) fn words<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let words: List<Word<T>> = List::deserialize(deserializer)?;
    Ok(words.0.into_iter().map(|word| word.0).collect())
}

/// Reads a list of plain values.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    List::deserialize(deserializer).map(|list| list.0)
}

/// Reads a list of objects.
pub(crate) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Objects::deserialize(deserializer).map(Objects::unwrap)
}

/// Reads a map of plain values.
pub(crate) fn map<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    Map::deserialize(deserializer).map(|map| map.0)
}

/// Reads a map of objects.
pub(crate) fn map_of_objects<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    Ok(map(deserializer)?
        .into_iter()
        .map(|(key, value): (_, Object<V>)| (key, value.0))
        .collect())
}

/// A map of lists of objects; each list may be nil as well as the map.
pub(crate) mod map_of_lists {
    use super::{BTreeMap, Deserialize, Deserializer, Objects, Serialize, Serializer, map};

    type Lists<T> = BTreeMap<String, Vec<T>>;

    pub(crate) fn serialize<S, T>(lists: &Lists<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize + Clone,
    {
        if lists.is_empty() {
            return serializer.serialize_none();
        }
        serializer.collect_map(lists.iter().map(|(key, list)| (key, Objects::wrap(list))))
    }

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Lists<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        Ok(map(deserializer)?
            .into_iter()
            .map(|(key, list): (_, Objects<T>)| (key, list.unwrap()))
            .collect())
    }
}
