//! What can be done about something that is wrong, as data: a command and a field are said by each face in its own way.

use std::borrow::Cow;
use std::fmt::{self, Display};

/// What can be done: words, and the commands and fields among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remedy(Vec<Part>);

/// A piece of a [`Remedy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain words, with the spaces and stops around them.
    Words(Cow<'static, str>),
    /// A command by its words, as `reward cycle`; the fields and values that follow belong to it.
    Command(&'static str),
    /// A field to be given, by its plain name, as `from`.
    Field(&'static str),
    /// The value of the field before it, or else an argument of the command. A word in capitals stands for one.
    Value(String),
}

/// A remedy that begins with words.
pub fn say(words: impl Into<Cow<'static, str>>) -> Remedy {
    Remedy::default().say(words)
}

/// A remedy that begins with a command, by its words.
pub fn run(command: &'static str) -> Remedy {
    Remedy::default().run(command)
}

impl Remedy {
    /// To look at the state, and to take a backup where it is damaged.
    pub fn restore() -> Self {
        say("see all of it: ")
            .run("state check")
            .with("full")
            .say("; then restore the newest backup: ")
            .backup()
    }

    /// Adds the command that restores a backup.
    #[must_use]
    pub fn backup(self) -> Self {
        self.run("state restore").of("FILE")
    }

    /// Adds words.
    #[must_use]
    pub fn say(self, words: impl Into<Cow<'static, str>>) -> Self {
        self.and(Part::Words(words.into()))
    }

    /// Adds a command, by its words.
    #[must_use]
    pub fn run(self, command: &'static str) -> Self {
        self.and(Part::Command(command))
    }

    /// Adds a field, by its plain name: of the command before it, if one is, else of the one that failed.
    #[must_use]
    pub fn with(self, field: &'static str) -> Self {
        self.and(Part::Field(field))
    }

    /// Adds a value, of the field or command before it.
    #[must_use]
    pub fn of(self, value: impl Display) -> Self {
        self.and(Part::Value(value.to_string()))
    }

    /// Adds all of another one.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// All of it in one line, with commands and fields as `command` and `field` say them.
    pub fn line(&self, command: impl Fn(&str) -> String, field: impl Fn(&str) -> String) -> String {
        let mut line = String::new();
        let mut after_words = true;
        for part in &self.0 {
            let (spaced, text) = match part {
                Part::Words(words) => (false, Cow::Borrowed(words.as_ref())),
                Part::Command(words) => (false, command(words).into()),
                Part::Field(name) => (!after_words, field(name).into()),
                Part::Value(value) => (!after_words, Cow::Borrowed(value.as_str())),
            };
            if spaced {
                line.push(' ');
            }
            line.push_str(&text);
            after_words = matches!(part, Part::Words(_));
        }
        line
    }

    /// Its pieces, in their order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    fn and(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

/// Without a face: commands and fields by their plain names.
impl Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(str::to_owned, str::to_owned))
    }
}

impl From<&'static str> for Remedy {
    fn from(words: &'static str) -> Self {
        say(words)
    }
}

impl From<String> for Remedy {
    fn from(words: String) -> Self {
        say(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_fields_are_said_as_the_face_says_them() {
        let remedy = say("wait ")
            .with("wait")
            .of("30s")
            .say("; then ")
            .run("pool rescan")
            .of("main")
            .with("from")
            .of(7);
        assert_eq!(remedy.to_string(), "wait wait 30s; then pool rescan main from 7");
        let route =
            remedy.line(|words| format!("/{}", words.replace(' ', "/")), |field| format!("\"{field}\""));
        assert_eq!(route, "wait \"wait\" 30s; then /pool/rescan main \"from\" 7");
    }
}
