//! The ACL token: from a file or from the variable.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::Error;
use crate::model::secret::Secret;

use super::file::{reason, shown};

/// A token is 36 characters, a signed one some thousands at most.
const FILE_MAX: u64 = 64 * 1024;

pub(super) fn in_file(path: &Path) -> Result<Secret, Error> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text));
    read.map_err(|error| Error::Config {
        what: format!("cannot read the token file ({}): {}", shown(path), reason(&error)),
        hint: None,
    })?;
    checked(&text, &shown(path))
}

/// What is sent as a header holds no spaces and no line breaks.
pub(super) fn checked(text: &str, place: &str) -> Result<Secret, Error> {
    let token = text.trim();
    let why = match token {
        "" => "it is empty",
        _ if token.bytes().all(|byte| byte.is_ascii_graphic()) => return Ok(Secret::new(token)),
        _ => "it holds characters that no token has",
    };
    Err(Error::Config { what: format!("cannot use the token ({place}): {why}"), hint: None })
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn tokens_fit_into_a_header_and_stay_out_of_errors() {
        assert_eq!(checked(" a-1\n", "F").unwrap().reveal(), "a-1");
        let error = |text: &str| checked(text, "F").unwrap_err().to_string();
        assert_eq!(error("\n"), "cannot use the token (F): it is empty");
        assert_eq!(
            error("can\nary"),
            "cannot use the token (F): it holds characters that no token has"
        );
    }
}
