//! What a part wants to tell the person at the terminal, without knowing how it is shown.

use std::sync::Arc;

/// How much a person must want to hear to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Told unless `-q`: something is wrong, the answer is right all the same.
    Warning,
    /// Told unless `-q`: good to know.
    Note,
    /// Told unless `-q`, as it stands: the line about the answer.
    Summary,
    /// Told with `-v`.
    Verbose,
    /// Told with `-vv`: every call.
    Call,
}

/// One line about what happened. The text may hold foreign text: who shows it sanitises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub level: Level,
    pub text: String,
}

/// Where remarks go; cheap to clone, callable from any thread.
#[derive(Clone)]
pub struct Notifier(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notifier {
    pub fn new(to: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(to))
    }

    /// For those who do not listen.
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
        f.write_str("Tell")
    }
}
