//! Where the settings come from. Values are not shown: they may be secrets.

use super::{Check, Checks, Section};

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
    pub(crate) options: Vec<String>,
    /// Names of variables that are set.
    pub(crate) variables: Vec<&'static str>,
}

pub(super) fn checks(found: &Provenance) -> Vec<Check> {
    let mut checks = Checks::of(Section::Configuration);
    match (&found.file, &found.usual) {
        (Some((path, keys)), _) if found.leaks => {
            let said = format!(
                "{path}{}; other users can read it, and it contains a password",
                sets(keys, &found.overruled)
            );
            checks.warning("file", said, format!("chmod 600 {path}"));
        }
        (Some((path, keys)), _) => {
            checks.ok("file", format!("{path}{}", sets(keys, &found.overruled)));
        }
        (None, Some(usual)) => checks.ok("file", format!("none; would be read from {usual}")),
        (None, None) => checks.ok("file", "none: this user has no home directory"),
    }
    if !found.variables.is_empty() {
        checks.ok("variables", found.variables.join(", "));
    }
    if !found.options.is_empty() {
        let options: Vec<String> = found.options.iter().map(|name| format!("--{name}")).collect();
        self::options(&mut checks, &options.join(", "), &found.exposed);
    }
    checks.all
}

fn options(checks: &mut Checks, options: &str, exposed: &[(&str, &str)]) {
    if exposed.is_empty() {
        return checks.ok("options", options);
    }
    let typed: Vec<String> = exposed.iter().map(|(option, _)| format!("--{option}")).collect();
    let variables: Vec<&str> = exposed.iter().map(|(_, variable)| *variable).collect();
    let said = format!(
        "{options}; other users can see the password of {} in the process list",
        typed.join(" and of ")
    );
    checks.warning("options", said, format!("set {} instead", variables.join(" and ")));
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
    let mut checks = Checks::of(Section::Configuration);
    checks.problem("settings", what, hint.unwrap_or("correct it where it is set"));
    let others = Section::ALL.into_iter().filter(|link| *link != Section::Configuration);
    let skipped = others.flat_map(|link| {
        let mut checks = Checks::of(link);
        checks.skipped("all", "needs settings");
        checks.all
    });
    checks.all.into_iter().chain(skipped).collect()
}
