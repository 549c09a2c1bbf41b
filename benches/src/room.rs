//! A Redis, a simulated Nomad and a home of their own for the rows of one subject.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use nomad_sim::{Fleet, Options, Sim};
use tempfile::TempDir;

pub(crate) struct Room {
    program: PathBuf,
    pub(crate) sim: Sim,
    folder: TempDir,
    redis: Child,
}

impl Room {
    /// With so many nodes, and nothing cached.
    pub(crate) fn new(program: &Path, nodes: u32) -> Result<Self> {
        let folder = TempDir::new()?;
        let socket = folder.path().join("s");
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()?;
        let began = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(anyhow!("redis-server does not come up"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let options =
            Options { fleet: Fleet::generated(nodes), seed: Some(1), ..Options::default() };
        Ok(Self { program: program.to_owned(), sim: Sim::start(options), folder, redis })
    }

    pub(crate) fn filled(program: &Path, nodes: u32) -> Result<Self> {
        let room = Self::new(program, nodes)?;
        super::measure::timed(&mut room.run(&["list", "--json"])?)?;
        Ok(room)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command whose stdout goes into a file, as `> file` does.
    pub(crate) fn direct_to_file(&self, command: &mut Command) -> Result<()> {
        command.stdout(File::create(self.path("out"))?).stderr(Stdio::null());
        Ok(())
    }

    /// The program with these arguments; what is cached stays fresh for an hour.
    pub(crate) fn run(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .args(["--ttl", "1h", "--detail-ttl", "1h", "--timeout", "5m"])
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("NOMAD_ADDR", self.sim.address())
            .env("REDIS_URL", format!("unix://{}", self.socket().display()));
        self.direct_to_file(&mut command)?;
        Ok(command)
    }

    /// The bytes of a value, read as they come.
    pub(crate) fn raw(&self, command: &[&str]) -> Result<Command> {
        let mut raw = Command::new(std::env::current_exe()?);
        raw.arg("raw").arg(self.socket()).args(command);
        self.direct_to_file(&mut raw)?;
        Ok(raw)
    }

    pub(crate) fn redis_cli(&self, command: &[&str]) -> Result<Command> {
        let mut cli = Command::new("redis-cli");
        cli.arg("-s").arg(self.socket()).args(command);
        self.direct_to_file(&mut cli)?;
        Ok(cli)
    }

    pub(crate) fn forget(&self) -> Result<()> {
        super::measure::timed(&mut self.run(&["cache", "clear"])?).map(drop)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}
