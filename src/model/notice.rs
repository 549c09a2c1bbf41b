//! Messages for the person at the terminal, from parts that do not know how they are shown.

use std::sync::Arc;

/// How important a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Shown unless `-q`: something is wrong, but the answer is right.
    Warning,
    /// Shown unless `-q`: good to know.
    Note,
    /// Shown unless `-q`, without a label: the line about the answer.
    Summary,
    /// Shown with `-v`.
    Verbose,
    /// Shown with `-vv`: every call.
    Call,
}

impl Level {
    /// Whether the notice is about something that may need attention.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::Warning | Self::Note)
    }
}

/// One line about what happened. It may hold foreign text and is sanitised when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub level: Level,
    pub text: String,
}

/// Where notices go; cheap to clone, callable from any thread.
#[derive(Clone)]
pub struct Notifier(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notifier {
    pub fn new(to: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(to))
    }

    /// Drops all notices.
    pub fn nobody() -> Self {
        Self::new(|_| ())
    }

    pub fn warning(&self, text: impl Into<String>) {
        self.tell(Level::Warning, text.into());
    }

    pub fn note(&self, text: impl Into<String>) {
        self.tell(Level::Note, text.into());
    }

    pub fn summary(&self, text: impl Into<String>) {
        self.tell(Level::Summary, text.into());
    }

    pub fn verbose(&self, text: impl Into<String>) {
        self.tell(Level::Verbose, text.into());
    }

    pub fn call(&self, text: impl Into<String>) {
        self.tell(Level::Call, text.into());
    }

    fn tell(&self, level: Level, text: String) {
        (self.0)(Notice { level, text });
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}
