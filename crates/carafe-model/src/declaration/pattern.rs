//! Patterns that mean the same here, in JSON Schema and in browsers: the part of ECMA-262's
//! regular expressions (with its `u` flag) that runs in linear time.

use std::ops::Range;

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetBinaryOp, ClassSetItem,
    ClassUnicode, ClassUnicodeKind, ClassUnicodeOpKind, ErrorKind, GroupKind, HexLiteralKind,
    Literal, LiteralKind, SpecialLiteralKind, Visitor,
};

use crate::field::Pattern;

/// Bytes that a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// The most characters of a pattern.
const CHARACTERS_MAX: usize = 1000;

/// Why a text is not taken as a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

/// Reads `text` as a pattern. Its short forms are compiled with the meaning that they have in
/// ECMA-262: `\d` and `\w` are ASCII, `.` is no line end.
pub(super) fn parse(text: &str) -> Result<Pattern, Fault> {
    if text.chars().count() > CHARACTERS_MAX {
        return fault(
            format!("it has more than {CHARACTERS_MAX} characters"),
            None,
        );
    }
    let ast = ast::parse::Parser::new()
        .parse(text)
        .map_err(|error| syntax_fault(error.kind()))?;
    let edits = ast::visit(
        &ast,
        Portable {
            text,
            edits: Vec::new(),
            class_depth: 0,
        },
    )?;
    let regex = regex::RegexBuilder::new(&edited(text, edits))
        .size_limit(COMPILED_BYTES_MAX)
        .build();
    match regex {
        Ok(regex) => Ok(Pattern {
            text: text.to_owned(),
            regex,
        }),
        Err(regex::Error::CompiledTooBig(_)) => fault(
            "it takes too much memory",
            Some("make its counted repetitions smaller"),
        ),
        Err(_) => fault(
            "it names a class of characters that Unicode does not have",
            None,
        ),
    }
}

fn syntax_fault(kind: &ErrorKind) -> Fault {
    match kind {
        ErrorKind::UnsupportedLookAround => Fault {
            message: "look-around cannot be checked in linear time".to_owned(),
            hint: Some("write what is allowed rather than what is not"),
        },
        ErrorKind::UnsupportedBackreference => Fault {
            message: "back-references cannot be checked in linear time".to_owned(),
            hint: None,
        },
        kind => Fault {
            message: kind.to_string(),
            hint: None,
        },
    }
}

fn fault<T>(message: impl Into<String>, hint: Option<&'static str>) -> Result<T, Fault> {
    Err(Fault {
        message: message.into(),
        hint,
    })
}

fn edited(text: &str, mut edits: Vec<(Range<usize>, &'static str)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut edited = String::new();
    let mut end = 0;
    for (range, replacement) in edits {
        edited.push_str(&text[end..range.start]);
        edited.push_str(replacement);
        end = range.end;
    }
    edited.push_str(&text[end..]);
    edited
}

/// Refuses what ECMA-262 lacks, and collects the edits that make the rest mean the same.
struct Portable<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, &'static str)>,
    class_depth: usize,
}

