//! What is meant: options, variables and the file become settings; the last to see them.

mod file;
mod files;
mod limits;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/config.rs"]
pub(crate) mod properties;
mod provenance;
mod proxy;
mod scope;
mod serving;
mod terminal;
mod token;
mod values;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cli::Global;
use crate::discovery::{PROBE_FROM, Policy};
use crate::doctor::Provenance;
use crate::error::{Error, Exit, Hinted as _};
use crate::model::notice::Level;
use crate::model::secret::Secret;
use crate::model::text::display_path;
use crate::nomad::address::{Address, Scheme};
use crate::nomad::{Access, TlsSettings};
use crate::render::{ClusterSection, Format};
use crate::settings::{
    ADDRESS, CA_CERT, CA_PATH, CACHE, CACHE_PREFIX, CLIENT_CERT, CLIENT_KEY, COLOR, COMPRESS,
    CONCURRENCY, CONFIG, DETAIL_TTL, OUTPUT, REDIS, REDIS_CA_CERT, REDIS_CLIENT_CERT,
    REDIS_CLIENT_KEY, REDIS_TIMEOUT, REGION, REQUIRE_TLS, SHARE, TIMEOUT, TLS_SERVER_NAME,
    TLS_SKIP_VERIFY, TOKEN_FILE, TTL, duration,
};
use crate::store::{CacheMode, Place, RedisPlace, redis};

pub(crate) use serving::serving;
pub(crate) use terminal::{
    plain_look, stderr_is_terminal, stdout_is_closed, stdout_size, stdout_width,
};

use file::File;
use provenance::{provenance, warnings};
use terminal::colour_of_variables;
use values::{Origin, Values, variable};

/// Everything a command needs to know.
pub(crate) struct Config {
    pub(crate) access: Access,
    pub(crate) place: Place,
    pub(crate) policy: Policy,
    /// Whose nodes, in words.
    pub(crate) cluster: ClusterSection,
    /// How `list` prints.
    pub(crate) format: Format,
    /// Whether there is colour; `None` = on a terminal.
    pub(crate) colour: Option<bool>,
    /// Remarks up to this level are shown; `None` = none at all.
    pub(crate) level: Option<Level>,
    pub(crate) warnings: Vec<String>,
    /// Where all this comes from.
    pub(crate) found: Provenance,
    /// What only one command needs.
    pub(crate) values: Values,
}

impl Config {
    /// `began` is when the command started: its time runs from there.
    ///
    /// # Errors
    /// The first setting that is unreadable or invalid.
    pub(crate) fn new(global: &Global, began: Instant) -> Result<Self, Error> {
        let folders = directories::ProjectDirs::from("", "", "nomad-clients");
        // With a relative home, every working directory could bring its own configuration, and each
        // would get its own cache.
        let absolute = |path: &Path| path.is_absolute().then(|| path.to_owned());
        let usual = folders.as_ref().and_then(|folders| absolute(folders.config_dir()));
        let usual = usual.map(|folder| folder.join("config.toml"));
        let cache = folders.as_ref().and_then(|folders| absolute(folders.cache_dir()));
        let mut values = Values { given: global.given.clone(), file: File::default() };
        values.file = File::read(values.path(&CONFIG).as_deref(), usual.as_deref())?;
        let level = match (global.quiet, global.verbose) {
            (true, _) => None,
            (false, 0) => Some(Level::Summary),
            (false, 1) => Some(Level::Verbose),
            (false, _) => Some(Level::Call),
        };
        let mut config = Self::of(values, level, cache, began)?;
        config.found.usual = usual.as_deref().map(display_path);
        Ok(config)
    }

    /// `cache` is the cache directory.
    fn of(
        values: Values,
        level: Option<Level>,
        cache: Option<PathBuf>,
        began: Instant,
    ) -> Result<Self, Error> {
        let access = access(&values, began)?;
        let place = place(&values, &access, cache)?;
        // Nothing of the cache: where the processes of this host share their connections.
        let access = Access { folder: place.folder.clone(), ..access };
        let uses_redis = matches!(place.choice, CacheMode::Auto | CacheMode::Redis);
        let redis = uses_redis.then_some(&place.redis);
        if values.value(&REQUIRE_TLS)? {
            check_tls(&access.address, redis)?;
        }
        files::check(&access, redis)?;
        let cluster =
            ClusterSection { address: access.address.to_string(), region: access.region.clone() };
        let policy = Policy {
            concurrency: access.concurrency,
            timeout: access.timeout,
            deadline: access.deadline,
            shared: values.value(&SHARE)?,
            probe_from: PROBE_FROM,
        };
        let colour = values.given(&COLOR)?.unwrap_or_else(|| colour_of_variables(variable));
        let found = provenance(&values);
        Ok(Self {
            access,
            place,
            policy,
            cluster,
            format: values.value(&OUTPUT)?,
            colour,
            level,
            warnings: warnings(&found),
            found,
            values,
        })
    }

