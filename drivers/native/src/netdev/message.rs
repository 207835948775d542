//! Messages of rtnetlink(7): what is asked, and what comes back. Pure bytes.

use nix::errno::Errno;

pub(super) const NEW_LINK: u16 = 16;
pub(super) const GET_LINK: u16 = 18;
pub(super) const SET_LINK: u16 = 19;
pub(super) const NEW_ADDRESS: u16 = 20;
pub(super) const GET_ADDRESS: u16 = 22;

pub(super) const DUMP: u16 = 0x300;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
pub(super) const CREATE: u16 = 0x400 | 0x200;

const ERROR: u16 = 2;
const DONE: u16 = 3;

pub(super) const IFNAME: u16 = 3;
pub(super) const NET_NS_FD: u16 = 28;
/// Times of an address, which the kernel counts itself.
const CACHE_INFO: u16 = 6;

const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;
pub(super) const UP: u32 = 1;
/// `IFA_F_PERMANENT`: given by somebody, and not found by the kernel or a router.
const PERMANENT: u8 = 0x80;
/// `RT_SCOPE_LINK`: made by the kernel from the hardware address.
const SCOPE_LINK: u8 = 253;

/// A request in the making.
pub(super) struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        put(&mut bytes, 4, &kind.to_ne_bytes());
        put(&mut bytes, 6, &(REQUEST | ACK | flags).to_ne_bytes());
        Self(bytes)
    }

    /// About an interface, by its number or, with 0, by what follows.
    pub(super) fn link(kind: u16, flags: u16, index: i32, up: Option<bool>) -> Self {
        let mut request = Self::new(kind, flags);
        let mut body = [0; LINK];
        put(&mut body, 4, &index.to_ne_bytes());
        if let Some(up) = up {
            put(&mut body, 8, &(u32::from(up) * UP).to_ne_bytes());
            put(&mut body, 12, &UP.to_ne_bytes());
        }
        request.0.extend(body);
        request
    }

    /// Every address.
    pub(super) fn addresses() -> Self {
        let mut request = Self::new(GET_ADDRESS, DUMP);
        request.0.extend([0; ADDRESS]);
        request
    }

    /// An address as it was told, for the interface `index`.
    pub(super) fn address(told: &[u8], index: u32) -> Self {
        let mut request = Self::new(NEW_ADDRESS, CREATE);
        let (body, rest) = told.split_at_checked(ADDRESS).unwrap_or((told, &[]));
        let start = request.0.len();
        request.0.extend(body);
        put(&mut request.0, start + 4, &index.to_ne_bytes());
        for (kind, value) in Attributes(rest) {
            if kind != CACHE_INFO {
                request = request.with(kind, value);
            }
        }
        request
    }

    /// Adds an attribute.
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// The bytes, with their number and this one of the request.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        put(&mut self.0, 0, &len.to_ne_bytes());
        put(&mut self.0, 8, &sequence.to_ne_bytes());
        self.0
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// What one datagram says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A message of this kind.
    Message(u16, Vec<u8>),
    /// The end of it all.
    End(Result<(), Errno>),
}

/// The answers in a datagram; whatever is cut is left out.
pub(super) fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut all = Vec::new();
    while let Some(len) = i32_at(bytes, 0).and_then(|len| usize::try_from(len).ok()) {
        let (Some(kind), Some(body)) = (u16_at(bytes, 4), bytes.get(HEADER..len)) else {
            break;
        };
        all.push(match kind {
            DONE => Answer::End(Ok(())),
            ERROR => Answer::End(match i32_at(body, 0) {
                Some(0) => Ok(()),
                code => Err(Errno::from_raw(code.map_or(0, i32::wrapping_neg))),
            }),
            kind => Answer::Message(kind, body.to_vec()),
        });
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// The number and the name of an interface.
pub(super) fn link(body: &[u8]) -> Option<(i32, String)> {
    let index = i32_at(body, 4)?;
    let attributes = Attributes(body.get(LINK..)?);
    let (_, name) = { attributes }.find(|(kind, _)| *kind == IFNAME)?;
    let name = name.split(|byte| *byte == 0).next()?;
    Some((index, String::from_utf8_lossy(name).into_owned()))
}

/// Whether an address was given to the interface `index` by somebody.
pub(super) fn is_given(body: &[u8], index: i32) -> bool {
    let [_, _, flags, scope] = body
        .get(..4)
        .and_then(|head| head.try_into().ok())
        .unwrap_or([0; 4]);
    i32_at(body, 4) == Some(index) && flags & PERMANENT != 0 && scope != SCOPE_LINK
}

/// Attributes one after another.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)?;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let request = Request::link(SET_LINK, 0, 7, Some(true)).with(IFNAME, b"eth0\0");
        let bytes = request.finish(1);
        let read = answers(&bytes);
        let [Answer::Message(SET_LINK, body)] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(link(body), Some((7, "eth0".to_owned())));
    }

    #[test]
    fn what_is_cut_or_nonsense_is_no_message() {
        let bytes = Request::link(GET_LINK, DUMP, 0, None)
            .with(IFNAME, b"eth0\0")
            .finish(1);
        for end in 0..bytes.len() {
            assert!(answers(&bytes[..end]).is_empty());
        }
        for seed in 0..200u8 {
            let noise: Vec<u8> = (0..64u8)
                .map(|n| n.wrapping_mul(seed).wrapping_add(seed))
                .collect();
            for answer in answers(&noise) {
                if let Answer::Message(_, body) = answer {
                    let _ = (
                        link(&body),
                        is_given(&body, 1),
                        Request::address(&body, 1).finish(1),
                    );
                }
            }
        }
    }
}
