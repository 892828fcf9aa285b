//! Names that a declaration can have, for those of a database.

use std::collections::HashSet;

use carafe_model::name::Name;

/// Gives each text a name of its own: itself where it is one, else the nearest that is free.
/// `allowed` says what else a name must not be.
pub(super) fn unique<'t>(
    texts: impl Iterator<Item = &'t str> + Clone,
    allowed: impl Fn(&str) -> bool,
) -> Vec<Name> {
    let fits = |text: &str| Name::parse(text).ok().filter(|name| allowed(name.as_str()));
    // Those that can stay do, whatever others would become.
    let mut taken: HashSet<Name> = texts.clone().filter_map(fits).collect();
    texts
        .map(|text| {
            fits(text).unwrap_or_else(|| {
                let name = free(text, &taken, &allowed);
                taken.insert(name.clone());
                name
            })
        })
        .collect()
}

fn free(text: &str, taken: &HashSet<Name>, allowed: &impl Fn(&str) -> bool) -> Name {
    let repaired = Name::repair(text);
    let is_free = |name: &Name| allowed(name.as_str()) && !taken.contains(name);
    if is_free(&repaired) {
        return repaired;
    }
    // Room for `_` and a number.
    let start = &repaired.as_str()[..repaired.as_str().len().min(Name::BYTES_MAX - 6)];
    (2..)
        .map(|number| Name::repair(&format!("{start}_{number}")))
        .find(is_free)
        .expect("one of the numbers is free")
}

/// A text for a remark, which is one line without control characters.
pub(super) fn remark(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_or_repaired_and_stay_apart() {
        let texts = ["Users", "users", "user-s", "user_s", "api", "", "größe"];
        let names = unique(texts.into_iter(), |name| name != "api");
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        assert_eq!(
            names,
            [
                "users_2", "users", "user_s_2", "user_s", "api_2", "name", "gr_e"
            ]
        );
        let long = "n".repeat(80);
        let texts = [long.as_str(), &long[..70], &long[..63]];
        let names: HashSet<Name> = unique(texts.into_iter(), |_| true).into_iter().collect();
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn a_remark_is_one_line() {
        assert_eq!(remark("a\n  b\u{7}"), "a b\u{fffd}");
    }
}
