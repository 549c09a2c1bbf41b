//! The options of `list`.

use clap::Args;

/// Each works as it stands.
pub(super) const EXAMPLES: &str = "\
Examples:
  nomad-clients list --status down,disconnected --dc 'dc*'
  nomad-clients list -c name,dc,meta.rack,attr.kernel.name --sort dc,-memory_mb
  nomad-clients list --meta rack=r1 --attr 'cpu.numcores>=8' -o csv
  nomad-clients list --count-by dc,status
  nomad-clients list --json | jq -r '.[] | select(.drain) | .name'
  nomad-clients list --refresh --fail-on status=down
  nomad-clients list --watch=5s";

#[derive(Debug, Args)]
pub struct List {
    /// ID, ID prefix, name, name glob ('web-*') or IP address [default: all nodes]
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,

    /// Ask Nomad now: 1 + changed calls (one more from 200 nodes on, if any changed)
    #[arg(long, conflicts_with = "force")]
    pub refresh: bool,

    /// Fetch everything from Nomad again
    #[arg(long)]
    pub force: bool,

    /// Exit with code 0 even if details of some nodes are missing
    #[arg(long)]
    pub allow_partial: bool,

    /// If Nomad is unreachable, print a cached list that is at most this old, with a warning
    #[arg(long, value_name = "AGE")]
    pub stale_if_error: Option<String>,

    #[command(flatten)]
    pub filters: Filters,

    #[command(flatten)]
    pub printing: Printing,

    /// Exit with code 10 if any selected node matches, e.g. status=down; repeatable
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Vec<String>,
}

/// Which nodes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct Filters {
    /// Select by status: initializing, ready, down or disconnected, e.g. down,disconnected
    #[arg(long, value_name = "STATUS")]
    pub status: Vec<String>,

    /// Select by datacenter or glob, e.g. 'dc*'
    #[arg(long, visible_alias = "dc", value_name = "NAME")]
    pub datacenter: Vec<String>,

    /// Select by node class or glob
    #[arg(long, value_name = "NAME")]
    pub class: Vec<String>,

    /// Select by node pool or glob
    #[arg(long, value_name = "NAME")]
    pub pool: Vec<String>,

    /// Select by eligibility: eligible or ineligible
    #[arg(long, value_name = "WHICH")]
    pub eligibility: Vec<String>,

    /// Select draining nodes, or all others with --drain=false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub drain: Vec<String>,

    /// Select nodes where this driver is healthy, or has another state, e.g. docker=unhealthy
    #[arg(long, value_name = "DRIVER")]
    pub driver: Vec<String>,

    /// Select by Nomad version, e.g. 1.9.3, '1.9.*' or '<2.0'
    #[arg(long, value_name = "EXPR")]
    pub nomad_version: Vec<String>,

    /// Select by metadata: KEY, KEY=VALUE, KEY!=VALUE, KEY='glob*' or 'KEY>=5'; repeatable
    #[arg(long, value_name = "EXPR")]
    pub meta: Vec<String>,

    /// Select by attribute, e.g. kernel.name=linux or 'cpu.numcores>=8'; repeatable
    #[arg(long, value_name = "EXPR")]
    pub attr: Vec<String>,

    /// Show at most N nodes, or N counts with --count-by
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl Filters {
    /// Each option's name and what was given for it.
    pub fn options(&self) -> [(&'static str, &[String]); 10] {
        [
            ("status", &self.status),
            ("datacenter", &self.datacenter),
            ("class", &self.class),
            ("pool", &self.pool),
            ("eligibility", &self.eligibility),
            ("drain", &self.drain),
            ("driver", &self.driver),
            ("nomad-version", &self.nomad_version),
            ("meta", &self.meta),
            ("attr", &self.attr),
        ]
    }
}

/// What is printed, and in which format.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Printing {
    /// Print JSON, like --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,

    /// Include attributes, resources, host volumes and host networks in JSON and YAML
    #[arg(long, conflicts_with = "columns")]
    pub full: bool,

    /// Omit the column names
    #[arg(long)]
    pub no_headers: bool,

    /// Count nodes per value, e.g. dc,status
    #[arg(long, value_name = "COLUMNS", conflicts_with_all = ["columns", "full", "watch"])]
    pub count_by: Option<String>,

    /// Print CSV and TSV values unchanged, even if a spreadsheet would take them for formulas
    #[arg(long)]
    pub csv_raw: bool,

    /// Show metadata and attribute values whose key contains token, secret or password
    #[arg(long)]
    pub show_secrets: bool,
}
