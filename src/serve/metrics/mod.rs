//! The metrics of `/metrics`.

pub(crate) mod exposition;
pub(crate) mod node_counts;

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use node_counts::{LABELS, Series};

/// Upper bounds in seconds.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
    /// `hit`, `stale`, `miss` or `bypass`; empty for requests without nodes.
    cache: &'static str,
}

type OneLabel = [(&'static str, &'static str); 1];

/// What is counted while the process runs.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OneLabel, Histogram>,
    pub(crate) nomad_calls: Counter,
    lists: Family<OneLabel, Counter>,
    pub(crate) probes: Counter,
    pub(crate) failures: Counter,
    pause: Gauge<f64, std::sync::atomic::AtomicU64>,
    pub(crate) follower: Gauge,
}

/// What is measured at the time of a request for the metrics.
pub(crate) struct MetricValues {
    pub(crate) age: Option<Duration>,
    pub(crate) nodes: Vec<(Series, i64)>,
    /// `None` = never asked.
    pub(crate) nomad_up: Option<bool>,
    pub(crate) redis_up: Option<bool>,
    pub(crate) readers: usize,
    pub(crate) cache_errors: u64,
}

/// Registers `metric` and returns it.
fn add<M: Metric + Clone>(registry: &mut Registry, (name, help): (&str, &str), metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn add_seconds<M: Metric + Clone>(
    registry: &mut Registry,
    (name, help): (&str, &str),
    metric: M,
) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let durations: fn() -> Histogram = || Histogram::new(BOUNDS);
        let mut all = Registry::with_prefix("nomad_clients");
        let to = &mut all;
        let none = Counter::default;
        Self {
            requests: add(
                to,
                ("http_requests", "HTTP requests by route, status and cache result"),
                Family::default(),
            ),
            durations: add_seconds(
                to,
                ("answer", "Time until a response with nodes was ready to be sent"),
                Family::new_with_constructor(durations),
            ),
            nomad_calls: add(
                to,
                ("nomad_calls", "Requests to Nomad, without index probes"),
                none(),
            ),
            lists: add(
                to,
                (
                    "follow_lists",
                    "Lists after the index of Nomad had moved, by whether a node had changed",
                ),
                Family::default(),
            ),
            probes: add(to, ("follow_probes", "Long polls for the index of Nomad"), none()),
            failures: add(to, ("follow_failures", "Long polls and lists that failed"), none()),
            pause: add_seconds(
                to,
                (
                    "follow_pause",
                    "Shortest time between two lists; it grows while lists find no change",
                ),
                Gauge::default(),
            ),
            follower: add(
                to,
                (
                    "follower",
                    "1 if this process follows Nomad for all that share the cache, else 0",
                ),
                Gauge::default(),
            ),
            registry: all,
        }
    }
}

impl Metrics {
    pub(crate) fn request(&self, route: &'static str, status: u16, cache: &'static str) {
        self.requests.get_or_create(&RequestLabels { route, status, cache }).inc();
    }

    pub(crate) fn responded(&self, cached: bool, took: Duration) {
        let cached = [("cached", if cached { "true" } else { "false" })];
        self.durations.get_or_create(&cached).observe(took.as_secs_f64());
    }

    /// A list of the follower, and the pause after it.
    pub(crate) fn listed(&self, changed: bool, pause: Duration) {
        let changed = [("changed", if changed { "true" } else { "false" })];
        self.lists.get_or_create(&changed).inc();
        self.pause.set(pause.as_secs_f64());
    }

    /// All metrics in OpenMetrics.
    pub(crate) fn text(&self, values: MetricValues) -> String {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &values.registry()))
            .and_then(|()| encode_eof(&mut text))
            .expect("a String takes every write");
        text
    }
}

impl MetricValues {
    fn registry(self) -> Registry {
        let mut registry = Registry::with_prefix("nomad_clients");
        registry.register(
            "cache_errors",
            "How often Redis could not be used",
            ConstCounter::new(self.cache_errors),
        );
        registry.register_with_unit(
            "cache_age",
            "Time since the cached list was requested; NaN if nothing fresh is cached",
            Unit::Seconds,
            ConstGauge::new(self.age.map_or(f64::NAN, |age| age.as_secs_f64())),
        );
        let nodes = Family::<Vec<(&'static str, String)>, Gauge>::default();
        for (series, count) in self.nodes {
            nodes.get_or_create(&LABELS.into_iter().zip(series).collect()).set(count);
        }
        registry.register(
            "nodes",
            "Cached nodes; if there are many different values, rare ones are counted as other",
            nodes,
        );
        let up = |up: bool| ConstGauge::new(i64::from(up));
        if let Some(is_up) = self.nomad_up {
            let help = "1 if Nomad answered the last request of this process, else 0; absent before the first";
            registry.register("nomad_up", help, up(is_up));
        }
        if let Some(is_up) = self.redis_up {
            let help = "1 if the last use of Redis succeeded, else 0; absent without Redis";
            registry.register("redis_up", help, up(is_up));
        }
        let readers = i64::try_from(self.readers).unwrap_or(i64::MAX);
        registry.register(
            "event_readers",
            "Connections that read /api/events",
            ConstGauge::new(readers),
        );
        registry
    }
}
