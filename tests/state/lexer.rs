//! As much of Rust's grammar as it takes to find string literals and the calls that they are given to.

/// A token of a source file; comments and white space are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A string literal, unescaped.
    Text(String),
    /// A name or a keyword.
    Word(String),
    /// One character of punctuation.
    Mark(char),
    /// A number, a character or a lifetime.
    Other,
}

/// Takes a file apart. Panics where a string or a comment does not end.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source };
    let mut found = Vec::new();
    while let Some(token) = lexer.next() {
        found.push(token);
    }
    found
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        if let Some(text) = self.raw_string() {
            return Some(Token::Text(text));
        }
        for prefix in ["b\"", "c\"", "\""] {
            if let Some(rest) = self.rest.strip_prefix(prefix) {
                self.rest = rest;
                return Some(Token::Text(self.string()));
            }
        }
        if first == '\'' {
            self.quote();
            return Some(Token::Other);
        }
        if first.is_alphanumeric() || first == '_' {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(if first.is_ascii_digit() { Token::Other } else { Token::Word(word.to_owned()) });
        }
        self.rest = &self.rest[first.len_utf8()..];
        Some(Token::Mark(first))
    }

    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("/*") {
                self.block_comment();
            } else {
                return;
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if let Some(rest) = self.rest.strip_prefix("/*") {
                (depth, self.rest) = (depth + 1, rest);
            } else if let Some(rest) = self.rest.strip_prefix("*/") {
                (depth, self.rest) = (depth - 1, rest);
                if depth == 0 {
                    return;
                }
            } else {
                let mut chars = self.rest.chars();
                chars.next().expect("the end of a comment");
                self.rest = chars.as_str();
            }
        }
    }

    fn raw_string(&mut self) -> Option<String> {
        let rest = self.rest.strip_prefix("br").or_else(|| self.rest.strip_prefix('r'))?;
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let body = rest[hashes..].strip_prefix('"')?;
        let (text, rest) = body.split_once(&format!("\"{}", "#".repeat(hashes))).expect("the end of a text");
        let text = text.to_owned();
        self.rest = rest;
        Some(text)
    }

    fn string(&mut self) -> String {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next().expect("the end of a text") {
                '"' => break,
                '\\' => match chars.next().expect("an escape") {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '0' => text.push('\0'),
                    '\n' => chars = chars.as_str().trim_start().chars(),
                    'u' | 'x' => text.push('?'),
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        self.rest = chars.as_str();
        text
    }

    /// A character, or a lifetime.
    fn quote(&mut self) {
        let rest = &self.rest[1..];
        let mut chars = rest.chars();
        let first = chars.next().expect("something after a quote");
        let second = chars.next();
        let end = if first == '\\' {
            let from = 2;
            from + rest[from..].find('\'').expect("the end of a character") + 1
        } else if second == Some('\'') {
            first.len_utf8() + 1
        } else {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        };
        self.rest = &rest[end..];
    }
}

#[test]
fn texts_are_found_and_nothing_else() {
    let source = r##"
        // "no" /* "no"
        /* "no" /* "nor" */ "this" */
        fn f<'a>(c: &'a str) -> char { let q = '"'; let n = '\''; let u = '\u{1f}'; g("a \"b\" \
            c", r#"d "e" f"#, b"g"); 'x' }
    "##;
    let texts: Vec<_> = tokens(source)
        .into_iter()
        .filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None })
        .collect();
    assert_eq!(texts, ["a \"b\" c", "d \"e\" f", "g"]);
}
