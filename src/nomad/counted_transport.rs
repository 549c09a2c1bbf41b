//! Counts the connections to Nomad, and closes those that are not kept.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Weak};

use ureq::http::Uri;
use ureq::unversioned::transport::{ConnectionDetails, Connector, ShutdownHandle, Transport};

use super::connection_limit::Connections;
use super::connection_table::OpenConnection;
use super::layer::{Layer, copied};

thread_local! {
    /// The socket that this thread opened last.
    static SOCKET: RefCell<Option<Weak<dyn ShutdownHandle>>> = const { RefCell::new(None) };
}

/// Opens sockets and remembers how to shut each down, for [`CountLayer`], which does not see them.
#[derive(Debug)]
pub(super) struct SocketConnector<C>(pub(super) C);

impl<In: Transport, C: Connector<In>> Connector<In> for SocketConnector<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<C::Out>, ureq::Error> {
        let register = Arc::clone(&details.register_shutdown);
        let register_shutdown = Arc::new(move |socket: Weak<dyn ShutdownHandle>| {
            SOCKET.set(Some(Weak::clone(&socket)));
            register(socket)
        });
        self.0.connect(&ConnectionDetails { register_shutdown, ..copied(details) }, chained)
    }
}

/// The outermost layer, which counts the connections to Nomad.
pub(super) struct CountLayer {
    connections: Arc<Connections>,
    nomad: Uri,
    /// `None` = not counted: the connection to a proxy, inside which one to Nomad is.
    open: Option<Arc<OpenConnection>>,
}

impl CountLayer {
    pub(super) fn new(connections: Arc<Connections>, nomad: Uri) -> Self {
        Self { connections, nomad, open: None }
    }
}

impl Layer for CountLayer {
    fn for_connection(&self, details: &ConnectionDetails<'_>) -> Self {
        let is_nomad = details.uri.authority() == self.nomad.authority();
        let open = is_nomad.then(|| {
            let socket = SOCKET.take();
            self.connections.opened(move || {
                if let Some(socket) = socket.as_ref().and_then(Weak::upgrade) {
                    socket.shutdown();
                }
            })
        });
        Self { connections: Arc::clone(&self.connections), nomad: self.nomad.clone(), open }
    }

    fn is_kept(&self) -> bool {
        self.open.as_ref().is_none_or(|open| self.connections.keeps(open))
    }
}

impl Drop for CountLayer {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            self.connections.closed(open);
        }
    }
}

impl fmt::Debug for CountLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountLayer")
    }
}
