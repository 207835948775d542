//! Bus addresses: `unix:path=/run/dbus/system_bus_socket;unix:abstract=name`.

use super::BusError;
use nix::sys::socket::UnixAddr;

/// The socket of the first transport in the list that is one.
pub(super) fn socket(address: &str) -> Result<UnixAddr, BusError> {
    let unusable = || BusError::Address {
        address: address.to_owned(),
    };
    let mut found = address.split(';').filter_map(transport);
    found.next().ok_or_else(unusable)
}

fn transport(text: &str) -> Option<UnixAddr> {
    let parameters = text.strip_prefix("unix:")?;
    let value = |key: &str| {
        let mut pairs = parameters
            .split(',')
            .filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(name, value)| (name == key).then(|| unescaped(value))?)
    };
    match (value("path"), value("abstract")) {
        (Some(path), _) => UnixAddr::new(path.as_slice()).ok(),
        (None, Some(name)) => UnixAddr::new_abstract(&name).ok(),
        (None, None) => None,
    }
}

/// `%` and two hexadecimal digits are a byte.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_first_socket_of_an_address_is_taken_and_escapes_are_decoded() {
        let path = |text: &str| socket(text).ok()?.path().map(Path::to_owned);
        assert_eq!(
            path("unix:path=/run/a%20b,guid=1").unwrap(),
            Path::new("/run/a b")
        );
        let second = path("tcp:host=x,port=1;unix:guid=1,path=/run/bus");
        assert_eq!(second.unwrap(), Path::new("/run/bus"));
        assert_eq!(
            socket("unix:abstract=x").unwrap().as_abstract(),
            Some(b"x".as_slice())
        );
        for bad in [
            "",
            "unix:",
            "unix:path=%2",
            "unix:path=%zz",
            "tcp:host=x",
            "/run/bus",
        ] {
            assert!(socket(bad).is_err(), "{bad:?}");
        }
        assert!(socket(&format!("unix:path=/{}", "x".repeat(200))).is_err());
    }
}
