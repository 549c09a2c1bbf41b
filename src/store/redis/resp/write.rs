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
    pub(crate) tail: Vec<CommandWord<'a>>,
}

/// One word in two parts, of which the second may be empty.
pub(crate) struct CommandWord<'a>(pub(crate) Cow<'a, [u8]>, pub(crate) Vec<u8>);

impl<'a> From<&'a [u8]> for CommandWord<'a> {
    fn from(word: &'a [u8]) -> Self {
        Self(word.into(), Vec::new())
    }
}

impl From<String> for CommandWord<'_> {
    fn from(word: String) -> Self {
        Self(word.into_bytes().into(), Vec::new())
    }
}

impl CommandWord<'_> {
    fn len(&self) -> usize {
        self.0.len() + self.1.len()
    }
}

impl Long<'_> {
    /// Roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.tail.iter().map(CommandWord::len).sum()
    }
}

impl Encode for Long<'_> {
    fn speak(&self, to: &mut impl Write) -> io::Result<()> {
        let head = self.head.args_iter().map(|word| match word {
            Arg::Simple(word) => word,
            _ => &[],
        });
        write!(to, "*{}\r\n", head.len() + self.tail.len())?;
        let mut say = |word: &CommandWord<'_>| {
            write!(to, "${}\r\n", word.len())?;
            to.write_all(&word.0)?;
            to.write_all(&word.1)?;
            to.write_all(b"\r\n")
        };
        head.map(CommandWord::from).try_for_each(|word| say(&word))?;
        self.tail.iter().try_for_each(say)
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandWord, Encode as _, Long};

    #[test]
    fn a_long_command_is_said_as_the_library_says_it() {
        let mut head = redis::cmd("EVAL");
        head.arg("script").arg(0).arg("");
        let mut whole = head.clone();
        let tail: Vec<&[u8]> = vec![b"a", b"", b"\r\n\0\xff"];
        whole.arg(&tail).arg("in two parts");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let parted = CommandWord(b"in two ".into(), b"parts".to_vec());
        let tail = tail.into_iter().map(CommandWord::from).chain([parted]).collect();
        let long = Long { head, tail };
        long.speak(&mut ours).unwrap();
        whole.speak(&mut theirs).unwrap();
        assert_eq!(ours, theirs);
        assert_eq!(long.bytes(), 17);
    }
}
