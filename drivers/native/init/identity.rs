//! Becomes the payload's user: looks the names up inside the container, gives it its streams, changes the ids.

use core::ffi::CStr;

use crate::accounts::{AccountError, Search, Which};
use crate::lines;
use crate::paths::SCOPED;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{O_NOCTTY, O_NONBLOCK, O_RDONLY, PR_SET_KEEPCAPS, S_IFREG};
use crate::sys::arena::Arena;
use crate::sys::{Errno, credentials, fs, process};
use crate::wire::{
    Detail, IDENTITY_BY_NAME, IDENTITY_KEEP_GROUPS, IDENTITY_SET_HOME, Numbers, Strings,
};

/// Who the payload runs as, as `Identity` describes it.
pub(crate) struct Wanted<'a> {
    pub(crate) flags: u32,
    pub(crate) user: &'a CStr,
    pub(crate) groups: Strings<'a>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gids: Numbers<'a>,
    pub(crate) chown: u8,
}

/// Most supplementary groups.
const GROUPS_MAX: usize = 4096;
/// `value` of a report about the user or the primary group.
const USER: u64 = u64::MAX - 1;
const PRIMARY: u64 = u64::MAX;

/// Looks up and changes. Effective capabilities are gone afterwards unless the user is root; the permitted ones stay
/// for the `Caps` that follows.
pub(crate) fn assume(init: &mut Init, wanted: &Wanted<'static>) -> Done {
    let room = init.arena.array::<u32>(GROUPS_MAX)?;
    if wanted.flags & IDENTITY_BY_NAME == 0 {
        let mut count = 0;
        for gid in wanted.gids.iter() {
            *room
                .get_mut(count)
                .ok_or(Failure::of(Detail::TooManyGroups))? = gid;
            count += 1;
        }
        if wanted.flags & IDENTITY_SET_HOME != 0 {
            let home = home_of(init, wanted.uid)?;
            init.home = home;
        }
        return change(
            wanted,
            wanted.uid,
            wanted.gid,
            room.get(..count).unwrap_or_default(),
        );
    }
    let additional = wanted.groups.iter().map(CStr::to_bytes);
    let mut search = Search::new(wanted.user.to_bytes(), additional, room)?;
    each_line(init, c"/etc/passwd", |line| {
        search.passwd_line(line);
        Ok(())
    })?;
    if search.needs_groups() {
        each_line(init, c"/etc/group", |line| Ok(search.group_line(line)?))?;
    }
    let account = search.finish()?;
    if wanted.flags & IDENTITY_SET_HOME != 0 {
        init.home = Some(home_entry(&mut init.arena, account.home)?);
    }
    change(wanted, account.uid, account.gid, account.groups)
}

/// The home of an id that was given as a number.
fn home_of(init: &mut Init, uid: u32) -> Result<Option<&'static CStr>, Failure> {
    let mut digits = [0; 12];
    let text = crate::decimal::decimal(u64::from(uid), &mut digits).to_bytes();
    let mut room = [0; 1];
    let Ok(mut search) = Search::new(text, core::iter::empty(), &mut room) else {
        return Ok(Some(c"HOME=/"));
    };
    each_line(init, c"/etc/passwd", |line| {
        search.passwd_line(line);
        Ok(())
    })?;
    let account = search.finish()?;
    Ok(Some(home_entry(&mut init.arena, account.home)?))
}

fn home_entry(arena: &mut Arena, home: &[u8]) -> Result<&'static CStr, Failure> {
    const KEY: &[u8] = b"HOME=";
    let entry = arena.array::<u8>(KEY.len() + home.len() + 1)?;
    let (key, value) = entry.split_at_mut(KEY.len());
    key.copy_from_slice(KEY);
    value[..home.len()].copy_from_slice(home);
    CStr::from_bytes_until_nul(entry).map_err(|_| Failure::of(Detail::AccountFile))
}

/// Gives the streams away while we may, then takes groups, gid and uid in the order that keeps the right to the next.
fn change(wanted: &Wanted<'_>, uid: u32, gid: u32, groups: &[u32]) -> Done {
    for stream in (0..3).filter(|stream| wanted.chown >> stream & 1 == 1) {
        match fs::chown(stream, uid, u32::MAX) {
            // An owner outside of the user namespace: the stream works, it only cannot be opened again by its name.
            Ok(()) | Err(Errno::EPERM | Errno::EINVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if wanted.flags & IDENTITY_KEEP_GROUPS == 0 {
        credentials::set_groups(groups)?;
    }
    credentials::set_gid(gid)?;
    if uid != 0 {
        process::prctl(PR_SET_KEEPCAPS, 1, 0)?;
    }
    Ok(credentials::set_uid(uid)?)
}

/// Calls `take` with each line of a file of the container; a missing file has none.
///
/// Opened without blocking and only when it is a regular file: the image may have put a FIFO or a device there.
fn each_line(init: &mut Init, path: &CStr, take: impl FnMut(&[u8]) -> Done) -> Done {
    let odd = |errno| Failure::with(errno, Detail::AccountFile);
    let file = match fs::open(init.root(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, SCOPED) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        file => file.map_err(odd)?,
    };
    let stat = fs::stat(file.raw()).map_err(odd)?;
    if stat.kind() != S_IFREG {
        return Err(Failure::of(Detail::AccountFile));
    }
    let expected = usize::try_from(stat.size).unwrap_or(0);
    let buffer = init.line_buffer()?;
    let result = lines::read(&file, expected, buffer, take);
    init.keep_line_buffer(buffer);
    result
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Failure {
        let value = |which| match which {
            Which::User => USER,
            Which::PrimaryGroup => PRIMARY,
            Which::Additional(index) => index as u64,
        };
        let (detail, value) = match error {
            AccountError::UserNotFound => (Detail::UserNotFound, USER),
            AccountError::GroupNotFound(which) => (Detail::GroupNotFound, value(which)),
            AccountError::OutOfRange(which) => (Detail::IdOutOfRange, value(which)),
            AccountError::TooManyGroups => (Detail::TooManyGroups, 0),
        };
        Failure {
            value,
            ..Failure::of(detail)
        }
    }
}
