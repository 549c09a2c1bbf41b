//! Files that somebody names and that have no end: each is refused at once, with exit code 3.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use nomad_sim::{Fleet, Sim};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::sandbox::{Sandbox, failure};

/// Nobody listens there, and nobody is asked.
const HTTPS: &str = "https://127.0.0.1:1";

struct Run(Sandbox);

impl Run {
    fn new() -> Self {
        Self(Sandbox::local().nomad(HTTPS))
    }

    /// 4 GB that take no room.
    fn huge(&self) -> PathBuf {
        let path = self.0.home().join("huge");
        File::create(&path).unwrap().set_len(4 << 30).unwrap();
        path
    }

    fn pipe(&self) -> PathBuf {
        let path = self.0.home().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    #[track_caller]
    fn check(&self, args: &str, stderr: &str) {
        assert_eq!(self.0.run(args), failure(3, stderr), "{args}");
    }
}

#[test]
fn d5_a_configuration_without_an_end() {
    let run = Run::new();
    let hint = "hint: repair that file, or name another one with --config FILE\n";
    let (huge, pipe) = (run.huge(), run.pipe());
    for (path, why) in [
        ("/dev/full", "is not a regular file"),
        ("/dev/zero", "is not a regular file"),
        (pipe.to_str().unwrap(), "is not a regular file"),
        (huge.to_str().unwrap(), "is larger than 1 MB"),
    ] {
        let stderr = format!("error: cannot read the configuration ({path}): {why}\n{hint}");
        run.check(&format!("list --config {path}"), &stderr);
    }
}

#[test]
fn certificates_and_keys_without_an_end() {
    let run = Run::new();
    let (huge, pipe) = (run.huge(), run.pipe());
    let pem = run.0.write("ca.pem", "");
    let (huge, pipe, pem) = (huge.display(), pipe.display(), pem.display());
    for (args, path, why) in [
        (format!("--ca-cert {huge}"), &huge, "is larger than 1 MB"),
        (format!("--ca-cert {pipe}"), &pipe, "is not a regular file"),
        (format!("--client-cert {huge} --client-key {pem}"), &huge, "is larger than 1 MB"),
    ] {
        run.check(&format!("list {args}"), &format!("error: cannot read {path}: {why}\n"));
    }
    let redis = "list --cache auto --redis rediss://127.0.0.1:1";
    for (option, path, why) in [
        ("--redis-ca-cert", &huge, "is larger than 1 MB"),
        ("--redis-client-cert", &pipe, "is not a regular file"),
        ("--redis-client-key", &huge, "is larger than 1 MB"),
    ] {
        let stderr = format!("error: cannot read {path}: {why}\n");
        run.check(&format!("{redis} {option} {path}"), &stderr);
    }
    let run = Run(Run::new().0.with("SSL_CERT_FILE", "/dev/zero"));
    run.check("list", "error: cannot read /dev/zero: is not a regular file\n");
    let folder = Run::new();
    folder.huge();
    let path = folder.0.home().display().to_string();
    let run = Run(Run::new().0.with("SSL_CERT_DIR", &path));
    let why = "its files are larger than 16 MB together";
    run.check("list", &format!("error: cannot read {path}: {why}\n"));
}

#[test]
fn tokens_without_an_end() {
    let run = Run::new();
    let (huge, pipe) = (run.huge(), run.pipe());
    let serve = "serve --listen 127.0.0.1:0 --access-token-file";
    for option in ["list --token-file", serve] {
        for (path, why) in [
            ("/dev/zero", "is not a regular file"),
            (huge.to_str().unwrap(), "is larger than 64 KB"),
            (pipe.to_str().unwrap(), "timed out: nothing is written to this pipe"),
        ] {
            let stderr = format!("error: cannot read the token file ({path}): {why}\n");
            run.check(&format!("{option} {path} --timeout 100ms"), &stderr);
        }
    }
}

#[test]
fn a_token_comes_through_a_pipe() {
    let sim = Sim::start(Fleet::recorded());
    sim.cluster().tokens = Some(["a-token".to_owned()].into());
    let run = Run(Sandbox::local().nomad(&sim.address()));
    let path = run.pipe();
    let writer = std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(path)?;
        pipe.write_all(b"a-token\n")
    });
    let names = run.0.stdout("list -o name --token-file pipe");
    assert_eq!(names.lines().count(), 5);
    writer.join().unwrap().unwrap();
}
