//! Where the settings come from. Values are not shown: they may be secrets.

use super::{Check, Findings, Section};

/// Where `config` found settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The file that was read, and its keys.
    pub(crate) file: Option<(String, Vec<String>)>,
    /// Keys of the file that do not count, and what is in their stead.
    pub(crate) overruled: Vec<(String, String)>,
    /// Where one is looked for that nobody has named.
    pub(crate) usual: Option<String>,
    /// Others may read the file, and it holds a password.
    pub(crate) leaks: bool,
    /// Options that were typed with a password, and the variables to set in their stead.
    pub(crate) exposed: Vec<(&'static str, &'static str)>,
    /// Long names, without dashes.
    pub(crate) options: Vec<&'static str>,
    /// Names of variables that are set.
    pub(crate) variables: Vec<&'static str>,
}

pub(super) fn checks(from: &Provenance) -> Findings {
    let mut found = Findings::of(Section::Configuration, &[]);
    match (&from.file, &from.usual) {
        (Some((path, keys)), _) => {
            let sets = sets(keys, &from.overruled);
            let said = match from.leaks {
                false => format!("{path}{sets}"),
                true => {
                    format!("{path}{sets}; other users can read it, and it contains a password")
                }
            };
            found.ok_if(!from.leaks, "file", said, &format!("chmod 600 {path}"));
        }
        (None, Some(usual)) => found.ok("file", format!("none; would be read from {usual}")),
        (None, None) => found.ok("file", "none: this user has no home directory"),
    }
    if !from.variables.is_empty() {
        found.ok("variables", from.variables.join(", "));
    }
    if !from.options.is_empty() {
        options(&mut found, from);
    }
    found
}

fn options(found: &mut Findings, from: &Provenance) {
    let typed = |names: &[&str], between: &str| {
        names.iter().map(|name| format!("--{name}")).collect::<Vec<_>>().join(between)
    };
    let (exposed, variables): (Vec<&str>, Vec<&str>) = from.exposed.iter().copied().unzip();
    let mut said = typed(&from.options, ", ");
    if !exposed.is_empty() {
        said += "; other users can see the password of ";
        said += &typed(&exposed, " and of ");
        said += " in the process list";
    }
    let advice = format!("set {} instead", variables.join(" and "));
    found.ok_if(exposed.is_empty(), "options", said, &advice);
}

fn sets(keys: &[String], overruled: &[(String, String)]) -> String {
    if keys.is_empty() {
        return " sets nothing".to_owned();
    }
    let instead = overruled.iter().map(|(key, by)| format!(", but {by} overrides {key}"));
    format!(" sets {}{}", keys.join(", "), instead.collect::<String>())
}

/// The report when the settings can't even be read.
pub(crate) fn unconfigured(what: &str, hint: Option<&str>) -> Vec<Check> {
    let all = Section::ALL.into_iter().flat_map(|link| {
        let mut found = Findings::of(link, &[]);
        match link {
            Section::Configuration => {
                found.problem("settings", what, hint.unwrap_or("correct it where it is set"));
            }
            _ => found.skipped("all", "needs settings"),
        }
        found.checks
    });
    all.collect()
}
