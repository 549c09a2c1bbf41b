//! The metrics of `/metrics`.

pub(crate) mod exposition;
pub(crate) mod node_counts;
pub(crate) mod scrape;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::net::sync::lock;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::node_counts::Series;

/// Upper bounds in seconds.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
    /// `hit`, `stale`, `miss` or `bypass`; empty where no nodes were asked for.
    cache: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cached: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    status: String,
    eligibility: String,
    drain: String,
    datacenter: String,
    pool: String,
    class: String,
    version: String,
}

/// 1 or 0; absent while nobody knows.
#[derive(Debug, Clone, Default)]
struct UpGauge(Arc<Mutex<Option<bool>>>);

impl UpGauge {
    fn known(&self) -> MutexGuard<'_, Option<bool>> {
        lock(&self.0)
    }
}

impl EncodeMetric for UpGauge {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let known = *self.known();
        known.map_or(Ok(()), |up| encoder.encode_gauge(&i64::from(up)))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.known().is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListLabels {
    changed: &'static str,
}

/// Everything that is counted.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<CacheLabels, Histogram>,
    nomad_calls: Counter,
    lists: Family<ListLabels, Counter>,
    probes: Counter,
    failures: Counter,
    pause: Gauge<f64, AtomicU64>,
    follower: Gauge,
    cache_errors: Counter,
    age: Gauge<f64, AtomicU64>,
    nodes: Family<NodeLabels, Gauge>,
    nomad_up: UpGauge,
    redis_up: UpGauge,
    readers: Gauge,
    /// What is measured at one moment is told together.
    telling: Mutex<()>,
}

/// What is measured at the moment in which somebody asks.
pub(super) struct MetricValues {
    pub(super) age: Option<Duration>,
    pub(super) nodes: Vec<(Series, i64)>,
    /// `None` = never asked.
    pub(super) nomad_up: Option<bool>,
    pub(super) redis_up: Option<bool>,
    pub(super) readers: usize,
    pub(super) cache_errors: u64,
}

impl NodeLabels {
    fn of([status, eligibility, drain, datacenter, pool, class, version]: Series) -> Self {
        Self { status, eligibility, drain, datacenter, pool, class, version }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let durations: fn() -> Histogram = || Histogram::new(BOUNDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("nomad_clients"),
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            nomad_calls: Counter::default(),
            lists: Family::default(),
            probes: Counter::default(),
            failures: Counter::default(),
            pause: Gauge::default(),
            follower: Gauge::default(),
            cache_errors: Counter::default(),
            age: Gauge::default(),
            nodes: Family::default(),
            nomad_up: UpGauge::default(),
            redis_up: UpGauge::default(),
            readers: Gauge::default(),
            telling: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, .. } = self;
        let seconds = || Unit::Seconds;
        registry.register(
            "http_requests",
            "Requests by route, status and cache result",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "answer",
            "Time until an answer with nodes stood",
            seconds(),
            self.durations.clone(),
        );
        registry.register(
            "nomad_calls",
            "Requests to Nomad, probes not included",
            self.nomad_calls.clone(),
        );
        registry.register(
            "follow_lists",
            "Lists because the index of Nomad had moved, by whether a node had changed",
            self.lists.clone(),
        );
        registry.register(
            "follow_probes",
            "Held requests for the index of Nomad",
            self.probes.clone(),
        );
        registry.register("follow_failures", "Probes and lists that failed", self.failures.clone());
        registry.register_with_unit(
            "follow_pause",
            "Shortest time between two lists; it grows while lists find no change",
            seconds(),
            self.pause.clone(),
        );
        registry.register(
            "follower",
            "1 if this process follows Nomad for all who share the cache",
            self.follower.clone(),
        );
        registry.register(
            "cache_errors",
            "Times that Redis could not be used",
            self.cache_errors.clone(),
        );
        self.register_states();
    }

    /// What is measured when somebody asks.
    fn register_states(&mut self) {
        let Self { registry, .. } = self;
        registry.register_with_unit(
            "cache_age",
            "Since the list that is cached was asked for; NaN when nothing fresh is cached",
            Unit::Seconds,
            self.age.clone(),
        );
        registry.register(
            "nodes",
            "Nodes that are cached; values that few nodes have are counted as other when there are many",
            self.nodes.clone(),
        );
        registry.register(
            "nomad_up",
            "1 if the last question of this process to Nomad was answered, else 0; absent before the first",
            self.nomad_up.clone(),
        );
        registry.register(
            "redis_up",
            "1 if Redis could be used when it was last asked, else 0; absent without Redis",
            self.redis_up.clone(),
        );
        registry.register(
            "event_readers",
            "Connections that read /api/events",
            self.readers.clone(),
        );
    }

    pub(super) fn request(&self, route: &'static str, status: u16, cache: &'static str) {
        self.requests.get_or_create(&RequestLabels { route, status, cache }).inc();
    }

    pub(super) fn answered(&self, cached: bool, took: Duration) {
        let cached = if cached { "true" } else { "false" };
        self.durations.get_or_create(&CacheLabels { cached }).observe(took.as_secs_f64());
    }

    pub(super) fn called(&self, nomad_calls: u64) {
        self.nomad_calls.inc_by(nomad_calls);
    }

    pub(super) fn probed(&self) {
        self.probes.inc();
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }

    /// A list of the one who follows, and how long he will leave Nomad alone after it.
    pub(super) fn listed(&self, changed: bool, pause: Duration) {
        let changed = if changed { "true" } else { "false" };
        self.lists.get_or_create(&ListLabels { changed }).inc();
        self.pause.set(pause.as_secs_f64());
    }

    pub(super) fn follows(&self, follower: bool) {
        self.follower.set(i64::from(follower));
    }

    /// In OpenMetrics.
    pub(super) fn text(&self, moment: &MetricValues) -> String {
        let _telling = lock(&self.telling);
        self.age.set(moment.age.map_or(f64::NAN, |age| age.as_secs_f64()));
        self.nodes.clear();
        for (labels, count) in &moment.nodes {
            self.nodes.get_or_create(&NodeLabels::of(labels.clone())).set(*count);
        }
        *self.nomad_up.known() = moment.nomad_up;
        *self.redis_up.known() = moment.redis_up;
        self.readers.set(i64::try_from(moment.readers).unwrap_or(i64::MAX));
        self.cache_errors.inner().store(moment.cache_errors, std::sync::atomic::Ordering::Relaxed);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("memory takes every write");
        text
    }
}
