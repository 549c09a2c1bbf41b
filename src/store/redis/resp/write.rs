//! Commands as they go out: RESP2 arrays of bulk strings.

use std::borrow::Cow;
use std::io::{self, Write};

use redis::{Arg, Cmd};

/// Something that can be sent as one command.
pub(crate) trait Encode {
    fn speak(&self, to: &mut impl Write) -> io::Result<()>;
}

impl Encode for Cmd {
    fn speak(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.get_packed_command())
    }
}

/// A command whose last words stay where they are: the library copies each word twice, which for a
/// publication of 10,000 nodes is 80 MB.
pub(crate) struct Long<'a> {
    pub(crate) head: Cmd,
    pub(crate) tail: Vec<Cow<'a, [u8]>>,
}

impl Long<'_> {
    /// Roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.tail.iter().map(|word| word.len()).sum()
    }
}

impl Encode for Long<'_> {
    fn speak(&self, to: &mut impl Write) -> io::Result<()> {
        let head = self.head.args_iter().map(|word| match word {
            Arg::Simple(word) => word,
            _ => &[],
        });
        write!(to, "*{}\r\n", head.len() + self.tail.len())?;
        head.chain(self.tail.iter().map(AsRef::as_ref)).try_for_each(|word| {
            write!(to, "${}\r\n", word.len())?;
            to.write_all(word)?;
            to.write_all(b"\r\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Encode as _, Long};

    #[test]
    fn a_long_command_is_said_as_the_library_says_it() {
        let mut head = redis::cmd("EVAL");
        head.arg("script").arg(0).arg("");
        let mut whole = head.clone();
        let tail: Vec<&[u8]> = vec![b"a", b"", b"\r\n\0\xff"];
        whole.arg(&tail);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let long = Long { head, tail: tail.into_iter().map(Into::into).collect() };
        long.speak(&mut ours).unwrap();
        whole.speak(&mut theirs).unwrap();
        assert_eq!(ours, theirs);
        assert_eq!(long.bytes(), 5);
    }
}
