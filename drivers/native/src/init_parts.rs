//! The pure parts of init, so that lints, unit tests and property tests reach them.

#[path = "../init/accounts.rs"]
mod accounts;
#[path = "../init/decimal.rs"]
mod decimal;
#[path = "../init/split.rs"]
mod split;
