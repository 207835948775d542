//! Drivers by name: what is built in, what third parties add, and the platform's default.

use execdriver_core::{Driver, Error, Options, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Makes a driver. It gets the directory that its state belongs in, which it may create, and the
/// options, of which it takes what it knows; what it leaves is an error.
pub type Constructor =
    Arc<dyn Fn(&Path, &mut Options) -> Result<Arc<dyn Driver>> + Send + Sync + 'static>;

/// A table of driver constructors. A value, not a global: a host makes one at start-up, adds its
/// own drivers and opens one by name.
///
/// ```
/// use execdriver::{Options, Registry};
/// let registry = Registry::with_builtin();
/// let unknown = registry.open("lxc", "/tmp/none".as_ref(), Options::none());
/// assert!(unknown.is_err());
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    constructors: BTreeMap<String, Constructor>,
    default: Option<String>,
}

impl Registry {
    /// A table without drivers.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A table with the drivers of this platform, and its default set.
    pub fn with_builtin() -> Self {
        let mut registry = Self::empty();
        registry.add_builtin();
        registry
    }

    #[cfg(target_os = "linux")]
    fn add_builtin(&mut self) {
        let constructor: Constructor = Arc::new(|root, options| {
            let driver = execdriver_native::NativeDriver::open(root, options)?;
            Ok(Arc::new(driver) as Arc<dyn Driver>)
        });
        self.constructors.insert("native".to_owned(), constructor);
        self.default = Some("native".to_owned());
    }

    #[cfg(target_os = "windows")]
    fn add_builtin(&mut self) {
        let constructor: Constructor = Arc::new(|root, options| {
            let driver = execdriver_windows::WindowsDriver::open(root, options)?;
            Ok(Arc::new(driver) as Arc<dyn Driver>)
        });
        self.constructors.insert("windows".to_owned(), constructor);
        self.default = Some("windows".to_owned());
    }

    #[cfg(not(any(target_os = "linux", target_os = "windows")))]
    fn add_builtin(&mut self) {}

    /// Adds a driver under `name`.
    ///
    /// # Errors
    /// [`Error::DuplicateDriver`] when the name is taken; [`Error::InvalidCommand`] when it is
    /// not lower-case letters, digits and dashes, since it names a directory too.
    pub fn register(
        &mut self,
        name: &str,
        constructor: impl Fn(&Path, &mut Options) -> Result<Arc<dyn Driver>> + Send + Sync + 'static,
    ) -> Result<()> {
        check_name(name)?;
        if self.constructors.contains_key(name) {
            return Err(Error::DuplicateDriver {
                name: name.to_owned(),
            });
        }
        self.constructors
            .insert(name.to_owned(), Arc::new(constructor));
        Ok(())
    }

    /// The registered names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.constructors.keys().cloned().collect()
    }

    /// The name that [`open_default`](Registry::open_default) opens.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Makes `name` the default.
    ///
    /// # Errors
    /// [`Error::UnknownDriver`].
    pub fn set_default(&mut self, name: &str) -> Result<()> {
        self.find(name)?;
        self.default = Some(name.to_owned());
        Ok(())
    }

    /// Opens driver `name` with its state under `root`/execdriver/`name`.
    ///
    /// # Errors
    /// [`Error::UnknownDriver`], [`Error::UnknownOption`], [`Error::InvalidOption`], or what the
    /// constructor returned.
    pub fn open(&self, name: &str, root: &Path, mut options: Options) -> Result<Arc<dyn Driver>> {
        let constructor = self.find(name)?;
        let driver = constructor(&state_dir(root, name), &mut options)?;
        options.reject_rest(name)?;
        Ok(driver)
    }

    /// Opens the default driver.
    ///
    /// # Errors
    /// As [`open`](Registry::open); [`Error::UnknownDriver`] when there is no default.
    pub fn open_default(&self, root: &Path, options: Options) -> Result<Arc<dyn Driver>> {
        match &self.default {
            Some(name) => self.open(name, root, options),
            None => Err(self.unknown("(default)")),
        }
    }

    fn find(&self, name: &str) -> Result<&Constructor> {
        self.constructors
            .get(name)
            .ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Error {
        Error::UnknownDriver {
            name: name.to_owned(),
            known: self.names(),
        }
    }
}

fn state_dir(root: &Path, name: &str) -> PathBuf {
    root.join("execdriver").join(name)
}

fn check_name(name: &str) -> Result<()> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(good) {
        return Ok(());
    }
    let reason = format!("{name:?} is not 1 to 64 lower-case letters, digits and dashes");
    Err(Error::invalid("driver name", reason))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("names", &self.names())
            .field("default", &self.default)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(_: &Path, _: &mut Options) -> Result<Arc<dyn Driver>> {
        Err(Error::unsupported("broken", "anything"))
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut registry = Registry::empty();
        registry.register("mine", broken).unwrap();
        let again = registry.register("mine", broken).unwrap_err();
        assert!(matches!(again, Error::DuplicateDriver { .. }));
    }

    #[test]
    fn an_unknown_driver_is_answered_with_the_known_ones() {
        let mut registry = Registry::empty();
        registry.register("mine", broken).unwrap();
        let error = registry.set_default("yours").unwrap_err();
        assert_eq!(error.to_string(), "unknown driver \"yours\" (known: mine)");
    }

    #[test]
    fn a_name_that_could_leave_the_root_is_refused() {
        let mut registry = Registry::empty();
        for name in ["", "..", "a/b", "A", "a.b"] {
            assert!(registry.register(name, broken).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_builtin_table_has_a_default_where_the_platform_has_a_driver() {
        let registry = Registry::with_builtin();
        let default = registry.default_name().map(str::to_owned);
        assert_eq!(registry.names().first().cloned(), default);
    }
}
