//! Secrets at rest: the sealing keys, the sealing itself, the first run's key file, rotation, and the identity that
//! names our blocks. Nothing here ever prints a secret or puts one into an error.

pub mod first_run;
pub mod identity;
pub mod key;
pub mod keyfile;
pub mod rotate;
pub mod seal;
pub mod sealed_setting;

pub use key::{KeyId, SealingKey};
pub use seal::{Keyring, OpenError, Place};
