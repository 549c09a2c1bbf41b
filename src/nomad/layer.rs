//! Layers around a connection of the HTTP library, each of which changes one step of it.

use std::fmt::Debug;
use std::sync::Arc;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What a layer does with each connection; the defaults pass everything on.
pub(super) trait Layer: Debug + Send + Sync + 'static {
    /// The layer of one new connection.
    fn for_connection(&self, details: &ConnectionDetails<'_>) -> Self;

    fn send(
        &mut self,
        inner: &mut impl Transport,
        amount: usize,
        timeout: NextTimeout,
    ) -> Result<(), Error> {
        inner.transmit_output(amount, timeout)
    }

    fn receive(&mut self, inner: &mut impl Transport, timeout: NextTimeout) -> Result<bool, Error> {
        inner.await_input(timeout)
    }

    /// Whether the connection may be used for another request.
    fn is_kept(&self) -> bool {
        true
    }
}

/// Puts a layer around each connection that is opened.
#[derive(Debug)]
pub(super) struct AddLayer<L>(pub(super) L);

#[derive(Debug)]
pub(super) struct Layered<T, L> {
    inner: T,
    layer: L,
}

impl<In: Transport, L: Layer> Connector<In> for AddLayer<L> {
    type Out = Layered<In, L>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Layered { inner, layer: self.0.for_connection(details) }))
    }
}

impl<T: Transport, L: Layer> Transport for Layered<T, L> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.layer.send(&mut self.inner, amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.layer.receive(&mut self.inner, timeout)
    }

    fn is_open(&mut self) -> bool {
        self.layer.is_kept() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The library's type has no `Clone`.
pub(super) fn copied<'a>(details: &'a ConnectionDetails<'_>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
    }
}
