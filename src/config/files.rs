//! Files of TLS that others read later or in their own way, checked before anything begins.

use std::path::{Path, PathBuf};

use crate::error::{Error, Exit};
use crate::input_file;
use crate::model::text::display_path;
use crate::nomad::Access;
use crate::nomad::address::Scheme;
use crate::store::{RedisPlace, redis};

use super::values::variable;

/// Those that this run may read: that they are missing, or hold nothing of use, is told where they
/// are read.
///
/// # Errors
/// The first that is too large, or no regular file.
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
    // The library that reads the roots of the system takes these instead, whatever they are.
    let file = variable("SSL_CERT_FILE").map(PathBuf::from);
    file.iter().try_for_each(|path| checked(path, input_file::PEM))?;
    let folders = variable("SSL_CERT_DIR").unwrap_or_default();
    std::env::split_paths(&folders).try_for_each(|folder| {
        input_file::check_folder(&folder).map_err(|why| unreadable(&folder, &why))
    })
}

fn checked(path: &Path, longest: u64) -> Result<(), Error> {
    input_file::check(path, longest).map_err(|why| unreadable(path, &why))
}

fn unreadable(path: &Path, why: &str) -> Error {
    Exit::Config.error(format!("cannot read {}: {why}", display_path(path)))
}
