//! How long a request to Nomad and its parts may take.

use std::time::Duration;

/// One request, from the name lookup to the last byte.
pub(super) const REQUEST: Duration = Duration::from_secs(10);

/// Opening a connection, the TLS handshake included; also one name lookup.
pub(super) const CONNECT: Duration = Duration::from_secs(3);

/// The longest silence in the middle of a response.
pub(super) const IDLE: Duration = Duration::from_secs(5);