    /// Another round begins: it has the whole time again.
    pub(crate) fn begin(&mut self, now: Instant) {
        let deadline = now.checked_add(self.access.timeout).unwrap_or(self.access.deadline);
        (self.access.deadline, self.policy.deadline) = (deadline, deadline);
    }
}

/// The duration that a command's own option was given.
///
/// # Errors
/// Wrong usage, with the option's name.
pub(crate) fn typed_duration(option: &str, text: &str) -> Result<Duration, Error> {
    duration(text).map_err(|why| Origin::Typed(option).error(&why))
}

fn access(values: &Values, began: Instant) -> Result<Access, Error> {
    let address = values.value(&ADDRESS)?;
    let timeout = values.value(&TIMEOUT)?;
    let deadline =
        began.checked_add(timeout).unwrap_or(began + Duration::from_secs(u32::MAX.into()));
    let proxy = proxy::proxy(&address, variable)
        .map_err(|(name, why)| Origin::Variable(name).error(&why))?;
    Ok(Access {
        proxy: proxy.map(Secret::new),
        address,
        region: values.given(&REGION)?.filter(|region| !region.is_empty()),
        token: token::token(values, &TOKEN_FILE, deadline)?,
        basic: variable("NOMAD_HTTP_AUTH").map(|pair| {
            let (user, password) = pair.split_once(':').unwrap_or((&pair, ""));
            (user.to_owned(), Secret::new(password))
        }),
        tls: TlsSettings {
            ca_cert: values.path(&CA_CERT),
            ca_path: values.path(&CA_PATH),
            client_cert: values.path(&CLIENT_CERT),
            client_key: values.path(&CLIENT_KEY),
            server_name: values.given(&TLS_SERVER_NAME)?,
            skip_verify: values.value(&TLS_SKIP_VERIFY)?,
        },
        compress: values.value(&COMPRESS)?,
        concurrency: limits::concurrency(values.value(&CONCURRENCY)?),
        folder: None,
        timeout,
        deadline,
    })
}

fn place(values: &Values, access: &Access, folder: Option<PathBuf>) -> Result<Place, Error> {
    let choice = values.value(&CACHE)?;
    let own = values.given(&CACHE_PREFIX)?;
    let ttl = values.value(&TTL)?;
    Ok(Place {
        choice,
        redis: RedisPlace {
            url: values.value(&REDIS)?,
            // Who chooses Redis as the cache asks for it as much as who names one.
            is_configured: choice == CacheMode::Redis || values.found(&REDIS.setting).is_some(),
            ca_cert: values.path(&REDIS_CA_CERT),
            client_cert: values.path(&REDIS_CLIENT_CERT),
            client_key: values.path(&REDIS_CLIENT_KEY),
            silence: values.value(&REDIS_TIMEOUT)?,
            timeout: access.timeout,
        },
        folder,
        copies: true,
        scope: scope::scope(access, values.value(&SHARE)?),
        prefix: own.map_or("nomad:clients".to_owned(), |own| format!("nomad:clients:{own}")),
        ttl,
        detail_ttl: values.value(&DETAIL_TTL)?.max(ttl),
    })
}

/// With --require-tls nothing leaves this machine unencrypted.
fn check_tls(address: &Address, redis: Option<&RedisPlace>) -> Result<(), Error> {
    let refused = |what: String, hint: &'static str| {
        let what = format!("plain {what} refused (--require-tls)");
        Err(Exit::Config.error(what).hinted(hint))
    };
    if address.scheme == Scheme::Http && !address.is_local() {
        return refused(format!("http to {address}"), "use https:// in the address");
    }
    let redis = redis.and_then(|redis| redis::parse_url(&redis.url).ok());
    match redis.filter(|redis| !redis.is_encrypted() && !redis.is_local()) {
        Some(redis) => refused(format!("redis to {}", redis.place()), "use rediss:// in --redis"),
        None => Ok(()),
    }
}
