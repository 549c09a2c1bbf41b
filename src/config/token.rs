//! The ACL token: from a file or from the variable.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::error::{Error, Exit};
use crate::input_file;
use crate::model::secret::Secret;
use crate::model::text::display_path;
use crate::settings::Typed;

use super::values::{Origin, Values};

/// The token, from its file or its variable. A pipe is waited for until then.
pub(super) fn token(
    values: &Values,
    of: &Typed<PathBuf>,
    until: Instant,
) -> Result<Option<Secret>, Error> {
    let token = match values.raw(of) {
        Some((text, Origin::Variable(name))) => checked(&text.to_string_lossy(), name),
        Some((path, _)) => in_file(Path::new(&path), until),
        None => return Ok(None),
    };
    token.map(Some)
}

fn in_file(path: &Path, until: Instant) -> Result<Secret, Error> {
    let text = input_file::read_or_receive(path, input_file::TOKEN, until).map_err(|why| {
        Exit::Config.error(format!("cannot read the token file ({}): {why}", display_path(path)))
    })?;
    checked(&String::from_utf8_lossy(&text), &display_path(path))
}

/// What is sent as a header holds no spaces and no line breaks.
fn checked(text: &str, place: &str) -> Result<Secret, Error> {
    let token = text.trim();
    let why = match token {
        "" => "it is empty",
        _ if token.bytes().all(|byte| byte.is_ascii_graphic()) => return Ok(Secret::new(token)),
        _ => "it holds characters that no token has",
    };
    Err(Exit::Config.error(format!("cannot use the token ({place}): {why}")))
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
