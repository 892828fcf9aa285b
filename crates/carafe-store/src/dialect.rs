//! The two ways in which SQL is written here.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

#[cfg(test)]
impl Dialect {
    pub(crate) const ALL: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];
}

/// The texts of a statement in both dialects, a line each.
#[cfg(test)]
pub(crate) fn both(make: impl Fn(Dialect) -> crate::statement::Statement) -> String {
    let texts = Dialect::ALL.map(|dialect| make(dialect).text().to_owned());
    texts.join("\n")
}
