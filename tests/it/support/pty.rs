//! A terminal that a test reads.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Nobody waits longer for what is to appear.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Pty {
    screen: File,
    shown: Vec<u8>,
}

impl Pty {
    /// The terminal, and what a program writes to it with.
    pub(crate) fn open() -> (Self, File) {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let program = OpenOptions::new().read(true).write(true).open(name).unwrap();
        (Self { screen: screen.into(), shown: Vec::new() }, program)
    }

    /// Everything that was shown up to now, once `text` is among it.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        self.wait_for(text, |shown| shown.contains(text).then(|| shown.to_owned()))
    }

    /// Everything that is shown up to the end of the program, which alone has the terminal.
    pub(crate) fn whole(mut self, mut child: Child) -> String {
        let mut more = [0; 4096];
        while let Ok(count @ 1..) = self.screen.read(&mut more) {
            self.shown.extend_from_slice(&more[..count]);
        }
        child.wait().unwrap();
        String::from_utf8(self.shown).unwrap()
    }

    /// The newest whole drawing of a watch that has `text` in it.
    #[track_caller]
    pub(crate) fn drawing(&mut self, text: &str) -> String {
        self.wait_for(text, |shown| {
            let (whole, _) = shown.rsplit_once("\u{1b}[J")?;
            whole.rsplit("\u{1b}[J").find(|drawing| drawing.contains(text)).map(str::to_owned)
        })
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str, found: impl Fn(&str) -> Option<String>) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = String::from_utf8_lossy(&self.shown);
            if let Some(found) = found(&shown) {
                return found;
            }
            assert!(Instant::now() < end, "{text} does not appear: {shown}");
            self.wait();
        }
    }

    fn wait(&mut self) {
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        if poll(&mut ready, Some(&second)).unwrap() > 0 {
            let mut more = [0; 4096];
            let count = self.screen.read(&mut more).unwrap();
            self.shown.extend_from_slice(&more[..count]);
        }
    }
}
