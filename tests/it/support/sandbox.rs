//! The program in a room of its own: an empty environment, its own home, cache and configuration.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// Where one test's runs of the program live.
pub(crate) struct Sandbox {
    home: TempDir,
    vars: Vec<(String, String)>,
    /// Its files name Nomad and Redis.
    configured: bool,
}

/// Where nobody listens.
pub(crate) const UNUSED: &str = "http://127.0.0.1:1";

/// What one run said, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Sandbox {
    /// No Redis is named and none is looked for: the files of this sandbox are the cache.
    pub(crate) fn local() -> Self {
        Self::empty().with("NOMAD_CLIENTS_CACHE", "local")
    }

    pub(crate) fn redis(url: &str) -> Self {
        Self::empty().with("REDIS_URL", url)
    }

    /// Names nothing: for runs that ask nobody, or whose arguments say whom to ask.
    pub(crate) fn empty() -> Self {
        Self { home: TempDir::new().unwrap(), vars: Vec::new(), configured: false }
    }

    /// The same for runs whose files say whom to ask.
    pub(crate) fn configured(self) -> Self {
        Self { configured: true, ..self }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits for its Redis however busy the machine is.
    pub(crate) fn patient(self) -> Self {
        self.with("NOMAD_CLIENTS_REDIS_TIMEOUT", "20s")
    }

    /// Waits no longer for a silent Redis than it must.
    pub(crate) fn impatient(self) -> Self {
        self.with("NOMAD_CLIENTS_REDIS_TIMEOUT", "500ms")
    }

    pub(crate) fn nomad(self, address: &str) -> Self {
        self.with("NOMAD_ADDR", address)
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.home().join(".cache/nomad-clients")
    }

    /// Writes a file below the home.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What must be said so that no run looks for a Nomad or a Redis at its usual port, where one of
    /// this machine may listen.
    fn unused(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = |name: &str| self.vars.iter().any(|(known, _)| known == name);
        let nomad = !self.configured && !named("NOMAD_ADDR");
        let redis = !self.configured && !named("REDIS_URL") && !named("NOMAD_CLIENTS_CACHE");
        let nomad = nomad.then_some(("NOMAD_ADDR", UNUSED));
        nomad.into_iter().chain(redis.then_some(("NOMAD_CLIENTS_CACHE", "local")))
    }

    /// The program with these arguments, not yet started.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        // Another build of the program, for figures.
        let program = std::env::var_os("TEST_PROGRAM").map(PathBuf::from);
        let mut command =
            Command::new(program.unwrap_or_else(|| cargo_bin!("nomad-clients").to_owned()));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .current_dir(self.home())
            .stdin(Stdio::null());
        command.envs(self.unused());
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end. `args` is split at spaces.
    pub(crate) fn run(&self, args: &str) -> Output {
        self.run_each(args.split_whitespace())
    }

    /// The same with arguments that hold spaces, or nothing.
    pub(crate) fn run_each<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.command(args).output().unwrap().into()
    }

    /// Runs the program, which must succeed in silence, and gives its stdout.
    #[track_caller]
    pub(crate) fn stdout(&self, args: &str) -> String {
        let said = self.run(args);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "nomad-clients {args}");
        said.stdout
    }
}

impl From<std::process::Output> for Output {
    /// -1 = ended by a signal.
    fn from(output: std::process::Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

/// A failed run: nothing on stdout.
pub(crate) fn failure(code: i32, stderr: &str) -> Output {
    Output { stdout: String::new(), stderr: stderr.to_owned(), code }
}
