//! Finds a user and groups in the text of /etc/passwd and /etc/group, line by line, without a copy of the files.
//!
//! A text that is a number is never looked up as a name, and one that is too large is an error: else an image whose
//! passwd has a line `1000:x:0:0` or `4294967296:x:0:0` would hand out root (CVE-2016-3697, CVE-2026-46680).

/// Largest id that may be asked for by text; the original's limit.
pub(crate) const ID_MAX: u32 = i32::MAX as u32;
/// Longest name and home directory that are kept, in bytes.
const NAME_MAX: usize = 256;
const HOME_MAX: usize = 4096;

/// Why no account came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountError {
    /// No such user name.
    UserNotFound,
    /// No such group name.
    GroupNotFound(Which),
    /// A number above [`ID_MAX`] or below 0.
    OutOfRange(Which),
    /// More groups than there is room for.
    TooManyGroups,
}

/// Which of the ids an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    User,
    PrimaryGroup,
    /// Index among the additional groups.
    Additional(usize),
}

/// A user or group as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who<'a> {
    Id(u32),
    Name(&'a [u8]),
}

impl<'a> Who<'a> {
    /// Reads a number or a name; `None` for a number out of range.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Who<'a>> {
        let digits = text
            .strip_prefix(b"-")
            .or(text.strip_prefix(b"+"))
            .unwrap_or(text);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Some(Who::Name(text));
        }
        // A sign marks a number that was meant as one, and `-1` is no id.
        if digits.len() != text.len() {
            None
        } else {
            id(text).filter(|id| *id <= ID_MAX).map(Who::Id)
        }
    }

    fn is(self, name: &[u8], id: u32) -> bool {
        match self {
            Who::Id(wanted) => wanted == id,
            Who::Name(wanted) => wanted == name,
        }
    }
}

/// Bytes with a bound.
struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    const EMPTY: Text<N> = Text {
        bytes: [0; N],
        len: 0,
    };

    /// Keeps the text if it fits, else nothing.
    fn set(&mut self, text: &[u8]) {
        self.len = 0;
        if let Some(place) = self.bytes.get_mut(..text.len()) {
            place.copy_from_slice(text);
            self.len = text.len();
        }
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A search: feed it the lines of both files, then ask for the result.
pub(crate) struct Search<'a, I> {
    user: Who<'a>,
    group: Option<Who<'a>>,
    /// Texts of the additional groups.
    additional: I,
    name: Text<NAME_MAX>,
    home: Text<HOME_MAX>,
    found: bool,
    uid: u32,
    gid: u32,
    group_found: bool,
    /// The primary group, then the additional groups in their order ([`MISSING`] until found), then memberships.
    groups: &'a mut [u32],
    count: usize,
}

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account<'s> {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, the primary one among them (CVE-2022-36109: a process without it could evade a group's denial).
    pub(crate) groups: &'s [u32],
    pub(crate) home: &'s [u8],
}

const MISSING: u32 = u32::MAX;

