//! What holds of a configuration file, whatever the bytes. Tests and fuzzers ask it.

use std::path::Path;
use std::time::Instant;

use crate::cli::Given;
use crate::error::{Error, Exit, hint};
use crate::model::properties::assert_harmless;

use super::Config;
use super::file::File;
use super::values::Values;

/// Every setting is checked as in a run; what is wrong is told in harmless words.
pub(crate) fn configuration(bytes: &[u8], began: Instant) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("/etc/nomad-clients/config.toml");
    let config = |mut file: File| {
        // Whatever file it names is not to be read here.
        file.values.remove("token-file");
        Config::of(Values { given: Given::default(), file }, None, None, began)
    };
    match File::parse(path, text).and_then(config) {
        Ok(config) => assert_harmless(&config.cluster.address),
        Err(error) => assert_told(&error),
    }
}

fn assert_told(error: &Error) {
    assert_harmless(&format!("{error:#}"));
    assert_harmless(&hint(error).unwrap_or_default());
    assert_eq!(Exit::of(error), Exit::Config, "{error}");
}
