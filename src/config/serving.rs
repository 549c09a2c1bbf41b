//! What `serve` needs beside everything else: where, for whom, how often.

use std::time::Duration;

use crate::cli::Serve;
use crate::error::Error;
use crate::model::secret::Secret;
use crate::serve::{Listen, Settings};

use super::value::{Origin, duration};
use super::{token, variable};

const TOKEN: &str = "NOMAD_CLIENTS_ACCESS_TOKEN";
/// 128 bits in base64 without padding.
const SHORTEST: usize = 22;
const INTERVAL: Duration = Duration::from_millis(500);

/// `tells_calls`: every request is told.
///
/// # Errors
/// The first option or variable that is unreadable or invalid.
pub(crate) fn serving(serve: &Serve, tells_calls: bool) -> Result<Settings, Error> {
    let places: Result<Vec<Listen>, Error> = serve
        .listen
        .iter()
        .map(|text| Listen::parse(text).map_err(|why| Origin::Typed("listen").error(&why)))
        .collect();
    let mut listen = places?;
    let usual = listen.is_empty();
    if usual {
        listen.push(Listen::parse("127.0.0.1:8080").expect("it is an address"));
    }
    let interval = serve.follow_interval.as_deref().map(duration).transpose();
    let interval = interval.map_err(|why| Origin::Typed("follow-interval").error(&why))?;
    let names: Result<Vec<String>, Error> =
        serve.allowed_host.iter().map(|name| host(name)).collect();
    Ok(Settings {
        listen,
        usual,
        token: if serve.insecure_no_auth { None } else { access_token(serve)? },
        insecure: serve.insecure_no_auth,
        names: names?,
        follow: (!serve.no_follow).then_some(interval.unwrap_or(INTERVAL)),
        tells_calls,
    })
}

/// The file that was typed, else the variable. What can be guessed is no token.
fn access_token(serve: &Serve) -> Result<Option<Secret>, Error> {
    let (token, place) = match (&serve.access_token_file, variable(TOKEN)) {
        (Some(path), _) => (token::in_file(path)?, "--access-token-file"),
        (None, Some(text)) => (token::checked(&text, TOKEN)?, TOKEN),
        (None, None) => return Ok(None),
    };
    if token.reveal().len() < SHORTEST {
        return Err(Error::Config {
            what: format!("the access token ({place}) is shorter than {SHORTEST} characters"),
            hint: Some("make one with: openssl rand -hex 16".to_owned()),
        });
    }
    Ok(Some(token))
}

fn host(name: &str) -> Result<String, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(Origin::Typed("allowed-host").error("must be a host name, or NAME:PORT"));
    }
    Ok(name.to_ascii_lowercase())
}
