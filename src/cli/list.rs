//! The options of `list`.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::render::Format;

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
    /// ID, ID prefix, name, name glob ('web-*') or IP address; all nodes unless given
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,

    /// Ask Nomad now: one call, and one for each new or changed node
    #[arg(long, conflicts_with = "force")]
    pub refresh: bool,

    /// Ask Nomad for everything again
    #[arg(long)]
    pub force: bool,

    /// Exit with 0 although some nodes are without details
    #[arg(long)]
    pub allow_partial: bool,

    /// In an outage of Nomad show the last answer up to this age, with a warning and exit code 0
    #[arg(long, value_name = "DURATION")]
    pub stale_if_error: Option<String>,

    #[command(flatten)]
    pub filters: Filters,

    #[command(flatten)]
    pub printing: Printing,

    /// Again and again (every 2s): redraws on a terminal, one JSON line per change in a pipe; with --refresh Nomad is asked each time
    #[arg(
        short,
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        conflicts_with = "count_by"
    )]
    pub watch: Option<String>,

    /// Exit with 10 if a node is so, like status=down or meta.rack=r1; repeatable
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Vec<String>,
}

/// Which nodes, and in which order. Comma lists and repeated options are alternatives.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which nodes")]
pub struct Filters {
    /// initializing, ready, down or disconnected: --status down,disconnected
    #[arg(long, value_name = "STATUS")]
    pub status: Vec<String>,

    /// Datacenter or glob: --dc 'dc*'
    #[arg(long, visible_alias = "dc", value_name = "NAME")]
    pub datacenter: Vec<String>,

    /// Node class or glob
    #[arg(long, value_name = "NAME")]
    pub class: Vec<String>,

    /// Node pool or glob
    #[arg(long, value_name = "NAME")]
    pub pool: Vec<String>,

    /// eligible or ineligible
    #[arg(long, value_name = "WHICH")]
    pub eligibility: Vec<String>,

    /// Draining nodes; --drain=false: all others
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub drain: Vec<String>,

    /// Nodes on which this driver is healthy; docker=unhealthy: what else it may be
    #[arg(long, value_name = "DRIVER")]
    pub driver: Vec<String>,

    /// Version of Nomad: 1.9.3, '1.9.*', '<2.0'
    #[arg(long, value_name = "VERSION")]
    pub nomad_version: Vec<String>,

    /// Metadata: KEY, KEY=VALUE, KEY!=VALUE, KEY='glob*', 'KEY>=5'; all that are given must hold
    #[arg(long, value_name = "EXPR")]
    pub meta: Vec<String>,

    /// Attribute, in the same way: --attr kernel.name=linux --attr 'cpu.numcores>=8'
    #[arg(long, value_name = "EXPR")]
    pub attr: Vec<String>,

    /// Order: --sort dc,-memory_mb; by any column, - for descending [default: name, then id]
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    pub sort: Vec<String>,

    /// At most so many nodes, or counts with --count-by
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

impl Filters {
    /// Each option's name and what was given for it.
    pub fn options(&self) -> [(&'static str, &[String]); 11] {
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
            ("sort", &self.sort),
        ]
    }
}

/// What is printed of them, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is printed")]
pub struct Printing {
    /// How to print
    #[arg(short, long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::NAMES))]
    pub output: Option<String>,

    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,

    /// Columns: name,dc,meta.rack,attr.kernel.name; +meta.rack adds to the usual ones; help tells all
    #[arg(short, long, value_name = "COLUMNS")]
    pub columns: Vec<String>,

    /// In JSON and YAML: attributes, resources, host volumes and host networks too
    #[arg(long, conflicts_with = "columns")]
    pub full: bool,

    /// Leave out the line of column names
    #[arg(long)]
    pub no_headers: bool,

    /// How many nodes there are of each value: --count-by dc,status
    #[arg(long, value_name = "COLUMNS", conflicts_with_all = ["columns", "full"])]
    pub count_by: Option<String>,

    /// In CSV and TSV: values as they are, also those that a spreadsheet takes for formulas
    #[arg(long)]
    pub csv_raw: bool,

    /// Show values of metadata and attributes whose key holds token, secret or password
    #[arg(long)]
    pub show_secrets: bool,
}
