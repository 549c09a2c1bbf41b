//! What `serve` needs beside everything else: where, for whom, how often.

use std::time::Instant;

use crate::cli::Serve;
use crate::error::{Error, Exit, Hinted as _};
use crate::model::notice::Level;
use crate::model::secret::Secret;
use crate::net::endpoint::Endpoint;
use crate::serve::{BasePath, Listen, Settings, SocketAccess};
use crate::settings::{ACCESS_TOKEN_FILE, FOLLOW_INTERVAL, LISTEN};

use super::values::{Origin, Values, variable};
use super::{Config, token};

/// What a service manager says of the sockets that it hands over, as `sd_listen_fds` reads it.
const COUNT: &str = "LISTEN_FDS";
const OF_PROCESS: &str = "LISTEN_PID";
/// 128 bits in base64 without padding.
const SHORTEST: usize = 22;
/// Sockets that may be handed over.
const HANDED: usize = 64;

///
/// # Errors
/// The first option or variable that is unreadable or invalid.
pub(crate) fn serving(serve: &Serve, config: &Config) -> Result<Settings, Error> {
    let typed = config.values.texts(&LISTEN)?.map(|(typed, _)| typed);
    let is_default_listen = typed.is_none();
    let places = typed.or(LISTEN.setting.default.map(|place| vec![place.to_owned()]));
    let parse = |text: &String| {
        Listen::parse(text).map_err(|why| Origin::Typed(LISTEN.setting.name).error(&why))
    };
    let listen: Vec<Listen> = places.iter().flatten().map(parse).collect::<Result<_, _>>()?;
    let host = |name: &String| {
        let wrong = |_| Origin::Typed("allowed-host").error("must be a host name, or NAME:PORT");
        Endpoint::parse(name).map_err(wrong)
    };
    let names: Result<Vec<Endpoint>, Error> = serve.allowed_host.iter().map(host).collect();
    let mut warnings = Vec::new();
    let inherited = inherited(&mut warnings)?;
    Ok(Settings {
        access: socket_access(serve, &listen)?,
        base: base_path(serve)?,
        listen,
        is_default_listen,
        inherited,
        warnings,
        token: if serve.insecure_no_auth {
            None
        } else {
            access_token(&config.values, config.policy.deadline)?
        },
        insecure: serve.insecure_no_auth,
        names: names?,
        follow: (!serve.no_follow).then_some(config.values.value(&FOLLOW_INTERVAL)?),
        log_requests: config.level == Some(Level::Call),
    })
}

fn socket_access(serve: &Serve, listen: &[Listen]) -> Result<SocketAccess, Error> {
    let mut access = SocketAccess::default();
    let is_unix = listen.iter().any(|listen| matches!(listen, Listen::Unix(_)));
    let check = |option: &'static str, access: Result<SocketAccess, String>| {
        let unix = if is_unix { Ok(()) } else { Err("there is no --listen unix:PATH".to_owned()) };
        unix.and(access).map_err(|why| Origin::Typed(option).error(&why))
    };
    // The mode comes last: if both are given, it is as it was typed.
    if let Some(group) = &serve.listen_group {
        access = check("listen-group", access.with_group(group))?;
    }
    if let Some(mode) = &serve.listen_mode {
        access = check("listen-mode", access.with_mode(mode))?;
    }
    Ok(access)
}

fn base_path(serve: &Serve) -> Result<BasePath, Error> {
    let base = serve.base_path.as_deref().map(BasePath::parse).transpose();
    Ok(base.map_err(|why| Origin::Typed("base-path").error(why))?.unwrap_or_default())
}

/// What can be guessed is no token.
fn access_token(values: &Values, until: Instant) -> Result<Option<Secret>, Error> {
    let Some(token) = token::token(values, &ACCESS_TOKEN_FILE, until)? else { return Ok(None) };
    if token.reveal().len() < SHORTEST {
        let place = values.raw(&ACCESS_TOKEN_FILE).map(|(_, origin)| origin.to_string());
        let place = place.unwrap_or_default();
        let why = format!("the access token ({place}) is shorter than {SHORTEST} characters");
        return Err(Exit::Config.error(why).hinted("make one with: openssl rand -hex 16"));
    }
    Ok(Some(token))
}

/// How many sockets the service manager hands over to this very process: a child inherits the
/// variables, and they do not concern it, but whoever meant this one should know.
fn inherited(warnings: &mut Vec<String>) -> Result<usize, Error> {
    let Some(count) = variable(COUNT) else { return Ok(0) };
    let wrong = |name: &'static str, why: &str| Origin::Variable(name).error(why);
    if let Some(of) = variable(OF_PROCESS) {
        let of: u32 = of.parse().map_err(|_| wrong(OF_PROCESS, "must be the id of a process"))?;
        if of != std::process::id() {
            let own = std::process::id();
            warnings.push(format!(
                "{COUNT} is ignored: {OF_PROCESS} is {of}, and this process is {own}"
            ));
            return Ok(0);
        }
    }
    let count = count.parse().ok().filter(|count| *count <= HANDED);
    count.ok_or_else(|| wrong(COUNT, &format!("must be a number of sockets from 0 to {HANDED}")))
}