impl Visitor for Portable<'_> {
    type Output = Vec<(Range<usize>, &'static str)>;
    type Err = Fault;

    fn finish(self) -> Result<Self::Output, Fault> {
        Ok(self.edits)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Fault> {
        match ast {
            Ast::Flags(_) => inline_flags(),
            Ast::Literal(literal) => self.literal(literal),
            Ast::Dot(span) => {
                self.edit(span, r"[^\n\r\u2028\u2029]");
                Ok(())
            }
            Ast::Assertion(assertion) => self.assertion(&assertion.kind, &assertion.span),
            Ast::ClassUnicode(class) => unicode_class(class),
            Ast::ClassPerl(class) => {
                self.perl_class(class);
                Ok(())
            }
            Ast::ClassBracketed(_) => {
                self.class_depth = 1;
                Ok(())
            }
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) => Ok(()),
                GroupKind::CaptureName {
                    starts_with_p: true,
                    ..
                } => fault("`(?P<…>)` is not valid in browsers", Some("write `(?<…>)`")),
                GroupKind::CaptureName { name, .. } => {
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    match name.name.chars().all(plain) {
                        true => Ok(()),
                        false => fault("a group's name has letters, digits and `_` only", None),
                    }
                }
                GroupKind::NonCapturing(flags) if flags.items.is_empty() => Ok(()),
                GroupKind::NonCapturing(_) => inline_flags(),
            },
            Ast::Empty(_) | Ast::Alternation(_) | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), Fault> {
        if matches!(ast, Ast::ClassBracketed(_)) {
            self.class_depth = 0;
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Fault> {
        match item {
            ClassSetItem::Literal(literal) => self.literal(literal),
            ClassSetItem::Range(range) => {
                self.literal(&range.start)?;
                self.literal(&range.end)
            }
            ClassSetItem::Ascii(_) => fault(
                "`[:…:]` is not valid in browsers",
                Some("write the characters, such as `a-z`"),
            ),
            ClassSetItem::Unicode(class) => unicode_class(class),
            ClassSetItem::Perl(class) => {
                self.perl_class(class);
                Ok(())
            }
            ClassSetItem::Bracketed(_) => fault(
                "`[` within `[…]` is not valid in browsers",
                Some(r"write `\[` for the character itself"),
            ),
            ClassSetItem::Empty(_) | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ClassSetBinaryOp) -> Result<(), Fault> {
        fault(
            "`&&`, `--` and `~~` within `[…]` are not valid in browsers",
            Some("write the characters that are left"),
        )
    }
}

impl Portable<'_> {
    fn edit(&mut self, span: &ast::Span, replacement: &'static str) {
        self.edits
            .push((span.start.offset..span.end.offset, replacement));
    }

    fn literal(&self, literal: &Literal) -> Result<(), Fault> {
        let inside = self.class_depth > 0;
        match &literal.kind {
            LiteralKind::Verbatim => match literal.c {
                ']' | '{' | '}' if !inside => fault(
                    format!("`{}` by itself is not valid in browsers", literal.c),
                    Some(r"write a `\` before it"),
                ),
                ']' => fault(
                    "`]` at the start of `[…]` is not valid in browsers",
                    Some(r"write `\]`"),
                ),
                _ => Ok(()),
            },
            LiteralKind::Meta | LiteralKind::Superfluous => {
                let escapable =
                    r"^$\.*+?()[]{}|/".contains(literal.c) || (inside && literal.c == '-');
                match escapable {
                    true => Ok(()),
                    false => fault(
                        format!(r"`\{}` is not valid in browsers", literal.c),
                        Some(r"leave the `\` out"),
                    ),
                }
            }
            LiteralKind::HexFixed(HexLiteralKind::X | HexLiteralKind::UnicodeShort)
            | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort)
            | LiteralKind::Special(
                SpecialLiteralKind::FormFeed
                | SpecialLiteralKind::Tab
                | SpecialLiteralKind::LineFeed
                | SpecialLiteralKind::CarriageReturn
                | SpecialLiteralKind::VerticalTab,
            ) => Ok(()),
            LiteralKind::Octal
            | LiteralKind::HexFixed(HexLiteralKind::UnicodeLong)
            | LiteralKind::HexBrace(HexLiteralKind::X | HexLiteralKind::UnicodeLong)
            | LiteralKind::Special(SpecialLiteralKind::Bell | SpecialLiteralKind::Space) => fault(
                "this escape of a character is not valid in browsers",
                Some(r"write `\u{…}`"),
            ),
        }
    }

    fn assertion(&mut self, kind: &AssertionKind, span: &ast::Span) -> Result<(), Fault> {
        match kind {
            AssertionKind::StartLine | AssertionKind::EndLine => Ok(()),
            AssertionKind::WordBoundary => {
                self.edit(span, r"(?-u:\b)");
                Ok(())
            }
            AssertionKind::StartText => fault(r"`\A` is not valid in browsers", Some("write `^`")),
            AssertionKind::EndText => fault(r"`\z` is not valid in browsers", Some("write `$`")),
            AssertionKind::NotWordBoundary => fault(
                r"`\B` does not mean the same in browsers: there it knows ASCII letters only",
                None,
            ),
            AssertionKind::WordBoundaryStart
            | AssertionKind::WordBoundaryEnd
            | AssertionKind::WordBoundaryStartAngle
            | AssertionKind::WordBoundaryEndAngle
            | AssertionKind::WordBoundaryStartHalf
            | AssertionKind::WordBoundaryEndHalf => fault(
                "this word boundary is not valid in browsers",
                Some(r"write `\b`"),
            ),
        }
    }

    fn perl_class(&mut self, class: &ClassPerl) {
        // White space of ECMA-262: WhiteSpace and LineTerminator.
        self.edit(
            &class.span,
            match (&class.kind, class.negated) {
                (ClassPerlKind::Digit, false) => "[0-9]",
                (ClassPerlKind::Digit, true) => "[^0-9]",
                (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
                (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
                (ClassPerlKind::Space, false) => r"[\t-\r\uFEFF\p{Zs}\u2028\u2029]",
                (ClassPerlKind::Space, true) => r"[^\t-\r\uFEFF\p{Zs}\u2028\u2029]",
            },
        );
    }

    fn repetition(&self, repetition: &ast::Repetition) -> Result<(), Fault> {
        if matches!(*repetition.ast, Ast::Repetition(_)) {
            return fault(
                "a repetition of a repetition is not valid in browsers",
                Some("put the inner one into `(?:…)`"),
            );
        }
        if matches!(*repetition.ast, Ast::Assertion(_) | Ast::Empty(_)) {
            return fault("there is nothing to repeat", None);
        }
        let operator = &self.text[repetition.op.span.start.offset..repetition.op.span.end.offset];
        match operator.contains(char::is_whitespace) {
            true => fault("`{…}` cannot have spaces", None),
            false => Ok(()),
        }
    }
}

fn inline_flags() -> Result<(), Fault> {
    fault(
        "inline flags such as `(?i)` are not valid in browsers",
        Some("write both letters, such as `[aA]`"),
    )
}

/// General categories by their short name, and scripts as `Script=Greek`.
fn unicode_class(class: &ClassUnicode) -> Result<(), Fault> {
    const CATEGORIES: [&str; 37] = [
        "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "LC", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc",
        "Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S",
        "Sc", "Sk", "Sm", "So", "Z", "Zs", "Zl",
    ];
    let portable = match &class.kind {
        ClassUnicodeKind::OneLetter(_) => false,
        ClassUnicodeKind::Named(name) => CATEGORIES.contains(&name.as_str()) || name == "Zp",
        ClassUnicodeKind::NamedValue { op, name, value } => {
            *op == ClassUnicodeOpKind::Equal
                && name == "Script"
                && value.starts_with(|c: char| c.is_ascii_uppercase())
        }
    };
    match portable {
        true => Ok(()),
        false => fault(
            "this name of a Unicode class is not valid in browsers",
            Some(r"write it like `\p{L}`, `\p{Lu}` or `\p{Script=Greek}`"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_take_is_taken() {
        for text in [
            "^[a-z]+$",
            r"^\d{3}-\d{4}$",
            r"a.c",
            r"[\w.-]+@x",
            r"(?<year>\d+)",
            "(?:a|b)*?",
            r"\p{L}\P{Nd}",
            r"\p{Script=Greek}",
            r"\u00e9\x41\u{1F600}",
            r"\/\.\[",
            r"[\-\]^]",
            r"\bword\b",
            r"[^\s\D]",
            "",
            "|",
            "[&~#]",
            r"\t\n\v\f\r",
        ] {
            assert_eq!(parse(text).map(drop), Ok(()), "pattern: {text}");
        }
    }

    #[test]
    fn what_browsers_read_otherwise_is_refused() {
        for (text, message) in [
            ("(?i)a", "inline flags"),
            ("(?i:a)", "inline flags"),
            (r"\Aa", r"`\A`"),
            (r"a\z", r"`\z`"),
            (r"\Ba", r"`\B`"),
            (r"\b{start}a", "word boundary"),
            (r"\<a", "word boundary"),
            ("(?P<a>b)", "(?P<"),
            ("(?<a.b>b)", "group's name"),
            ("a++", "repetition of a repetition"),
            ("^*", "nothing to repeat"),
            ("a{ 2 }", "spaces"),
            ("[a&&b]", "`&&`"),
            ("[a--b]", "`--`"),
            ("[[a]b]", "`[` within"),
            ("[[:alpha:]]", "[:…:]"),
            ("[]a]", "`]` at the start"),
            ("a]", "`]` by itself"),
            ("a}", "`}` by itself"),
            (r"\@", r"`\@`"),
            (r"\-", r"`\-`"),
            (r"\a", "escape"),
            (r"\x{41}", "escape"),
            (r"\pL", "Unicode class"),
            (r"\p{Greek}", "Unicode class"),
            (r"\p{Script=Klingon}", "Unicode does not have"),
            ("(?=a)", "look-around"),
            ("(?<!a)b", "look-around"),
            (r"(a)\1", "back-reference"),
            ("(a", "unclosed"),
            ("a{1000}{1000}", "repetition of a repetition"),
            ("(?:(?:a{1000}){1000}){1000}", "memory"),
        ] {
            let fault = parse(text).expect_err(text);
            assert!(fault.message.contains(message), "{text}: {fault:?}");
        }
        assert!(parse(&"a".repeat(CHARACTERS_MAX + 1)).is_err());
    }

    #[test]
    fn short_forms_mean_what_they_mean_in_browsers() {
        for (pattern, text, expected) in [
            (r"^\d$", "7", true),
            (r"^\d$", "٧", false),
            (r"^\w$", "é", false),
            (r"^[\w-]$", "-", true),
            (r"^\W$", "é", true),
            (r"^\s$", "\u{feff}", true),
            (r"^\S$", "\u{a0}", false),
            (r"^.$", "\r", false),
            (r"^.$", "😀", true),
            (r"a\b", "aé", true),
        ] {
            let found = parse(pattern).expect(pattern).regex.is_match(text);
            assert_eq!(found, expected, "{pattern}: {text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            drop(parse(&text));
        }

        #[test]
        fn no_pattern_is_too_strange(text in r"[\[\]a-c()?*+{}2,|.^$\\dwsbpLxu&~:<>=!-]{0,20}") {
            drop(parse(&text));
        }
    }
}
