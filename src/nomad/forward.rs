//! Requests in the form in which an HTTP proxy forwards them.

use std::io;
use std::sync::Arc;

use ureq::http::Uri;
use ureq::unversioned::transport::{ConnectionDetails, NextTimeout, Transport};

use super::layer::Layer;

/// Puts the whole URL into the first line of each request.
#[derive(Debug, Clone)]
pub(super) struct ForwardLayer {
    /// `http://10.0.0.5:4646`; `None` = requests stay as they are.
    origin: Option<Arc<str>>,
}

impl ForwardLayer {
    pub(super) fn new(nomad: Option<&Uri>) -> Self {
        let authority = nomad.and_then(Uri::authority);
        Self { origin: authority.map(|authority| format!("http://{authority}").into()) }
    }
}

impl Layer for ForwardLayer {
    fn for_connection(&self, _: &ConnectionDetails<'_>) -> Self {
        self.clone()
    }

    fn send(
        &mut self,
        inner: &mut impl Transport,
        amount: usize,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        let amount = match &self.origin {
            None => amount,
            Some(origin) => insert_origin(inner.buffers().output(), amount, origin.as_bytes())
                .ok_or_else(|| io::Error::other("the request is too long for a proxy"))?,
        };
        inner.transmit_output(amount, timeout)
    }
}

/// Inserts `origin` before the path if a request begins here: all requests are GET without a body,
/// and no header begins like that. Returns the new length; `None` = there is no room.
fn insert_origin(output: &mut [u8], amount: usize, origin: &[u8]) -> Option<usize> {
    const METHOD: &[u8] = b"GET ";
    if !output.get(..amount)?.starts_with(b"GET /") {
        return Some(amount);
    }
    let (path, longer) = (METHOD.len(), amount + origin.len());
    if longer > output.len() {
        return None;
    }
    output.copy_within(path..amount, path + origin.len());
    output[path..path + origin.len()].copy_from_slice(origin);
    Some(longer)
}

#[cfg(test)]
mod tests {
    use super::insert_origin;

    #[test]
    fn only_the_first_line_gets_the_whole_url() {
        let changed = |text: &str, room: usize| {
            let mut output = vec![b'.'; room];
            output[..text.len()].copy_from_slice(text.as_bytes());
            let length = insert_origin(&mut output, text.len(), b"http://h:1")?;
            Some(String::from_utf8_lossy(&output[..length]).into_owned())
        };
        let head = "GET /v1/nodes HTTP/1.1\r\nhost: h:1\r\n\r\n";
        let whole = "GET http://h:1/v1/nodes HTTP/1.1\r\nhost: h:1\r\n\r\n";
        assert_eq!(changed(head, 100).as_deref(), Some(whole));
        assert_eq!(changed(head, whole.len()).as_deref(), Some(whole));
        assert_eq!(changed(head, whole.len() - 1), None);
        let rest = "x-more: GET /\r\n\r\n";
        assert_eq!(changed(rest, 100).as_deref(), Some(rest));
    }
}
