//! What is meant: options, variables and the file become settings; the last to see them.

mod exposed;
mod file;
mod files;
mod found;
mod limits;
#[cfg(any(test, fuzzing))]
#[path = "../../tests/fuzz/properties/config.rs"]
pub(crate) mod properties;
mod proxy;
mod serving;
mod sharing;
mod terminal;
mod token;
mod value;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cli::Global;
use crate::discovery::{PROBE_FROM, Policy};
use crate::doctor::Provenance;
use crate::error::{Error, Exit, Hinted as _};
use crate::model::notice::Level;
use crate::model::secret::Secret;
use crate::nomad::address::{Address, Scheme};
use crate::nomad::{Access, Compress, TlsSettings};
use crate::render::{ClusterSection, Format};
use crate::store::scope::Scope;
use crate::store::{CacheMode, Place, RedisPlace, redis};

pub(crate) use serving::serving;
pub(crate) use terminal::{
    Colour, plain_look, stderr_is_terminal, stdout_is_closed, stdout_size, stdout_width,
};

use file::File;
use value::{Origin, choice, concurrency, duration, prefix, truth};

/// Everything a command needs to know.
pub(crate) struct Config {
    pub(crate) access: Access,
    pub(crate) place: Place,
    pub(crate) policy: Policy,
    /// Whose nodes, in words.
    pub(crate) cluster: ClusterSection,
    /// How `list` prints unless told.
    pub(crate) format: Option<Format>,
    /// The columns and the order of `list` unless told; empty or one text.
    pub(crate) columns: Vec<String>,
    pub(crate) sort: Vec<String>,
    pub(crate) colour: Colour,
    /// Remarks up to this level are shown; `None` = none at all.
    pub(crate) level: Option<Level>,
    pub(crate) warnings: Vec<String>,
    /// Where all this comes from.
    pub(crate) found: Provenance,
}

impl Config {
    /// Another round begins: it has the whole time again.
    pub(crate) fn begin(&mut self, now: Instant) {
        let deadline = now.checked_add(self.access.timeout).unwrap_or(self.access.deadline);
        (self.access.deadline, self.policy.deadline) = (deadline, deadline);
    }
}

/// Puts the settings together.
struct ConfigBuilder<'a> {
    global: &'a Global,
    file: File,
    began: Instant,
}

impl Config {
    /// `began` is when the command started: its time runs from there.
    ///
    /// # Errors
    /// The first setting that is unreadable or invalid.
    pub(crate) fn new(global: &Global, began: Instant) -> Result<Self, Error> {
        let folders = directories::ProjectDirs::from("", "", "nomad-clients");
        let usual = folders.as_ref().map(|folders| folders.config_dir().join("config.toml"));
        // Below a relative home every folder that somebody stands in would be one to obey.
        let usual = usual.filter(|file| file.is_absolute());
        let file = File::read(global.config.as_deref(), usual.as_deref())?;
        let found = found::found(global, &file, usual.as_deref());
        let builder = ConfigBuilder { global, file, began };
        // Nor does each of them get a cache of its own.
        let cache = folders.map(|folders| folders.cache_dir().to_owned());
        builder.config(found, cache.filter(|folder| folder.is_absolute()))
    }
}

/// The duration that a command's own option was given.
///
/// # Errors
/// Wrong usage, with the option's name.
pub(crate) fn typed_duration(option: &str, text: &str) -> Result<Duration, Error> {
    duration(text).map_err(|why| Origin::Typed(option).error(&why))
}