impl<'a, I: Iterator<Item = &'a [u8]> + Clone> Search<'a, I> {
    /// Starts with `user[:group]`, where an empty user is 0, and room for the groups.
    pub(crate) fn new(
        text: &'a [u8],
        additional: I,
        groups: &'a mut [u32],
    ) -> Result<Self, AccountError> {
        let colon = text.iter().position(|byte| *byte == b':');
        let (user, group) =
            match colon.and_then(|colon| Some((text.get(..colon)?, text.get(colon + 1..)?))) {
                Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
                None => (text, None),
            };
        let user = if user.is_empty() {
            Some(Who::Id(0))
        } else {
            Who::parse(user)
        };
        let user = user.ok_or(AccountError::OutOfRange(Which::User))?;
        let group = match group
            .map(|group| Who::parse(group).ok_or(AccountError::OutOfRange(Which::PrimaryGroup)))
        {
            Some(group) => Some(group?),
            None => None,
        };
        let mut search = Search {
            user,
            group,
            additional,
            name: Text::EMPTY,
            home: Text::EMPTY,
            found: false,
            uid: 0,
            gid: 0,
            group_found: false,
            groups,
            count: 0,
        };
        search.start()?;
        Ok(search)
    }

    /// Fills in what is known by number.
    fn start(&mut self) -> Result<(), AccountError> {
        self.home.set(b"/");
        if let Who::Id(id) = self.user {
            self.uid = id;
        }
        if let Some(Who::Id(id)) = self.group {
            self.gid = id;
            self.group_found = true;
        }
        self.push(MISSING)?;
        for (index, text) in self.additional.clone().enumerate() {
            match Who::parse(text).ok_or(AccountError::OutOfRange(Which::Additional(index)))? {
                Who::Id(id) => self.push(id)?,
                Who::Name(_) => self.push(MISSING)?,
            }
        }
        Ok(())
    }

    fn push(&mut self, group: u32) -> Result<(), AccountError> {
        *self
            .groups
            .get_mut(self.count)
            .ok_or(AccountError::TooManyGroups)? = group;
        self.count += 1;
        Ok(())
    }

    /// Takes a line of /etc/passwd: `name:password:uid:gid:comment:home:shell`. The first that fits counts.
    pub(crate) fn passwd_line(&mut self, line: &[u8]) {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), _, Some(uid), Some(gid)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return;
        };
        let (Some(uid), Some(gid)) = (id(uid), id(gid)) else {
            return;
        };
        if self.found || !self.user.is(name, uid) {
            return;
        }
        self.found = true;
        self.uid = uid;
        self.name.set(name);
        self.home.set(
            fields
                .nth(1)
                .filter(|home| !home.is_empty())
                .unwrap_or(b"/"),
        );
        if self.group.is_none() {
            self.gid = gid;
        }
    }

    /// Whether /etc/group has anything to say, once /etc/passwd is through.
    pub(crate) fn needs_groups(&self) -> bool {
        let by_name = |text| matches!(Who::parse(text), Some(Who::Name(_)));
        self.wants_memberships()
            || matches!(self.group, Some(Who::Name(_)))
            || self.additional.clone().any(by_name)
    }

    /// With a group of one's own choice there are no memberships.
    fn wants_memberships(&self) -> bool {
        self.group.is_none() && self.name.len > 0
    }

    /// Takes a line of /etc/group: `name:password:gid:member,member`.
    pub(crate) fn group_line(&mut self, line: &[u8]) -> Result<(), AccountError> {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), _, Some(gid)) = (fields.next(), fields.next(), fields.next()) else {
            return Ok(());
        };
        let Some(gid) = id(gid) else { return Ok(()) };
        if let Some(Who::Name(wanted)) = self.group
            && wanted == name
            && !self.group_found
        {
            self.gid = gid;
            self.group_found = true;
        }
        for (place, text) in self.groups.iter_mut().skip(1).zip(self.additional.clone()) {
            if *place == MISSING && text == name {
                *place = gid;
            }
        }
        let members = fields.next().unwrap_or_default();
        if self.wants_memberships()
            && members
                .split(|byte| *byte == b',')
                .any(|member| member == self.name.get())
        {
            self.push(gid)?;
        }
        Ok(())
    }

    /// The account, once both files are through.
    pub(crate) fn finish(&mut self) -> Result<Account<'_>, AccountError> {
        if !self.found && matches!(self.user, Who::Name(_)) {
            return Err(AccountError::UserNotFound);
        }
        if self.group.is_some() && !self.group_found {
            return Err(AccountError::GroupNotFound(Which::PrimaryGroup));
        }
        if self.uid > ID_MAX {
            return Err(AccountError::OutOfRange(Which::User));
        }
        if self.gid > ID_MAX {
            return Err(AccountError::OutOfRange(Which::PrimaryGroup));
        }
        if let Some(primary) = self.groups.first_mut() {
            *primary = self.gid;
        }
        for (index, (group, _)) in self
            .groups
            .iter()
            .skip(1)
            .zip(self.additional.clone())
            .enumerate()
        {
            match *group {
                MISSING => return Err(AccountError::GroupNotFound(Which::Additional(index))),
                group if group > ID_MAX => {
                    return Err(AccountError::OutOfRange(Which::Additional(index)));
                }
                _ => {}
            }
        }
        let groups = distinct(self.groups.get_mut(..self.count).unwrap_or_default());
        Ok(Account {
            uid: self.uid,
            gid: self.gid,
            groups,
            home: self.home.get(),
        })
    }
}

/// Moves the first of each to the front. Memberships that are no ids at all are left out.
fn distinct(groups: &mut [u32]) -> &[u32] {
    let mut kept = 0;
    for index in 0..groups.len() {
        let (head, rest) = groups.split_at_mut(index);
        let Some(group) = rest.first().copied() else {
            break;
        };
        if group <= ID_MAX && !head.iter().take(kept).any(|known| *known == group) {
            if let Some(place) = groups.get_mut(kept) {
                *place = group;
            }
            kept += 1;
        }
    }
    groups.get(..kept).unwrap_or_default()
}

/// A number of digits only; `None` when it is none or does not fit.
fn id(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
