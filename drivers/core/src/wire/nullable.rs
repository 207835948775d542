//! Lists and maps of the original: empty is written as `null`, and both are read.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes `null` for an empty collection: Go's nil slice or map.
pub(crate) fn serialize<S, C>(collection: &C, serializer: S) -> Result<S::Ok, S::Error>
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

/// Reads `null` as an empty collection.
pub(crate) fn deserialize<'de, D, C>(deserializer: D) -> Result<C, D::Error>
where
    D: Deserializer<'de>,
    C: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
