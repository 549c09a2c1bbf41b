//! Checks certificate files before they are read, because libraries read some of them without a limit.

use std::path::{Path, PathBuf};

use crate::error::{Error, Exit};
use crate::input_file;
use crate::model::text::display_path;
use crate::nomad::Access;
use crate::nomad::address::Scheme;
use crate::store::{RedisPlace, redis};

use super::values::variable;

/// Checks the files that this run may read. A missing or unusable file is reported where it is read.
///
/// # Errors
/// The first file that is too large or not a regular file.
pub(super) fn check(access: &Access, redis: Option<&RedisPlace>) -> Result<(), Error> {
    let is_encrypted = |redis: &&RedisPlace| {
        redis::parse_url(&redis.url).is_ok_and(|target| target.is_encrypted())
    };
    let redis = redis.filter(is_encrypted);
    let named = redis.map(|redis| [&redis.ca_cert, &redis.client_cert, &redis.client_key]);
    named.into_iter().flatten().flatten().try_for_each(|path| checked(path, input_file::PEM))?;
    let tls = &access.tls;
    let of_nomad = access.address.scheme == Scheme::Https
        && !tls.skip_verify
        && tls.ca_cert.is_none()
        && tls.ca_path.is_none();
    let of_redis = redis.is_some_and(|redis| redis.ca_cert.is_none());
    if !of_nomad && !of_redis {
        return Ok(());
    }
    // The library that loads the system's certificate authorities reads these instead, of any size.
    let file = variable("SSL_CERT_FILE").map(PathBuf::from);
    file.iter().try_for_each(|path| checked(path, input_file::PEM))?;
    let directories = variable("SSL_CERT_DIR").unwrap_or_default();
    std::env::split_paths(&directories).try_for_each(|directory| {
        input_file::check_folder(&directory).map_err(|why| unreadable(&directory, &why))
    })
}

fn checked(path: &Path, longest: u64) -> Result<(), Error> {
    input_file::check(path, longest).map_err(|why| unreadable(path, &why))
}

fn unreadable(path: &Path, why: &str) -> Error {
    Exit::Config.error(format!("cannot read {}: {why}", display_path(path)))
}
