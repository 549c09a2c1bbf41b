//! Who else may see a password that was given.

use crate::cli::Global;
use crate::model::secret::Secret;
use crate::nomad::Access;
use crate::store::redis;

use super::file::{File, shown};

/// Options that were typed with a password, and the variables to set in their stead.
pub(super) fn typed(global: &Global, access: &Access) -> Vec<(&'static str, &'static str)> {
    let redis = global.redis.as_deref().map(|url| redis::parse_url(&Secret::new(url)));
    let in_redis = redis.is_some_and(|url| url.is_ok_and(|target| target.has_password()));
    let held = [
        ("address", "NOMAD_ADDR", access.address.basic.is_some()),
        ("redis", "REDIS_URL", in_redis),
    ];
    let typed = |option: &str| global.typed.iter().any(|typed| *typed == option);
    let shown = held.into_iter().filter(|(option, _, holds)| *holds && typed(option));
    shown.map(|(option, variable, _)| (option, variable)).collect()
}

/// One line for each place where others can read a password; never the password.
pub(super) fn warnings(exposed: &[(&str, &str)], file: &File) -> Vec<String> {
    let in_file = file.leaks.then(|| {
        let path = shown(&file.path);
        format!("others may read {path}, which holds a password: chmod 600 {path}")
    });
    let typed = exposed.iter().map(|(option, variable)| {
        format!("others may see the password of --{option} in the list of processes: set {variable} instead")
    });
    in_file.into_iter().chain(typed).collect()
}
