//! The nearest known name to one that was mistyped.

/// The name of `known` nearest to `given`, if one is near enough to be what was meant:
/// at most one edit for each three characters (Damerau-Levenshtein, adjacent swaps count one).
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let characters = given.chars().take(CHARACTERS_MAX).count();
    nearest_within(characters.div_ceil(3), given, known)
}

/// The same with at most `edits_max` edits.
pub fn nearest_within<'a>(
    edits_max: usize,
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given: Vec<char> = given.chars().take(CHARACTERS_MAX).collect();
    known
        .into_iter()
        .map(|name| (distance(&given, &name.chars().collect::<Vec<_>>()), name))
        .filter(|(edits, name)| *edits <= edits_max && *edits < name.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Longer names are cut before they are compared, so that a hostile one costs nothing.
const CHARACTERS_MAX: usize = 64;

fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_recognised() {
        let known = ["title", "content", "is_pinned"];
        let cases = [
            ("tilte", Some("title")),
            ("titel", Some("title")),
            ("contents", Some("content")),
            ("pinned", None),
            ("x", None),
            ("", None),
        ];
        for (given, expected) in cases {
            assert_eq!(nearest(given, known), expected, "given: {given}");
        }
    }
}
