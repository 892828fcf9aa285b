//! A table as the catalogs of its database describe it.

/// A table, or what stands among the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub relation: Relation,
    /// Whether Carafe has made it. Columns of Carafe's own are left out then.
    pub is_ours: bool,
    /// Whether deleted records are kept; of tables that Carafe has made.
    pub is_soft: bool,
    /// Whether versions are kept; of tables that Carafe has made.
    pub has_history: bool,
    /// In their order; none of what is no [`Relation::Table`].
    pub columns: Vec<Column>,
    /// Names of columns, in the order of the key.
    pub primary_key: Vec<String>,
    pub foreign_keys: Vec<ForeignKey>,
    /// Those beside the primary key, by name.
    pub indexes: Vec<Index>,
    /// Conditions that are more than the types of the columns, as they are written.
    pub checks: Vec<String>,
}

/// What a name among the tables stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Table,
    View,
    /// A part of a partitioned table.
    Partition,
    /// A table of another server.
    Foreign,
    /// A table of an extension or a module: virtual tables of SQLite, those that a PostgreSQL
    /// extension has made.
    Extension,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The type in the database's own words.
    pub type_name: String,
    pub held: Held,
    /// What the type says that `held` does not.
    pub note: Option<&'static str>,
    pub not_null: bool,
    pub default: DefaultValue,
    /// Computed from other columns.
    pub is_generated: bool,
}

/// What a column holds, in the declaration's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Integer,
    Number,
    Decimal {
        scale: u8,
    },
    Boolean,
    Date,
    Datetime,
    Uuid,
    Json,
    /// One line. `max_length` in characters.
    String {
        max_length: Option<u32>,
    },
    Text,
    /// One of these texts.
    Choice(Vec<String>),
    /// In tables that Carafe has made.
    Email,
    /// In tables that Carafe has made.
    Url,
    /// In tables that Carafe has made.
    Password,
    /// In tables that Carafe has made: a reference to this table.
    Reference(String),
    /// Nothing that a field can hold.
    Unknown,
}

/// The value of a column where none is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    None,
    /// The text of a literal, without quotes: `draft`, `-1`, `true`.
    Literal(String),
    /// The time of the insertion.
    Now,
    /// A number of a sequence, or a new UUID.
    Given,
    /// Anything else, as it is written.
    Expression(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    /// The table referred to; of another schema with that before it.
    pub to: String,
    /// The columns referred to.
    pub to_columns: Vec<String>,
    pub on_delete: OnDelete,
}

/// What becomes of a row whose target is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    pub name: String,
    /// Empty where it is not of columns alone.
    pub columns: Vec<String>,
    pub is_unique: bool,
    /// Of every row, by the values of columns, in an order.
    pub is_plain: bool,
}

impl Table {
    pub(crate) fn new(name: String, relation: Relation) -> Self {
        Self {
            name,
            relation,
            is_ours: false,
            is_soft: false,
            has_history: false,
            columns: Vec::new(),
            primary_key: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// The column called `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
