//! What is encoded decodes to the same; what is damaged is refused.

use proptest::prelude::*;
use std::ffi::CString;

use super::*;
use crate::wire::{Detail, HEADER_LEN, Kind, REPORT_LEN, Reader, Report};

fn texts() -> impl Strategy<Value = Vec<CString>> {
    let text =
        prop::collection::vec(1u8..=255, 0..20).prop_map(|bytes| CString::new(bytes).unwrap());
    prop::collection::vec(text, 0..6)
}

fn decode_all(message: &[u8]) -> Option<(Header, Vec<Op<'_>>)> {
    let (head, body) = message.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(head)?;
    let mut reader = Reader::new(body);
    let mut ops = Vec::new();
    for _ in 0..header.ops {
        ops.push(Op::decode(&mut reader)?);
    }
    reader.is_empty().then_some((header, ops))
}

#[test]
fn indexes_count_up_and_the_header_counts_the_ops() {
    let mut writer = Writer::new();
    assert_eq!(writer.push(&Op::ReportNs {}), 0);
    assert_eq!(writer.push(&Op::Pivot {}), 1);
    let message = writer.finish(2, 5).unwrap();
    let (header, ops) = decode_all(&message).unwrap();
    assert_eq!((header.fds, header.slots, header.ops), (2, 5, 2));
    assert_eq!(ops, [Op::ReportNs {}, Op::Pivot {}]);
    assert_eq!(ops[1].name(), "Pivot");
}

#[test]
fn impossible_counts_are_refused() {
    assert!(Writer::new().finish(2, 1).is_none());
    assert!(Writer::new().finish(0, TERMINAL_SLOT).is_none());
}

#[test]
fn an_empty_value_is_not_a_flag() {
    let mut params = PackedParams::default();
    params.flag(c"ro");
    params.string(c"name", c"");
    params.string(c"size", c"=5");
    let all: Vec<_> = params.view().iter().collect();
    assert_eq!(
        all,
        [(c"ro", None), (c"name", Some(c"")), (c"size", Some(c"=5"))]
    );
}

#[test]
fn unpaired_or_unmarked_parameters_are_refused() {
    assert!(Params::new(Strings::new(b"ro\0").unwrap()).is_none());
    assert!(Params::new(Strings::new(b"size\x005\0").unwrap()).is_none());
}

#[test]
fn unknown_codes_are_refused() {
    assert!(Op::decode(&mut Reader::new(&[0, 0])).is_none());
    assert!(Op::decode(&mut Reader::new(&[0xff, 0xff])).is_none());
    assert!(Report::decode(&[0; REPORT_LEN]).is_none());
}

#[test]
fn a_boolean_is_zero_or_one() {
    assert!(Op::decode(&mut Reader::new(&[4, 0, 2])).is_none());
}

proptest! {
    #[test]
    fn strings_and_numbers_round_trip(
        argv in texts(), envp in texts(), gids in prop::collection::vec(any::<u32>(), 0..9),
        value in prop::collection::vec(any::<u8>(), 0..99), chown in any::<u8>(), flags in any::<u32>(),
    ) {
        let (packed_argv, packed_envp): (PackedStrings, PackedStrings) = (argv.iter().collect(), envp.iter().collect());
        let gids: PackedNumbers = gids.into_iter().collect();
        let ops = [
            Op::Exec { argv: packed_argv.view(), envp: packed_envp.view() },
            Op::Sysctl { path: c"net/x", value: &value },
            Op::Identity { flags, user: c"a:b", groups: packed_envp.view(), uid: 7, gid: 8, gids: gids.view(), chown },
        ];
        let mut writer = Writer::new();
        for op in &ops {
            writer.push(op);
        }
        let message = writer.finish(0, 0).unwrap();
        let (_, decoded) = decode_all(&message).unwrap();
        prop_assert_eq!(&decoded[..], &ops[..]);
        prop_assert!(packed_argv.view().iter().eq(argv.iter().map(CString::as_c_str)));
    }

    #[test]
    fn mounts_round_trip(target in prop::collection::vec(1u8..=255, 0..40), attrs in any::<u64>(), pairs in texts()) {
        let target = CString::new(target).unwrap();
        let mut params = PackedParams::default();
        for (index, text) in pairs.iter().enumerate() {
            if index % 2 == 0 { params.flag(text) } else { params.string(text, &target) }
        }
        let ops = [
            Op::Bind { slot: 3, target: &target, attr_set: attrs, attr_clr: !attrs, propagation: 1, flags: 3 },
            Op::MountFs { fstype: c"tmpfs", target: &target, params: params.view(), attrs: 1, flags: 2 },
            Op::CgroupFs { path: &target, dev: attrs, ino: !attrs, fstype: c"cgroup", target: &target, params: params.view(), attrs: 1 },
        ];
        let mut writer = Writer::new();
        ops.iter().for_each(|op| { writer.push(op); });
        let message = writer.finish(4, 9).unwrap();
        let (_, decoded) = decode_all(&message).unwrap();
        prop_assert_eq!(&decoded[..], &ops[..]);
    }

    #[test]
    fn any_bytes_decode_or_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(&bytes);
        while let Some(op) = Op::decode(&mut reader) {
            if let Op::MountFs { params, .. } | Op::CgroupFs { params, .. } = op {
                params.iter().for_each(drop);
            }
        }
    }

    #[test]
    fn a_cut_message_is_never_whole(cut in 1usize..40) {
        let mut writer = Writer::new();
        writer.push(&Op::Symlink { target: c"pts/ptmx", path: c"/dev/ptmx" });
        writer.push(&Op::Hostname { name: b"a-name" });
        let message = writer.finish(0, 0).unwrap();
        let cut = cut.min(message.len());
        prop_assert!(decode_all(&message[..message.len() - cut]).is_none());
    }

    #[test]
    fn reports_round_trip(op in any::<u32>(), errno in any::<i32>(), value in any::<u64>(), kind in 1u8..=5, detail in 0u32..=15) {
        let report = Report {
            kind: Kind::from_raw(kind).unwrap(), op, errno, detail: Detail::from_raw(detail).unwrap(), value,
        };
        prop_assert_eq!(Report::decode(&report.encode()), Some(report));
    }
}
