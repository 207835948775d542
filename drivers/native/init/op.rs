//! How the list of operations becomes an enum that is read from and written to the wire.

macro_rules! ops {
    ($lt:lifetime; $($(#[$doc:meta])* $name:ident = $code:literal {
        $($(#[$fdoc:meta])* $field:ident: $ty:ty,)*
    })*) => {
        /// One step of a plan, in the form that init walks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Op<$lt> {
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $ty,)* },)*
        }

        impl<$lt> Op<$lt> {
            /// Reads the next operation; `None` when it is cut, unknown or malformed.
            pub(crate) fn decode(reader: &mut Reader<$lt>) -> Option<Self> {
                Some(match u16::take(reader)? {
                    $($code => Op::$name { $($field: Field::take(reader)?,)* },)*
                    _ => return None,
                })
            }

            /// Appends the operation.
            pub(crate) fn encode(&self, out: &mut impl Sink) {
                match self {
                    $(Op::$name { $($field,)* } => {
                        Field::put(&($code as u16), out);
                        $(Field::put($field, out);)*
                    })*
                }
            }

            /// The operation's name, for a plan that is printed.
            pub(crate) const fn name(&self) -> &'static str {
                match self {
                    $(Op::$name { .. } => stringify!($name),)*
                }
            }
        }
    };
}
