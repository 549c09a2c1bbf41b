//! Every setting: its option, variable, file key, check, default and help, in one table.

mod checks;
mod table;

pub(crate) use checks::{duration, truth};
pub use table::SETTINGS;
pub(crate) use table::*;

/// One row of the table. A setting is said by its option, else by its variable, else in the
/// configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The option without its dashes, and the key in the configuration file.
    pub name: &'static str,
    pub short: Option<char>,
    pub kind: ValueKind,
    pub variable: Option<&'static str>,
    pub default: Option<&'static str>,
    /// What it does, in one line.
    pub summary: &'static str,
    /// More that the long help says.
    pub detail: Option<&'static str>,
    /// The only command that has the option.
    pub only: Option<&'static str>,
    /// Of its help.
    pub heading: Option<&'static str>,
    /// Whether the configuration file may hold it.
    pub in_file: bool,
}

/// What an option takes, and the name that its help gives to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Nothing; a variable or a file says `true` or `false`.
    Flag,
    Text(&'static str),
    /// May be repeated.
    Texts(&'static str),
    /// May be left out: then it is the default.
    Optional(&'static str),
    /// Columns, each perhaps with a `-` before it; may be repeated.
    SortKeys,
    Number,
    Url,
    File,
    Folder,
    /// A file that holds a secret; the variable holds the secret itself.
    SecretFile,
    OneOf(&'static str, &'static [&'static str]),
}

/// A setting whose values `check` understands.
pub(crate) struct Typed<T> {
    pub(crate) setting: Setting,
    /// Says what is wrong with a value, and quotes none that may be secret.
    pub(crate) check: fn(&str) -> Result<T, String>,
}

impl Setting {
    pub fn help(&self) -> String {
        let default = self.default.map(|default| format!(" [default: {default}]"));
        self.summary.to_owned() + &default.unwrap_or_default()
    }

    pub fn long_help(&self) -> String {
        let variable = self.variable.filter(|_| self.kind != ValueKind::SecretFile);
        let variable = variable.map(|name| format!("[env: {name}]"));
        let parts = [Some(self.help()), self.detail.map(str::to_owned), variable];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }

    /// As the help shows it, like `URL`; empty for a flag.
    pub fn value_name(&self) -> &'static str {
        match self.kind {
            ValueKind::Flag => "",
            ValueKind::Text(name)
            | ValueKind::Texts(name)
            | ValueKind::Optional(name)
            | ValueKind::OneOf(name, _) => name,
            ValueKind::SortKeys => "COLUMNS",
            ValueKind::Number => "N",
            ValueKind::Url => "URL",
            ValueKind::File | ValueKind::SecretFile => "FILE",
            ValueKind::Folder => "DIR",
        }
    }
}

/// Every variable that changes what the program does, and what it is for.
pub fn variables() -> impl Iterator<Item = (&'static str, String)> {
    let of_settings = SETTINGS.iter().filter_map(|setting| {
        let summary = match setting.kind {
            ValueKind::SecretFile => format!("Secret to use instead of --{}", setting.name),
            _ => format!("{} (--{})", setting.summary, setting.name),
        };
        Some((setting.variable?, summary))
    });
    of_settings.chain(table::OTHER_VARIABLES.map(|(name, summary)| (name, summary.to_owned())))
}
