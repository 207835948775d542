//! Conversations with a peer that is odd in every way, and messages of any bytes.

use super::message::{FIXED, Message, length};
use super::*;
use crate::support::{FakeSystemd, Odd, message};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn ask(odd: &[(&'static str, Odd)], patience: Duration) -> Result<(), BusError> {
    let directory = tempfile::tempdir().unwrap();
    let peer = FakeSystemd::start(directory.path(), odd);
    let mut connection = Connection::open(&peer.address, patience)?;
    connection.watch("org.x", "org.x.Y")?;
    let call = Call {
        destination: "org.x",
        path: "/org/x",
        interface: "org.x.Y",
        member: "Subscribe",
        signature: "",
    };
    connection.call(&call, &[]).map(drop)
}

#[test]
fn calls_are_answered_and_errors_have_their_names() {
    ask(&[], LONG).unwrap();
    let error = ask(&[("Subscribe", Odd::Error("org.x.No"))], LONG).unwrap_err();
    assert!(error.is("org.x.No"), "{error}");
    assert_eq!(error.to_string(), "org.x.No: as the test wants it");
}

#[test]
fn a_peer_that_is_silent_costs_no_more_than_the_patience() {
    for member in ["Hello", "AddMatch", "Subscribe"] {
        // On a slow host the calls before it may take as long: then with more of it.
        let told = [1, 10, 40].into_iter().any(|times| {
            let (begun, short) = (Instant::now(), SHORT * times);
            let error = ask(&[(member, Odd::Silence)], short).unwrap_err();
            assert!(begun.elapsed() >= short);
            match error {
                BusError::Timeout { call } => call == member,
                other => panic!("{member}: {other}"),
            }
        });
        assert!(told, "{member}");
    }
}

#[test]
fn a_peer_that_goes_away_or_refuses_is_an_error() {
    for member in ["AUTH", "Hello", "AddMatch", "Subscribe"] {
        let error = ask(&[(member, Odd::Close)], LONG).unwrap_err();
        assert!(matches!(error, BusError::Io(_)), "{member}: {error}");
    }
    let refused = Odd::Bytes(b"REJECTED EXTERNAL\r\n".to_vec());
    let error = ask(&[("AUTH", refused)], LONG).unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }), "{error}");
    let endless = Odd::Bytes(vec![b'x'; 4096]);
    let error = ask(&[("AUTH", endless)], LONG).unwrap_err();
    assert!(matches!(error, BusError::Malformed(_)), "{error}");
    let error = Connection::open("unix:path=/nonexistent/bus", LONG).unwrap_err();
    assert!(matches!(error, BusError::Connect { .. }), "{error}");
}

#[test]
fn answers_that_are_no_messages_are_errors() {
    let huge = {
        let mut bytes = message(2, &[], Some(3), "", &[]);
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes
    };
    let mut version = message(2, &[], Some(3), "", &[]);
    version[3] = 2;
    for bytes in [b"HTTP/1.1 400 Bad Request\r\n".to_vec(), huge, version] {
        let error = ask(&[("Subscribe", Odd::Bytes(bytes))], LONG).unwrap_err();
        assert!(matches!(error, BusError::Malformed(_)), "{error}");
    }
}

fn good() -> Vec<u8> {
    let fields = [
        (1, "o", "/a"),
        (2, "s", "b.c"),
        (3, "s", "D"),
        (7, "s", ":1.2"),
    ];
    message(4, &fields, None, "s", &[1, 0, 0, 0, b'x', 0])
}

#[test]
fn a_message_of_another_byte_order_is_read_too() {
    let mut swapped = vec![b'B', 4, 0, 1];
    for number in [6u32, 9, 12] {
        swapped.extend(number.to_be_bytes());
    }
    swapped.extend([3, 1, b's', 0]);
    swapped.extend(1u32.to_be_bytes());
    swapped.extend(*b"D\0\0\0\0\0");
    swapped.truncate(FIXED + 12);
    swapped.resize((FIXED + 12usize).next_multiple_of(8), 0);
    swapped.extend([0, 0, 0, 1, b'x', 0]);
    // Its signature is missing, so there is no body of any type to read.
    let swapped = Message::parse(&swapped);
    assert!(swapped.is_err() || swapped.is_ok_and(|message| message.member == "D"));
    let message = Message::parse(&good()).unwrap();
    assert!(message.is_signal("b.c", "D"));
    assert_eq!(message.body("s").unwrap().text().unwrap(), "x");
    assert!(message.body("u").is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(Ok(length)) = bytes.first_chunk().map(length) {
            prop_assert!(length < 4 << 20);
        }
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn a_message_with_changed_bytes_is_a_message_or_an_error(
        changes in prop::collection::vec((0usize..100, any::<u8>()), 1..6),
        cut in 0usize..100,
    ) {
        let mut bytes = good();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        let _ = Message::parse(&bytes).map(|message| {
            let _ = message.body(&message.signature).map(|mut body| (body.u32().is_ok(), body.text().is_ok()));
        });
        bytes.truncate(cut);
        let _ = Message::parse(&bytes);
    }
}
