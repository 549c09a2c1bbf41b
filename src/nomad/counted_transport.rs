//! The connections to Nomad in the hands of the library: counted, and closed when they are not kept.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, ShutdownHandle, Transport,
};

use super::connection_limit::Connections;
use super::connection_table::Open;

thread_local! {
    /// The socket that this thread opened last.
    static SOCKET: RefCell<Option<Weak<dyn ShutdownHandle>>> = const { RefCell::new(None) };
}

/// Opens sockets and remembers how each is shut down, for [`Counting`], which sees only what is made
/// of it.
#[derive(Debug)]
pub(super) struct Closable<C>(pub(super) C);

impl<In: Transport, C: Connector<In>> Connector<In> for Closable<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<C::Out>, ureq::Error> {
        let register = Arc::clone(&details.register_shutdown);
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::new(move |socket: Weak<dyn ShutdownHandle>| {
                SOCKET.set(Some(Weak::clone(&socket)));
                register(socket)
            }),
        };
        self.0.connect(&details, chained)
    }
}

/// Stands at the end of the chain and counts the connections to Nomad.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) connections: Arc<Connections>,
    pub(super) nomad: Uri,
}

/// A connection, counted until it is closed.
#[derive(Debug)]
pub(super) struct Counted<T> {
    inner: T,
    /// `None` = it is the one to a proxy, within one that is counted.
    count: Option<Count>,
}

#[derive(Debug)]
struct Count {
    connections: Arc<Connections>,
    open: Arc<Open>,
}

impl Drop for Count {
    fn drop(&mut self) {
        self.connections.closed(&self.open);
    }
}

impl<In: Transport> Connector<In> for Counting {
    type Out = Counted<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Counted<In>>, ureq::Error> {
        let is_nomad = details.uri.authority() == self.nomad.authority();
        let count = is_nomad.then(|| {
            let socket = SOCKET.take();
            let close = move || {
                if let Some(socket) = socket.as_ref().and_then(Weak::upgrade) {
                    socket.shutdown();
                }
            };
            let connections = Arc::clone(&self.connections);
            Count { open: connections.opened(close), connections }
        });
        Ok(chained.map(|inner| Counted { inner, count }))
    }
}

impl<T: Transport> Transport for Counted<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        let is_kept = self.count.as_ref().is_none_or(|count| count.connections.keeps(&count.open));
        is_kept && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
