//! What mirrors are made of: optional keys with a platform, objects, lists and maps.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Whom a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Both platforms.
    Both,
    /// Linux alone.
    Linux,
    /// Windows alone.
    Windows,
}

/// Declares a mirror: a struct whose keys are all optional and are written in this order, and
/// `key_of`, which finds a key that is there and belongs to one platform alone.
macro_rules! mirror {
    ($(#[$meta:meta])* $name:ident { $($owner:ident $key:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Default, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            $(
                #[serde(
                    deserialize_with = "crate::wire::mirror::present",
                    skip_serializing_if = "Option::is_none"
                )]
                pub(super) $key: Option<$type>,
            )*
        }

        impl $name {
            pub(super) fn key_of(&self, owner: $crate::wire::mirror::Owner) -> Option<&'static str> {
                $(
                    if self.$key.is_some() && owner == $crate::wire::mirror::Owner::$owner {
                        return Some(stringify!($key));
                    }
                )*
                None
            }
        }
    };
}
pub(super) use mirror;

/// Reads a key that is there. `null` is a value: what it means is up to the type.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// An object and nothing else. Derived readers of structs would take an array too.
#[derive(Default)]
pub(crate) struct Object<T>(pub(super) T);

impl<T: Serialize> Serialize for Object<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// One of an enum's words and nothing else. Derived readers of enums would take an object too.
#[derive(Default)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Serialize> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        T::deserialize(word.into_deserializer()).map(Word)
    }
}

/// A list. Empty is written as `null`, Go's nil slice; both are read.
#[derive(Default)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            serializer.serialize_none()
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A list of objects, in the mirror's clothes.
pub(super) type Objects<T> = List<Object<T>>;

impl<T: Clone> Objects<T> {
    /// As the mirror has it.
    pub(super) fn wrap(items: &[T]) -> Self {
        Self(items.iter().cloned().map(Object).collect())
    }
}

impl<T> Objects<T> {
    /// As callers have it.
    pub(super) fn unwrap(self) -> Vec<T> {
        self.0.into_iter().map(|object| object.0).collect()
    }
}

/// A map in which a key twice is an error; `null` is an empty one.
#[derive(Default)]
pub(crate) struct Map<V>(pub(super) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Map<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MapVisitor(PhantomData))
    }
}

impl<V: Serialize> Serialize for Map<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct MapVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for MapVisitor<V> {
    type Value = Map<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Map(BTreeMap::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key `{key}`")));
            }
            entries.insert(key, map.next_value()?);
        }
        Ok(Map(entries))
    }
}
