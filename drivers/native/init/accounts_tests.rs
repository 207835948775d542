//! Users and groups as the contract and the old holes have them.

use proptest::prelude::*;

use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    daemon:x:1:1::/usr/sbin:/bin/sh\n\
    1000:x:0:0:evil:/evil:/bin/sh\n\
    4294967296:x:0:0:evil:/evil:/bin/sh\n\
    broken:x:zero:0::/:\n\
    bob:x:1000:1001:Bob:/home/bob:/bin/sh\n\
    huge:x:4000000000:0::/:\n\
    bob:x:0:0:again:/root:/bin/sh\n";
const GROUP: &str = "root:x:0:\nwheel:x:10:root,bob\naudio:x:29:bob\n77:x:0:\nlong\ntwice:x:10:bob\nhuge:x:4000000000:bob\n";

type Found = Result<(u32, u32, Vec<u32>, Vec<u8>), AccountError>;

fn find(user: &str, additional: &[&str]) -> Found {
    let mut room = [0; 16];
    find_in(user, additional, &mut room)
}

fn find_in(user: &str, additional: &[&str], room: &mut [u32]) -> Found {
    let mut search = Search::new(
        user.as_bytes(),
        additional.iter().map(|text| text.as_bytes()),
        room,
    )?;
    PASSWD
        .lines()
        .for_each(|line| search.passwd_line(line.as_bytes()));
    if search.needs_groups() {
        for line in GROUP.lines() {
            search.group_line(line.as_bytes())?;
        }
    }
    let account = search.finish()?;
    Ok((
        account.uid,
        account.gid,
        account.groups.to_vec(),
        account.home.to_vec(),
    ))
}

#[test]
fn no_user_is_root_with_its_groups_and_home() {
    assert_eq!(find("", &[]), Ok((0, 0, vec![0, 10], b"/root".to_vec())));
}

#[test]
fn a_name_brings_its_group_memberships_and_home() {
    assert_eq!(
        find("bob", &[]),
        Ok((1000, 1001, vec![1001, 10, 29], b"/home/bob".to_vec()))
    );
}

#[test]
fn a_number_in_passwd_brings_the_entry() {
    assert_eq!(find("1", &[]), Ok((1, 1, vec![1], b"/usr/sbin".to_vec())));
    assert_eq!(
        find("1000", &[]),
        Ok((1000, 1001, vec![1001, 10, 29], b"/home/bob".to_vec()))
    );
}

#[test]
fn a_number_is_never_a_name() {
    assert_eq!(
        find("4242:77", &[]),
        Ok((4242, 77, vec![77], b"/".to_vec()))
    );
    assert_eq!(
        find("4294967296", &[]),
        Err(AccountError::OutOfRange(Which::User))
    );
}

#[test]
fn an_unknown_number_has_group_0_and_home_at_the_root() {
    assert_eq!(find("4242", &[]), Ok((4242, 0, vec![0], b"/".to_vec())));
}

#[test]
fn a_chosen_group_ends_the_memberships() {
    assert_eq!(
        find("bob:wheel", &[]),
        Ok((1000, 10, vec![10], b"/home/bob".to_vec()))
    );
    assert_eq!(find(":29", &[]), Ok((0, 29, vec![29], b"/root".to_vec())));
}

#[test]
fn additional_groups_come_by_name_or_number() {
    assert_eq!(
        find("1", &["audio", "5"]),
        Ok((1, 1, vec![1, 29, 5], b"/usr/sbin".to_vec()))
    );
}

#[test]
fn unknown_names_are_errors_that_say_which() {
    assert_eq!(find("nobody", &[]), Err(AccountError::UserNotFound));
    assert_eq!(
        find("bob:nobody", &[]),
        Err(AccountError::GroupNotFound(Which::PrimaryGroup))
    );
    assert_eq!(
        find("bob", &["audio", "nobody"]),
        Err(AccountError::GroupNotFound(Which::Additional(1)))
    );
}

#[test]
fn ids_out_of_range_are_errors() {
    for text in ["2147483648", "-1", "+1", "-0"] {
        assert_eq!(
            find(text, &[]),
            Err(AccountError::OutOfRange(Which::User)),
            "{text}"
        );
        assert_eq!(
            find(&format!("1:{text}"), &[]),
            Err(AccountError::OutOfRange(Which::PrimaryGroup))
        );
        assert_eq!(
            find("1", &[text]),
            Err(AccountError::OutOfRange(Which::Additional(0)))
        );
    }
    assert_eq!(
        find("huge", &[]),
        Err(AccountError::OutOfRange(Which::User))
    );
    assert_eq!(
        find("1", &["huge"]),
        Err(AccountError::OutOfRange(Which::Additional(0)))
    );
}

#[test]
fn a_line_that_is_no_entry_is_no_user() {
    assert_eq!(find("broken", &[]), Err(AccountError::UserNotFound));
}

#[test]
fn too_many_groups_are_an_error_not_a_cut() {
    assert_eq!(
        find_in("bob", &["1", "2"], &mut [0; 4]),
        Err(AccountError::TooManyGroups)
    );
    assert_eq!(
        find_in("bob", &["1", "2"], &mut [0; 2]),
        Err(AccountError::TooManyGroups)
    );
}

proptest! {
    #[test]
    fn ids_come_back_as_they_were_written(uid in 0..=ID_MAX, gid in 0..=ID_MAX) {
        prop_assume!(![0, 1, 1000].contains(&uid));
        let found = find(&format!("{uid}:{gid}"), &[]);
        prop_assert_eq!(found, Ok((uid, gid, vec![gid], b"/".to_vec())));
    }

    #[test]
    fn any_text_is_an_account_or_an_error(user in ".{0,12}", extra in ".{0,12}", lines in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut room = [0; 8];
        let extra = [extra.as_bytes()];
        if let Ok(mut search) = Search::new(user.as_bytes(), extra.iter().copied(), &mut room) {
            for line in lines.split(|byte| *byte == b'\n') {
                search.passwd_line(line);
                let _ = search.group_line(line);
            }
            if let Ok(account) = search.finish() {
                prop_assert!(account.uid <= ID_MAX && account.gid <= ID_MAX);
                prop_assert_eq!(account.groups.first(), Some(&account.gid));
            }
        }
    }
}
