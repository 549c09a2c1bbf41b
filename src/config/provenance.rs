//! Where settings come from, and who else may see a password among them.

use crate::doctor::Provenance;
use crate::model::secret::Secret;
use crate::model::text::display_path;
use crate::nomad::address::Address;
use crate::settings::{SETTINGS, variables};
use crate::store::redis;

use super::values::{Origin, Values, variable};

pub(super) fn provenance(values: &Values) -> Provenance {
    let overruled = SETTINGS.iter().filter(|setting| values.file.value(setting.name).is_some());
    let overruled = overruled.filter_map(|setting| match values.found(setting)?.1 {
        Origin::File(..) => None,
        origin => Some((setting.name.to_owned(), origin.to_string())),
    });
    let mut overruled: Vec<(String, String)> = overruled.collect();
    overruled.sort();
    let typed = || SETTINGS.iter().filter(|setting| values.is_typed(setting));
    let exposed = typed().filter_map(|setting| {
        let (texts, _) = values.found(setting)?;
        let holds = texts.iter().any(|text| holds_password(setting.name, &text.to_string_lossy()));
        setting.variable.filter(|_| holds).map(|variable| (setting.name, variable))
    });
    Provenance {
        overruled,
        file: values.file.path.as_deref().map(|path| (display_path(path), values.file.keys())),
        usual: None,
        leaks: values.file.is_open && values.file.any(holds_password),
        exposed: exposed.collect(),
        options: typed().map(|setting| setting.name).collect(),
        variables: variables()
            .map(|(name, _)| name)
            .filter(|name| variable(name).is_some())
            .collect(),
    }
}

/// Every other secret stands in a file of its own.
fn holds_password(name: &str, text: &str) -> bool {
    match name {
        "address" => Address::parse(text).is_ok_and(|address| address.basic.is_some()),
        "redis" => redis::parse_url(&Secret::new(text)).is_ok_and(|url| url.has_password()),
        _ => false,
    }
}

/// One line for each place where others can read a password; never the password.
pub(super) fn warnings(found: &Provenance) -> Vec<String> {
    let file = found.file.as_ref().filter(|_| found.leaks).map(|(path, _)| {
        format!("others may read {path}, which holds a password: chmod 600 {path}")
    });
    let typed = found.exposed.iter().map(|(option, variable)| {
        format!("the password in --{option} is visible in the process list; use {variable}")
    });
    file.into_iter().chain(typed).collect()
}
