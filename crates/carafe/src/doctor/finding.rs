//! One thing that was looked at.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Ok,
    /// The server works, but something can go wrong.
    Warning,
    /// The server does not start, or loses data.
    Error,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// What was found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// What was looked at: `secret key`.
    pub(crate) subject: &'static str,
    pub(crate) text: String,
    /// Empty where nothing is to be done.
    pub(crate) advice: String,
}

impl Finding {
    pub(crate) fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, subject, text, "")
    }

    pub(crate) fn warning(
        subject: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(Level::Warning, subject, text, advice)
    }

    pub(crate) fn error(
        subject: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(Level::Error, subject, text, advice)
    }

    fn new(
        level: Level,
        subject: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level,
            subject,
            text: text.into(),
            advice: advice.into(),
        }
    }
}
