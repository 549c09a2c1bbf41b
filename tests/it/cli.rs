//! What may be typed and configured, as far as no Nomad is needed for it.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use crate::support::sandbox::{Output, Sandbox, UNUSED as NOBODY, failure};

fn refused(address: &str) -> Output {
    let hint = "hint: set NOMAD_ADDR or pass --address";
    failure(5, &format!("error: cannot reach Nomad at {address}: connection refused\n{hint}\n"))
}

#[track_caller]
fn check(sandbox: &Sandbox, line: &str, code: i32, stderr: &str) {
    assert_eq!(sandbox.run(line), failure(code, stderr), "nomad-clients {line}");
}

#[test]
fn help_and_version_are_data() {
    let sandbox = Sandbox::empty();
    assert_eq!(
        sandbox.stdout("--version"),
        concat!("nomad-clients ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for (line, is_whole) in [
        ("--help", true),
        ("-h", false),
        ("list --help", true),
        ("list -h", false),
        ("cache clear -h", false),
    ] {
        let help = sandbox.stdout(line);
        assert!(help.contains("Usage: nomad-clients"), "{help}");
        assert_eq!(help.contains("[env: NOMAD_ADDR]"), is_whole, "{help}");
        let pointer = "Use --help to see the global options too";
        assert_eq!(help.contains(pointer), !is_whole, "{help}");
    }
}

/// What is right is read by the typed command alone; whatever is wrong is told by all of them.
#[test]
fn a_word_that_names_a_command_may_be_a_value_too() {
    let sandbox = Sandbox::empty();
    let read = |line: &str| sandbox.run(line).stderr;
    assert_eq!(read("--address list show x"), read("--address=list show x"));
    assert_eq!(read("show --address list list"), read("--address list show list"));
    assert!(read("lst").contains("similar subcommands exist: 'ls', 'list'"));
    assert!(read("show list --jsn").contains("a similar argument exists: '--json'"));
    assert!(read("show -c name list").contains("unexpected argument '-c'"));
    assert!(read("").contains("Usage: nomad-clients"), "{}", read(""));
    assert_eq!(sandbox.stdout("help list"), sandbox.stdout("list --help"));
    assert_eq!(sandbox.stdout("help"), sandbox.stdout("--help"));
}

#[test]
fn short_help_is_of_the_command_alone_and_fits_a_narrow_terminal() {
    let sandbox = Sandbox::empty().with("COLUMNS", "80");
    for command in ["list", "show", "refresh", "cache stats", "serve", "doctor", "completions"] {
        let help = sandbox.stdout(&format!("{command} -h"));
        let whole = sandbox.stdout(&format!("{command} --help"));
        assert!(!help.contains("Global options") && whole.contains("Global options"), "{help}");
        // An example that is wrapped can't be copied.
        for text in [help, whole] {
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            let begins = ["", "  nomad-clients ", "      --", "  source <(", "Use --help"];
            let mut examples = text.lines().skip_while(|line| *line != "Examples:").skip(1);
            let is_known = |line: &str| {
                begins
                    .iter()
                    .any(|begin| line == *begin || (!begin.is_empty() && line.starts_with(begin)))
            };
            assert!(examples.all(is_known), "{text}");
        }
    }
}

#[test]
fn values_of_variables_are_in_no_help() {
    let sandbox = Sandbox::empty()
        .nomad("http://me:canary@h")
        .with("REDIS_URL", "redis://:canary@h")
        .with("NOMAD_TOKEN", "canary");
    assert!(!sandbox.stdout("list --help").contains("canary"));
}

#[test]
fn without_a_command_the_help_is_on_stderr() {
    for line in ["", "cache"] {
        let said = Sandbox::empty().run(line);
        assert_eq!((said.stdout.as_str(), said.code), ("", 2));
        assert!(said.stderr.contains("\nUsage: nomad-clients "), "{}", said.stderr);
    }
}

#[test]
fn help_is_a_command_too() {
    let sandbox = Sandbox::empty();
    assert_eq!(sandbox.stdout("help"), sandbox.stdout("--help"));
    assert_eq!(sandbox.stdout("help cache clear"), sandbox.stdout("cache clear --help"));
}

#[test]
fn wrong_usage() {
    let sandbox = Sandbox::empty();
    let more = "For more information, try '--help'.\n";
    let usage = "Usage: nomad-clients list --refresh [NODE]...\n";
    let stderr =
        format!("error: the argument '--refresh' cannot be used with '--force'\n\n{usage}\n{more}");
    check(&sandbox, "list --refresh --force", 2, &stderr);
    // What a variable says was not typed.
    let usage = "Usage: nomad-clients list --output <FORMAT> [NODE]...\n";
    let stderr = format!(
        "error: the argument '--output <FORMAT>' cannot be used with '--json'\n\n{usage}\n{more}"
    );
    let known = Sandbox::empty().with("REDIS_URL", "redis://h").with("NOMAD_ADDR", "http://h");
    check(&known, "list -o csv --json", 2, &stderr);
    let names = "  [possible values: table, wide, json, jsonl, yaml, csv, tsv, name, id]\n\n  tip: a similar value exists: 'yaml'\n";
    let stderr = format!("error: invalid value 'xml' for '--output <FORMAT>'\n{names}\n{more}");
    check(&sandbox, "list -o xml", 2, &stderr);
    let long = "[".repeat(257);
    for (line, of) in [
        (format!("list {long}"), "NODE"),
        (format!("show {long}"), "NODE"),
        (format!("list --dc {long}"), "--datacenter"),
    ] {
        let why = "a pattern may have at most 256 characters";
        check(&sandbox, &line, 2, &format!("error: invalid value for {of}: {why}\n"));
    }
    for line in
        ["list --bogus", "show", "show a b", "-q -v list", "completions tcsh", "list --json -o id"]
    {
        assert_eq!(sandbox.run(line).code, 2, "{line}");
    }
}

#[test]
fn options_of_a_built_in_jq_name_jq_instead() {
    let sandbox = Sandbox::empty();
    for (line, option, jq) in [
        ("list --jq .", "--jq", "jq"),
        ("list --jq=. -r", "--jq", "jq"),
        ("--jq . list", "--jq", "jq"),
        ("list -r", "-r", "jq -r"),
        ("list --json --raw-output", "--raw-output", "jq -r"),
    ] {
        let stderr = format!(
            "error: unexpected argument '{option}': there is no built-in jq\n\
             hint: pipe the JSON into jq: nomad-clients list --json | {jq} 'FILTER'\n"
        );
        check(&sandbox, line, 2, &stderr);
    }
    let help = sandbox.stdout("list --help");
    assert!(!help.contains("--jq") && !help.contains("--raw-output"), "{help}");
}

#[test]
fn bytes_that_are_no_text_and_controls_are_harmless() {
    let sandbox = Sandbox::empty();
    let run = |arg: &[u8]| {
        let mut command = sandbox.command([OsStr::new("list"), OsStr::from_bytes(arg)]);
        let output = command.output().unwrap();
        let raw = output.stderr.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n');
        (output.status.code(), output.stdout.is_empty(), raw)
    };
    assert_eq!(run(b"\xff"), (Some(2), true, false));
    assert_eq!(run(b"--\x1b[31m\x07"), (Some(2), true, false));
}

#[test]
fn a_typed_value_is_wrong_usage() {
    let sandbox = Sandbox::empty();
    for (option, why) in [
        ("--ttl 90", "\"90\" has no unit; write 90s or 90m"),
        ("--ttl 1e309", "\"1e309\" is not a duration; write 90s, 5m or 1m30s"),
        ("--timeout 0s", "must be longer than 0s"),
        ("--timeout=-1s", "\"-1s\" is not a duration; write 90s, 5m or 1m30s"),
        ("--concurrency 0", "must be a number from 1 to 100, not \"0\""),
        ("--cache disk", "unknown cache \"disk\"; expected auto, redis, local or none"),
        ("--share all", "unknown scope \"all\"; expected token or cluster"),
        ("--color red", "unknown mode \"red\"; expected auto, always or never"),
        (
            "--redis redis://:canary@host:notaport",
            "the Redis URL has a port that is not a number from 1 to 65535",
        ),
        ("--address ftp://canary", "must be http://HOST:PORT, https://HOST:PORT or unix:///PATH"),
    ] {
        let name = option.split([' ', '=']).next().unwrap();
        check(
            &sandbox,
            &format!("list {option}"),
            2,
            &format!("error: invalid value for {name}: {why}\n"),
        );
    }
}

#[test]
fn a_variable_is_configuration() {
    for (name, value, why) in [
        ("NOMAD_CLIENTS_TTL", "90", "\"90\" has no unit; write 90s or 90m"),
        (
            "NOMAD_CLIENTS_CACHE",
            "disk",
            "unknown cache \"disk\"; expected auto, redis, local or none",
        ),
        (
            "REDIS_URL",
            "redis://:canary@host:notaport",
            "the Redis URL has a port that is not a number from 1 to 65535",
        ),
        ("NOMAD_ADDR", "http://me:canary@h:x", "has a port that is not a number from 1 to 65535"),
    ] {
        let sandbox = Sandbox::empty().with(name, value);
        check(&sandbox, "list", 3, &format!("error: invalid value of {name}: {why}\n"));
    }
    let proxied =
        Sandbox::empty().nomad("http://nomad.invalid").with("http_proxy", "socks5://me:canary@h");
    let why = "error: invalid value of HTTP_PROXY: must be an http:// or https:// address\n";
    check(&proxied, "list", 3, why);
}

#[test]
fn prefixes_can_not_leave_their_place() {
    let long = "x".repeat(300);
    for prefix in
        ["../../etc", "a/b", ".a", "é", "lease", "0123456789abcdef0123456789abcdef", &long]
    {
        let said = Sandbox::local().run(&format!("list -a {NOBODY} --cache-prefix {prefix}"));
        assert!(
            said.stderr.starts_with("error: invalid value for --cache-prefix: must be "),
            "{}",
            said.stderr
        );
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{prefix}");
    }
}

/// The address that is asked in vain shows who won.
#[test]
fn option_variable_file_default() {
    let (option, variable, file) =
        ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3");
    let sandbox = || {
        let sandbox = Sandbox::local().configured();
        sandbox.write(".config/nomad-clients/config.toml", &format!("address = '{file}'\n"));
        sandbox
    };
    assert_eq!(sandbox().nomad(variable).run(&format!("list -a {option}")), refused(option));
    assert_eq!(sandbox().nomad(variable).run(&format!("-a {option} list")), refused(option));
    assert_eq!(sandbox().nomad(variable).run("list"), refused(variable));
    assert_eq!(sandbox().nomad("").run("list"), refused(file));
    assert_eq!(sandbox().with("NOMAD_CLIENTS_TTL", "").run("list"), refused(file));
}

#[test]
fn a_file_is_named_with_the_line_that_is_wrong() {
    let sandbox = Sandbox::local();
    let quoting = "invalid type: integer `5`, expected a string";
    for (text, line, why) in [
        ("# a comment\n\nadress = 'x'\n", 3, "unknown key \"adress\"\nhint: did you mean address?"),
        (
            "[serve]\nx = 1\n",
            1,
            "unknown key \"serve\"\nhint: keys are the long names of the options, without the dashes",
        ),
        ("\nttl = '90'\n", 2, "ttl: \"90\" has no unit; write 90s or 90m"),
        ("\n\nttl = 5\n", 3, quoting),
        (
            "output = 'xml'\n",
            1,
            "output: unknown format \"xml\"; expected table, wide, json, jsonl, yaml, csv, tsv, name or id",
        ),
        (
            "\nredis = 'redis://:canary@h:x'\n",
            2,
            "redis: the Redis URL has a port that is not a number from 1 to 65535",
        ),
    ] {
        let path = sandbox.write(".config/nomad-clients/config.toml", text);
        let place = format!("{}:{line}", path.display());
        check(&sandbox, "list", 3, &format!("error: invalid configuration ({place}): {why}\n"));
    }
    let path = sandbox.write(".config/nomad-clients/config.toml", "\nredis = canary\n");
    let said = sandbox.run("list");
    let start = format!("error: invalid configuration ({}:2): ", path.display());
    assert!(said.stderr.starts_with(&start) && !said.stderr.contains("canary"), "{}", said.stderr);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let sandbox = Sandbox::local().configured().with("NOMAD_CLIENTS_CONFIG", "missing.toml");
    let hint = "hint: repair that file, or name another one with --config FILE";
    let stderr = |why: &str| format!("error: cannot read the configuration ({why}\n{hint}\n");
    check(&sandbox, "list", 3, &stderr("missing.toml): no such file or directory"));
    check(&sandbox, "list --config .", 3, &stderr(".): is a directory"));
    sandbox.write("mine.toml", &format!("address = '{NOBODY}'\n"));
    assert_eq!(sandbox.run("list --config mine.toml"), refused(NOBODY));
}

#[test]
fn tokens_are_read_from_files() {
    let sandbox = Sandbox::local().nomad(NOBODY);
    sandbox.write("empty", "\n");
    sandbox.write("odd", "can\nary\n");
    sandbox.write("good", "6f1c36aa-1111-2222-3333-444455556666\n");
    let unusable = |why: &str| format!("error: cannot use the token ({why}\n");
    check(&sandbox, "list --token-file empty", 3, &unusable("empty): it is empty"));
    check(
        &sandbox,
        "list --token-file odd",
        3,
        &unusable("odd): it holds characters that no token has"),
    );
    let missing = "error: cannot read the token file (none): no such file or directory\n";
    check(&sandbox, "list --token-file none", 3, missing);
    assert_eq!(sandbox.run("list --token-file good"), refused(NOBODY));
    // The variable wins over the file that the configuration names.
    sandbox.write("c.toml", "token-file = 'none'\n");
    check(&sandbox, "list --config c.toml", 3, missing);
    let sandbox = sandbox.with("NOMAD_TOKEN", "t");
    assert_eq!(sandbox.run("list --config c.toml"), refused(NOBODY));
}

#[test]
fn encryption_can_be_demanded() {
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_CACHE", "auto");
    let stderr = |what: &str, hint: &str| {
        format!("error: plain {what} refused (--require-tls)\nhint: {hint}\n")
    };
    let nomad = stderr("http to http://nomad.invalid:4646", "use https:// in the address");
    check(&sandbox, "list --require-tls -a http://me:canary@nomad.invalid:4646", 3, &nomad);
    let redis = stderr("redis to redis://r.invalid:6379/0", "use rediss:// in --redis");
    let line = format!("list --require-tls -a {NOBODY}");
    check(&sandbox, &format!("{line} --redis redis://:canary@r.invalid"), 3, &redis);
    let local = Sandbox::local().with("REDIS_URL", "redis://r.invalid");
    assert_eq!(local.run(&line), refused(NOBODY));
}

#[test]
fn completions_need_no_configuration() {
    let sandbox = Sandbox::empty().with("NOMAD_CLIENTS_TTL", "nonsense");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            sandbox.stdout(&format!("completions {shell}")).contains("nomad-clients"),
            "{shell}"
        );
    }
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let sandbox = Sandbox::empty();
    // The verdict of doctor stands also where nobody reads it to its end.
    let lines = [("completions bash", 0), ("--help", 0), ("cache stats", 0), ("doctor", 1)];
    for (line, closed) in lines {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = sandbox.command(line.split(' '));
        assert_eq!(command.stdout(full).output().unwrap().status.code(), Some(1), "{line}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(line.split(' ')).stdout(writer).output().unwrap();
        let said = (output.status.code(), output.stderr.as_slice());
        assert_eq!(said, (Some(closed), &b""[..]), "{line}");
    }
}

#[test]
fn a_stderr_that_takes_nothing_hurts_nothing() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let sandbox = Sandbox::local().nomad(NOBODY);
    for (line, code) in [("list", 5), ("list -vv", 5), ("list --bogus", 2), ("cache clear -vv", 0)]
    {
        let mut command = sandbox.command(line.split(' '));
        let status = command.stderr(full()).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{line}");
    }
}

/// Quiet, loud, coloured: errors are said all the same, and only their first word is coloured.
#[test]
fn errors_are_said_in_every_manner() {
    let sandbox = Sandbox::local().nomad(NOBODY);
    assert_eq!(sandbox.run("list -q"), refused(NOBODY));
    let red = "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m cannot reach Nomad at";
    assert!(sandbox.run("list --color always").stderr.starts_with(red));
    let forced = Sandbox::local().nomad(NOBODY).with("CLICOLOR_FORCE", "1");
    assert!(forced.run("list").stderr.starts_with(red));
    assert_eq!(forced.run("list --color never"), refused(NOBODY));
    assert_eq!(forced.with("NO_COLOR", "1").run("list"), refused(NOBODY));
}