impl ConfigBuilder<'_> {
    fn config(&self, found: Provenance, folder: Option<PathBuf>) -> Result<Config, Error> {
        let access = self.access()?;
        let place = self.place(&access, folder)?;
        // Nothing of the cache: where the processes of this host share their connections.
        let access = Access { folder: place.folder.clone(), ..access };
        let uses_redis = matches!(place.choice, CacheMode::Auto | CacheMode::Redis);
        self.check_tls(&access.address, uses_redis)?;
        files::check(&access, uses_redis.then_some(&place.redis))?;
        let cluster =
            ClusterSection { address: access.address.to_string(), region: access.region.clone() };
        let policy = Policy {
            concurrency: access.concurrency,
            timeout: self.timeout()?,
            deadline: access.deadline,
            shared: self.shared()?,
            stale_if_error: None,
            probe_from: PROBE_FROM,
            moved: false,
        };
        let format = self.file.output.as_deref().map(str::parse::<Format>).transpose();
        let format = format.map_err(|why| Origin::File("output", &self.file).error(&why))?;
        let exposed = exposed::typed(self.global, &access);
        let warnings = exposed::warnings(&exposed, &self.file);
        let found = Provenance { exposed, ..found };
        Ok(Config {
            access,
            place,
            policy,
            cluster,
            format,
            columns: self.file.columns.clone().into_iter().collect(),
            sort: self.file.sort.clone().into_iter().collect(),
            colour: self.colour()?,
            level: self.level(),
            warnings,
            found,
        })
    }

    /// The value of one setting, wherever it was said, through its check.
    fn text<T>(
        &self,
        [option, name]: [&'static str; 2],
        said: Option<&str>,
        file: Option<&str>,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let typed = || self.global.typed.iter().any(|typed| *typed == option);
        let (text, origin) = match (said, file) {
            (Some(text), _) if name.is_empty() || typed() => (text, Origin::Typed(option)),
            (Some(text), _) => (text, Origin::Variable(name)),
            (None, Some(text)) => (text, Origin::File(option, &self.file)),
            (None, None) => return Ok(None),
        };
        check(text).map(Some).map_err(|why| origin.error(&why))
    }

    fn access(&self) -> Result<Access, Error> {
        let (global, file) = (self.global, &self.file);
        let address = self.text(
            ["address", "NOMAD_ADDR"],
            global.address.as_deref(),
            file.address.as_deref(),
            Address::parse,
        )?;
        let address = address.map_or_else(|| Address::parse("http://127.0.0.1:4646"), Ok);
        let address = address.map_err(|why| Exit::Config.error(why))?;
        let number = file.concurrency.map(|number| number.to_string());
        let workers = self
            .text(
                ["concurrency", ""],
                global.concurrency.as_deref(),
                number.as_deref(),
                concurrency,
            )?
            .unwrap_or(16);
        let workers = limits::concurrency(workers);
        let names = ["auto", "always", "never"];
        let compress = self.text(
            ["compress", ""],
            global.compress.as_deref(),
            file.compress.as_deref(),
            |text| {
                choice(text, &names)
                    .map(|at| [Compress::Auto, Compress::Always, Compress::Never][at])
            },
        )?;
        let timeout = self.timeout()?;
        let deadline = self
            .began
            .checked_add(timeout)
            .unwrap_or(self.began + Duration::from_secs(u32::MAX.into()));
        let proxy = proxy::proxy(&address, variable)
            .map_err(|(name, why)| Origin::Variable(name).error(&why))?;
        Ok(Access {
            proxy: proxy.map(Secret::new),
            address,
            region: global
                .region
                .clone()
                .or_else(|| file.region.clone())
                .filter(|region| !region.is_empty()),
            token: self.token(deadline)?,
            basic: variable("NOMAD_HTTP_AUTH").map(|pair| {
                let (user, password) = pair.split_once(':').unwrap_or((&pair, ""));
                (user.to_owned(), Secret::new(password))
            }),
            tls: self.tls()?,
            compress: compress.unwrap_or(Compress::Auto),
            concurrency: workers,
            folder: None,
            timeout,
            deadline,
        })
    }

    fn tls(&self) -> Result<TlsSettings, Error> {
        let (global, file) = (self.global, &self.file);
        let skip = variable("NOMAD_SKIP_VERIFY").and_then(|text| truth(&text));
        let skip = skip.or(file.tls_skip_verify);
        let path =
            |said: &Option<PathBuf>, file: &Option<PathBuf>| said.clone().or_else(|| file.clone());
        Ok(TlsSettings {
            ca_cert: path(&global.ca_cert, &file.ca_cert),
            ca_path: path(&global.ca_path, &file.ca_path),
            client_cert: path(&global.client_cert, &file.client_cert),
            client_key: path(&global.client_key, &file.client_key),
            server_name: global.tls_server_name.clone().or_else(|| file.tls_server_name.clone()),
            skip_verify: global.tls_skip_verify || skip.unwrap_or(false),
        })
    }

    /// The file that was typed, the variable, the file that the configuration names.
    fn token(&self, until: Instant) -> Result<Option<Secret>, Error> {
        match (&self.global.token_file, variable("NOMAD_TOKEN"), &self.file.token_file) {
            (Some(path), _, _) | (None, None, Some(path)) => token::in_file(path, until).map(Some),
            (None, Some(text), _) => token::checked(&text, "NOMAD_TOKEN").map(Some),
            (None, None, None) => Ok(None),
        }
    }

    fn timeout(&self) -> Result<Duration, Error> {
        let more = |text: &str| {
            let time = duration(text)?;
            if time.is_zero() { Err("must be longer than 0s".to_owned()) } else { Ok(time) }
        };
        let said = self.text(
            ["timeout", ""],
            self.global.timeout.as_deref(),
            self.file.timeout.as_deref(),
            more,
        )?;
        Ok(said.unwrap_or(Duration::from_secs(30)))
    }

    /// Whether all tokens of the cluster share the cache.
    fn shared(&self) -> Result<bool, Error> {
        let said = self.text(
            ["share", "NOMAD_CLIENTS_SHARE"],
            self.global.share.as_deref(),
            self.file.share.as_deref(),
            |text| choice(text, &["token", "cluster"]),
        )?;
        Ok(said == Some(1))
    }

    fn place(&self, access: &Access, folder: Option<PathBuf>) -> Result<Place, Error> {
        let (global, file) = (self.global, &self.file);
        let names = ["auto", "redis", "local", "none"];
        let cache = self.text(
            ["cache", "NOMAD_CLIENTS_CACHE"],
            global.cache.as_deref(),
            file.cache.as_deref(),
            |text| {
                choice(text, &names).map(|at| {
                    [CacheMode::Auto, CacheMode::Redis, CacheMode::Local, CacheMode::None][at]
                })
            },
        )?;
        let own = self.text(
            ["cache-prefix", "NOMAD_CLIENTS_PREFIX"],
            global.cache_prefix.as_deref(),
            file.cache_prefix.as_deref(),
            prefix,
        )?;
        let ttl = self.text(
            ["ttl", "NOMAD_CLIENTS_TTL"],
            global.ttl.as_deref(),
            file.ttl.as_deref(),
            duration,
        )?;
        let ttl = ttl.unwrap_or(Duration::from_secs(60));
        let detail_ttl = self.text(
            ["detail-ttl", "NOMAD_CLIENTS_DETAIL_TTL"],
            global.detail_ttl.as_deref(),
            file.detail_ttl.as_deref(),
            duration,
        )?;
        Ok(Place {
            choice: cache.unwrap_or(CacheMode::Auto),
            redis: self.redis()?,
            folder,
            scope: Scope::of(&sharing::sharing(access, self.shared()?)),
            prefix: own.map_or("nomad:clients".to_owned(), |own| format!("nomad:clients:{own}")),
            ttl,
            detail_ttl: detail_ttl.unwrap_or(Duration::from_secs(300)).max(ttl),
        })
    }

    fn redis(&self) -> Result<RedisPlace, Error> {
        let (global, file) = (self.global, &self.file);
        let check = |text: &str| {
            let read = redis::parse_url(&Secret::new(text));
            read.map(|_| Secret::new(text)).map_err(|error| error.to_string())
        };
        let url = self.text(
            ["redis", "REDIS_URL"],
            global.redis.as_deref(),
            file.redis.as_deref(),
            check,
        )?;
        // Who chooses Redis as the cache asks for it as much as who names one.
        let chosen = global.cache.as_deref().or(file.cache.as_deref()) == Some("redis");
        let asked = chosen || url.is_some();
        let url = url.unwrap_or_else(|| Secret::new("redis://localhost:6379/0"));
        Ok(RedisPlace {
            url,
            asked,
            ca_cert: global.redis_ca_cert.clone().or_else(|| file.redis_ca_cert.clone()),
            client_cert: global
                .redis_client_cert
                .clone()
                .or_else(|| file.redis_client_cert.clone()),
            client_key: global.redis_client_key.clone().or_else(|| file.redis_client_key.clone()),
        })
    }

    /// With --require-tls nothing leaves this machine unencrypted.
    fn check_tls(&self, address: &Address, uses_redis: bool) -> Result<(), Error> {
        if !self.global.require_tls && self.file.require_tls != Some(true) {
            return Ok(());
        }
        let refused = |what: String, hint: &'static str| Err(Exit::Config.error(what).hinted(hint));
        if address.scheme == Scheme::Http && !address.is_local() {
            return refused(
                format!("plain http to {address} refused (--require-tls)"),
                "use https:// in the address",
            );
        }
        let redis = redis::parse_url(&self.redis()?.url);
        match redis {
            Ok(redis) if uses_redis && !redis.is_encrypted() && !redis.is_on_this_machine() => {
                refused(
                    format!("plain redis to {} refused (--require-tls)", redis.place()),
                    "use rediss:// in --redis",
                )
            }
            _ => Ok(()),
        }
    }

    fn colour(&self) -> Result<Colour, Error> {
        let said = self.text(
            ["color", ""],
            self.global.color.as_deref(),
            self.file.color.as_deref(),
            |text| {
                choice(text, &["auto", "always", "never"])
                    .map(|at| [Colour::Auto, Colour::Always, Colour::Never][at])
            },
        )?;
        Ok(said.unwrap_or_else(|| Colour::of_variables(variable)))
    }

    fn level(&self) -> Option<Level> {
        match (self.global.quiet, self.global.verbose) {
            (true, _) => None,
            (false, 0) => Some(Level::Summary),
            (false, 1) => Some(Level::Verbose),
            (false, _) => Some(Level::Call),
        }
    }
}

/// A variable that is set; empty counts as unset.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}
