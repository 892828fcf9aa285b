//! Lists of columns: orders, searches, unique sets.

use toml::de::DeValue;

use super::field::Declared;
use super::resource::Outline;
use super::walker::{Item, Span, Spot, once};
use crate::near::nearest;
use crate::problem::Problem;
use crate::resource::{Column, Order};

/// The most fields that are unique together.
const UNIQUE_FIELDS_MAX: usize = 16;

const ORDER_EXAMPLE: &str = "[\"-created_at\"]";

/// The columns of a resource that settings can name.
pub(super) struct Columns<'a> {
    pub(super) outline: &'a Outline<'a>,
    pub(super) fields: &'a [Declared],
}

impl Columns<'_> {
    /// The column called `text`, which must be a field or the key.
    pub(super) fn find(
        &self,
        text: &str,
        span: &Span,
        problems: &mut Vec<Problem>,
    ) -> Option<Column> {
        if let Some(position) = self.fields.iter().position(|field| field.written == text) {
            return Some(Column::Field(position));
        }
        let key = self.outline.key.field.as_str();
        if text == key {
            return Some(Column::Key);
        }
        let problem = Problem::new(
            span.clone(),
            format!("`{}` has no field `{text}`", self.outline.written),
            "no such field",
        )
        .absence();
        let known = self.fields.iter().map(|field| field.written.as_str());
        problems.push(match nearest(text, known.chain([key])) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        });
        None
    }

    /// The field called `text`; the key is refused, for `reason`.
    fn field(
        &self,
        text: &str,
        span: &Span,
        reason: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<usize> {
        match self.find(text, span, problems)? {
            Column::Field(position) => Some(position),
            Column::Key => {
                problems.push(Problem::new(
                    span.clone(),
                    format!("`{text}` is the key: {reason}"),
                    "the key",
                ));
                None
            }
        }
    }

    /// Whether the column can be compared; it is reported where it cannot.
    fn comparable(
        &self,
        column: Column,
        span: &Span,
        verb: &str,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let Column::Field(position) = column else {
            return true;
        };
        let declared = &self.fields[position];
        if !declared.sound || declared.field.kind.is_comparable() {
            return true;
        }
        problems.push(Problem::new(
            span.clone(),
            format!(
                "`{}` cannot be {verb}: passwords and JSON have no order",
                declared.written
            ),
            "not comparable",
        ));
        false
    }

    /// An order as it is written, made total by the key. Without one, records are in the order
    /// of their keys.
    pub(super) fn order(&self, item: Option<Item<'_>>, problems: &mut Vec<Problem>) -> Vec<Order> {
        let texts = item.and_then(|item| item.texts(ORDER_EXAMPLE, problems));
        let mut order = Vec::new();
        for spot in texts.unwrap_or_default() {
            let (name, descending) = match spot.value.strip_prefix('-') {
                Some(name) => (name, true),
                None => (spot.value, false),
            };
            let Some(column) = self.find(name, &spot.span, problems) else {
                continue;
            };
            self.comparable(column, &spot.span, "sorted by", problems);
            order.push(Spot {
                value: Order { column, descending },
                span: spot.span,
            });
        }
        self.check_order(&order, problems);
        total(order.into_iter().map(|spot| spot.value).collect())
    }

    fn check_order(&self, order: &[Spot<Order>], problems: &mut Vec<Problem>) {
        for (index, spot) in order.iter().enumerate() {
            let before = &order[..index];
            let same = |first: &&Spot<Order>| first.value.column == spot.value.column;
            if let Some(first) = before.iter().find(same) {
                problems.push(
                    Problem::new(
                        spot.span.clone(),
                        "the same column stands twice in an order",
                        "again",
                    )
                    .related(first.span.clone(), "first here"),
                );
            } else if let Some(key) = before.iter().find(|spot| spot.value.column == Column::Key) {
                problems.push(
                    Problem::new(
                        spot.span.clone(),
                        "nothing is left to order after the key, which no two records share",
                        "no effect",
                    )
                    .related(key.span.clone(), "the key"),
                );
            }
        }
    }

    /// The fields that `q` looks through.
    pub(super) fn search(&self, item: Option<Item<'_>>, problems: &mut Vec<Problem>) -> Vec<usize> {
        let texts = item.and_then(|item| item.texts("[\"title\"]", problems));
        let mut search = Vec::new();
        for spot in texts.unwrap_or_default() {
            let reason = "a search looks through fields of text";
            let Some(position) = self.field(spot.value, &spot.span, reason, problems) else {
                continue;
            };
            let declared = &self.fields[position];
            if declared.sound && !declared.field.kind.is_written_text() {
                problems.push(
                    Problem::new(
                        spot.span.clone(),
                        format!("`{}` cannot be searched", declared.written),
                        "not a field of text",
                    )
                    .hint("a search looks through fields of type string, text, email and url"),
                );
            }
            search.push(Spot {
                value: position,
                span: spot.span,
            });
        }
        self.once(search, "`search`", problems)
    }

    /// Sets of fields unique together: of single fields first, then as written.
    pub(super) fn unique(
        &self,
        item: Option<Item<'_>>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Vec<usize>> {
        let mut sets: Vec<Spot<Vec<usize>>> = (0..self.fields.len())
            .filter(|&position| self.fields[position].field.unique)
            .map(|position| Spot {
                value: vec![position],
                span: self.fields[position].span.clone(),
            })
            .collect();
        if let Some(item) = item {
            self.unique_sets(&item, &mut sets, problems);
        }
        sets.sort_by_key(|set| set.value.len() > 1);
        sets.into_iter().map(|set| set.value).collect()
    }

    fn unique_sets(
        &self,
        item: &Item<'_>,
        sets: &mut Vec<Spot<Vec<usize>>>,
        problems: &mut Vec<Problem>,
    ) {
        const EXAMPLE: &str = "[[\"user\", \"address\"]]";
        let Some(elements) = item.list(EXAMPLE, problems) else {
            return;
        };
        let flat = elements
            .iter()
            .any(|element| matches!(element.value, DeValue::String(_)));
        if flat {
            problems.push(
                item.problem(
                    "`unique` must be a list of lists of fields",
                    "one list only",
                )
                .hint(format!("write it like `unique = {EXAMPLE}`")),
            );
            return;
        }
        for element in elements {
            let Some(set) = self.unique_set(&element, problems) else {
                continue;
            };
            let sorted = |set: &[usize]| {
                let mut set = set.to_vec();
                set.sort_unstable();
                set
            };
            let same = |first: &&Spot<Vec<usize>>| sorted(&first.value) == sorted(&set);
            match sets.iter().find(same) {
                Some(first) => problems.push(
                    element
                        .problem("the same fields are declared unique twice", "again")
                        .related(first.span.clone(), "first here"),
                ),
                None => sets.push(element.spot(set)),
            }
        }
    }

    fn unique_set(&self, element: &Item<'_>, problems: &mut Vec<Problem>) -> Option<Vec<usize>> {
        let texts = element.texts("[[\"user\", \"address\"]]", problems)?;
        if texts.is_empty() || texts.len() > UNIQUE_FIELDS_MAX {
            problems.push(element.problem(
                format!("a unique set has from 1 to {UNIQUE_FIELDS_MAX} fields"),
                "out of range",
            ));
            return None;
        }
        let before = problems.len();
        let mut set = Vec::new();
        for spot in texts {
            let reason = "it is unique anyway";
            let Some(position) = self.field(spot.value, &spot.span, reason, problems) else {
                continue;
            };
            self.comparable(Column::Field(position), &spot.span, "unique", problems);
            set.push(Spot {
                value: position,
                span: spot.span,
            });
        }
        let set = self.once(set, "one set", problems);
        (problems.len() == before).then_some(set)
    }

    fn once(&self, spots: Vec<Spot<usize>>, what: &str, problems: &mut Vec<Problem>) -> Vec<usize> {
        let show = |&position: &usize| self.fields[position].written.clone();
        once(spots, what, show, problems)
            .into_iter()
            .map(|spot| spot.value)
            .collect()
    }
}

/// `order` with the key as its last step, in the direction of the step before.
fn total(mut order: Vec<Order>) -> Vec<Order> {
    let descending = order.last().is_some_and(|last| last.descending);
    if !order.iter().any(|step| step.column == Column::Key) {
        order.push(Order {
            column: Column::Key,
            descending,
        });
    }
    order
}
