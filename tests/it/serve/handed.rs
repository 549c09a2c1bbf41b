//! Sockets that a service manager hands over: listened on, or refused with why.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use socket2::{Domain, Socket, Type};

use crate::support::sandbox::{Output, Sandbox, failure};
use crate::support::served::Served;

const HINT: &str = "hint: a systemd socket unit needs ListenStream= and Accept=no\n";

/// The program with `what` as descriptor 3, and these variables.
fn handing(sandbox: &Sandbox, what: impl Into<OwnedFd>, variables: &str, args: &str) -> Command {
    let own = sandbox.command(args.split_whitespace());
    let mut command = Command::new("/bin/sh");
    let script = format!("exec 3<&0 </dev/null; export {variables}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::from(what.into()));
    command
}

const ONE: &str = "LISTEN_FDS=1 LISTEN_PID=$$";

#[test]
fn listening_stream_sockets_are_served_on() {
    let sandbox = Sandbox::local();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let served = Served::spawn(handing(&sandbox, listener, ONE, "serve --no-follow"));
    assert_eq!(served.at, at);
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.end(), (0, String::new()));
    let path = sandbox.home().join("s.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let args = "serve --no-follow --listen 127.0.0.1:0";
    let mut command = handing(&sandbox, listener, "LISTEN_FDS=1", args);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "listening on a unix socket that was handed over\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(path.exists(), "it belongs to the service manager");
}

#[test]
fn nothing_else_is_taken_for_a_socket_to_listen_on() {
    let sandbox = Sandbox::local();
    let run = |what: OwnedFd, variables: &str| -> Output {
        handing(&sandbox, what, variables, "serve --no-follow").output().unwrap().into()
    };
    let refused = |what: OwnedFd, is: &str| {
        let why = format!(
            "error: cannot listen on socket 1 of LISTEN_FDS: it is {is}, \
             but must be a listening TCP or unix stream socket\n{HINT}"
        );
        assert_eq!(run(what, ONE), failure(3, &why));
    };
    refused(UdpSocket::bind("127.0.0.1:0").unwrap().into(), "a datagram socket");
    refused(UnixDatagram::unbound().unwrap().into(), "a datagram socket");
    refused(File::open("/dev/null").unwrap().into(), "not a socket");
    refused(File::open(sandbox.write("file", "text")).unwrap().into(), "not a socket");
    let (pair, _other) = UnixStream::pair().unwrap();
    refused(pair.into(), "a socket that does not listen");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    refused(connected.into(), "a socket that does not listen");
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    refused(bound.into(), "a socket that does not listen");
    let packets = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    refused(packets.into(), "a socket of another kind");

    let fresh = || TcpListener::bind("127.0.0.1:0").unwrap().into();
    // What has that number then is the program's own, which must not be closed under its hands.
    let start = "error: cannot listen on socket 2 of LISTEN_FDS: it is ";
    for _ in 0..20 {
        let more = run(fresh(), "LISTEN_FDS=2 LISTEN_PID=$$");
        let is_told = more.code == 3 && more.stderr.starts_with(start);
        assert!(is_told && more.stdout.is_empty(), "{more:?}");
    }
    for count in ["two", "-1", "65", "99999999999999999999", "1.5"] {
        let why = "error: invalid value of LISTEN_FDS: must be a number of sockets from 0 to 64\n";
        let said = run(fresh(), &format!("LISTEN_FDS={count} LISTEN_PID=$$"));
        assert_eq!(said, failure(3, why), "{count}");
    }
    let why = "error: invalid value of LISTEN_PID: must be the id of a process\n";
    assert_eq!(run(fresh(), "LISTEN_FDS=1 LISTEN_PID=x"), failure(3, why));
}

/// A child inherits the variables; the sockets are not for it.
#[test]
fn sockets_of_another_process_are_left_alone() {
    let sandbox = Sandbox::local();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let args = "serve --no-follow --listen 127.0.0.1:0";
    let served = Served::spawn(handing(&sandbox, listener, "LISTEN_FDS=1 LISTEN_PID=1", args));
    assert_ne!(served.at, at);
    let own = served.id();
    let warning =
        format!("warning: LISTEN_FDS is ignored: LISTEN_PID is 1, and this process is {own}\n");
    assert_eq!(served.end(), (0, warning));
}
