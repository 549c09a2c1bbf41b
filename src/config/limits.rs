//! What this process may take from the system, and what it asks for within that.

use rustix::process::{Resource, getrlimit};

/// Descriptors for a connection to Nomad: itself, and its slot among those of this host.
const CONNECTION_FILES: u64 = 2;
/// Descriptors for everything that is no connection to Nomad.
const OTHER_FILES: u64 = 12;
/// Address space for everything but the threads: the program, its libraries, the answer.
const OTHER_MEMORY: u64 = 160 << 20;
/// Address space that a thread takes: its stack, and what the allocator sets aside for it.
const THREAD_MEMORY: u64 = 70 << 20;

/// As many requests at once as are wanted, or as the limits of this process (`ulimit -n`, `-v`)
/// leave room for; never less than one.
pub(super) fn concurrency(wanted: usize) -> usize {
    let limit = |resource| getrlimit(resource).current;
    within(wanted, limit(Resource::Nofile), limit(Resource::As))
}

fn within(wanted: usize, files: Option<u64>, memory: Option<u64>) -> usize {
    let by_files = files.map(|files| files.saturating_sub(OTHER_FILES) / CONNECTION_FILES);
    let by_memory = memory.map(|memory| memory.saturating_sub(OTHER_MEMORY) / THREAD_MEMORY);
    let most = [by_files, by_memory].into_iter().flatten().min().unwrap_or(u64::MAX);
    wanted.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn limits_leave_room_for_one_at_least() {
        let mb = |mb: u64| Some(mb << 20);
        assert_eq!(within(16, None, None), 16);
        assert_eq!(within(16, Some(1024), None), 16);
        assert_eq!([Some(20), Some(12), Some(0)].map(|files| within(16, files, None)), [4, 1, 1]);
        assert_eq!([mb(4096), mb(256), mb(100)].map(|memory| within(16, None, memory)), [16, 1, 1]);
    }
}
