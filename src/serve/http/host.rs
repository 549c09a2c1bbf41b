//! Host names with ports, as `Host`, `Origin` and `--allowed-host` contain them.

/// The name in lower case, without a final dot and without brackets; and the port.
pub(crate) fn name_and_port(host: &str) -> Option<(String, Option<u16>)> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port.parse().ok()?)),
        _ => (host, None),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name = address.map_or(name.clone(), str::to_owned);
    (!name.is_empty()).then_some((name, port))
}
