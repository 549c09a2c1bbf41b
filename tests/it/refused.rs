//! Resources that the system refuses: P4 of the fault matrix, down to none.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nomad_sim::{Fleet, Sim};

use crate::support::other_user::OtherUser;
use crate::support::requirements::is_root;
use crate::support::sandbox::{Output, Sandbox, failure};
use crate::support::served::Served;

/// A user for each test: the system counts the threads of all processes of a user together, those
/// of a whole session if it is an ordinary one.
const ALONE: [u32; 2] = [54_331, 54_332];

/// The program with a limit, of which root would be free.
struct Limited {
    sandbox: Sandbox,
    other: Option<OtherUser>,
    user: u32,
}

impl Limited {
    fn new(sandbox: Sandbox, user: u32) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let other = is_root.then(|| OtherUser::of(&sandbox.command(["list"])));
        Self { sandbox, other, user }
    }

    fn command(&self, limit: &str, args: &str) -> Command {
        let own = self.sandbox.command(args.split_whitespace());
        let own = self.other.as_ref().map_or(own, |other| {
            let own = self.sandbox.command(args.split_whitespace());
            other.command(&own)
        });
        let mut command = Command::new("/bin/sh");
        let script = format!("{limit} && exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(own.get_program()).args(own.get_args()).env_clear();
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir("/");
        if self.other.is_some() {
            command.uid(self.user);
        }
        command
    }

    #[track_caller]
    fn check(&self, limit: &str, args: &str, stdout: &str) {
        let said = Output::from(self.command(limit, args).output().unwrap());
        let all = Output { stdout: stdout.to_owned(), stderr: String::new(), code: 0 };
        assert_eq!(said, all, "{limit} {args}");
    }
}

/// Shells differ in the letter for it.
fn threads_at_most(threads: usize) -> String {
    format!("{{ ulimit -u {threads} 2>/dev/null || ulimit -p {threads}; }}")
}

fn files_at_most(files: usize) -> String {
    format!("ulimit -n {files}")
}

/// The address of a Nomad under a name, which takes a thread to be looked up.
fn named(sim: &Sim) -> String {
    sim.address().replace("127.0.0.1", "localhost")
}

#[test]
fn p4_an_answer_takes_no_thread() {
    if !is_root("p4_an_answer_takes_no_thread") {
        return;
    }
    let sim = Sim::start(Fleet::generated(300));
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&named(&sim));
    let all = sandbox.stdout("list --json");
    let run = Limited::new(sandbox, ALONE[0]);
    for threads in [1, 2, 5] {
        let limit = threads_at_most(threads);
        run.check(&limit, "list --json", &all);
        run.check(&limit, "refresh", "Updated: 300 new, 0 changed, 0 cached\n");
    }
    // Whether the rest of the machine is well is not asked here.
    let said = Output::from(run.command(&threads_at_most(1), "doctor --json").output().unwrap());
    assert!(said.stderr.is_empty() && said.stdout.contains("\"nomad\""), "{said:?}");
}

#[test]
fn p4_serving_takes_a_few_threads() {
    if !is_root("p4_serving_takes_a_few_threads") {
        return;
    }
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&named(&sim));
    let all = sandbox.stdout("list --json");
    let run = Limited::new(sandbox, ALONE[1]);
    let line = "serve --listen 127.0.0.1:0";
    for threads in [1, 3] {
        let mut command = run.command(&threads_at_most(threads), line);
        let stderr = "error: cannot serve: fewer than 4 threads can be made\n";
        assert_eq!(Output::from(command.output().unwrap()), failure(1, stderr), "{threads}");
    }
    let served = Served::spawn(run.command(&threads_at_most(6), line));
    for _ in 0..3 {
        assert_eq!(served.get("/api/clients").text(), all);
    }
}

/// Whatever is missing is told, and is no mistake of the program.
#[test]
fn p4_too_few_descriptors_are_an_error() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "none").nomad(&sim.address());
    let run = Limited::new(sandbox, ALONE[0]);
    for files in 4..8 {
        let said = run.command(&files_at_most(files), "list --json").output().unwrap();
        let said = Output::from(said);
        let is_told = said.stderr.starts_with("error: cannot reach Nomad at ");
        assert!(said.code == 0 || (said.code == 5 && is_told), "{files}: {said:?}");
    }
    for files in 4..10 {
        let mut command = run.command(&files_at_most(files), "serve --listen 127.0.0.1:0");
        let said = Output::from(command.output().unwrap());
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{files}: {said:?}");
        let told = said.stderr.to_lowercase();
        assert!(
            told.starts_with("error: cannot ") && told.contains(": too many open files"),
            "{told}"
        );
    }
}
