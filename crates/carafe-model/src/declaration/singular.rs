//! One of many: the singular of an English noun, well enough for labels.

/// Words that no rule below gets right.
const EXCEPTIONS: [(&str, &str); 17] = [
    ("caches", "cache"),
    ("calories", "calorie"),
    ("children", "child"),
    ("cookies", "cookie"),
    ("lens", "lens"),
    ("media", "media"),
    ("men", "man"),
    ("menus", "menu"),
    ("movies", "movie"),
    ("news", "news"),
    ("people", "people"),
    ("pies", "pie"),
    ("series", "series"),
    ("shoes", "shoe"),
    ("species", "species"),
    ("ties", "tie"),
    ("women", "woman"),
];

/// The singular of a name's last word: `blog_categories` is `blog_category`. A word that is no
/// plural stays as it is.
#[must_use]
pub fn singular(name: &str) -> String {
    match name.rsplit_once('_') {
        Some((start, word)) => format!("{start}_{}", singular_word(word)),
        None => singular_word(name),
    }
}

fn singular_word(word: &str) -> String {
    if let Some((_, one)) = EXCEPTIONS.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    let without = |count: usize| &word[..word.len() - count];
    if ["ss", "us", "is"].iter().any(|end| word.ends_with(end)) || !word.ends_with('s') {
        return word.to_owned();
    }
    if word.ends_with("ies") && word.len() > 4 {
        return format!("{}y", without(3));
    }
    if word.ends_with("zzes") {
        return without(3).to_owned();
    }
    let hissing = ["sses", "shes", "ches", "xes", "oes"]
        .iter()
        .any(|end| word.ends_with(end));
    if hissing || is_plural_of_us(word) {
        return without(2).to_owned();
    }
    match without(1) {
        "" => word.to_owned(),
        one => one.to_owned(),
    }
}

/// `statuses` and `buses`, but not `houses` and `causes`.
fn is_plural_of_us(word: &str) -> bool {
    word == "buses"
        || word
            .strip_suffix("uses")
            .is_some_and(|stem| stem.len() > 2 && stem.ends_with(['n', 'p', 'r', 't']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_have_their_singular() {
        let cases = [
            ("notes", "note"),
            ("categories", "category"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("boxes", "box"),
            ("people", "people"),
            ("stock", "stock"),
            ("status", "status"),
            ("buses", "bus"),
            ("houses", "house"),
            ("branches", "branch"),
            ("quizzes", "quiz"),
            ("sizes", "size"),
            ("movies", "movie"),
            ("blog_posts", "blog_post"),
            ("order_statuses", "order_status"),
            ("news", "news"),
            ("courses", "course"),
            ("s", "s"),
            ("ies", "ie"),
        ];
        for (many, one) in cases {
            assert_eq!(singular(many), one, "plural: {many}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_singular_of_a_name_is_a_name(name in "[a-z]([a-z0-9]|_[a-z0-9]){0,20}") {
            assert!(crate::name::Name::parse(&singular(&name)).is_ok());
        }
    }
}
