//! JSON for dumps: objects, written from the front to the back.

use std::fmt::Write;

/// An object being written.
pub(crate) struct Object {
    text: String,
    is_empty: bool,
}

/// What a field may hold.
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(u64),
    Text(&'a str),
    /// Text that is JSON already.
    Raw(String),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        Self::Bool(is_so)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<Object> for Value<'_> {
    fn from(object: Object) -> Self {
        Self::Raw(object.finish())
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Object {
    pub(crate) fn new() -> Self {
        Self {
            text: String::from("{"),
            is_empty: true,
        }
    }

    /// Adds a field. Names come from this crate, and need no escapes.
    pub(crate) fn field<'a>(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        match value.into() {
            Value::Null => self.text.push_str("null"),
            Value::Bool(is_so) => self.text.push_str(if is_so { "true" } else { "false" }),
            Value::Number(number) => self.text.push_str(&number.to_string()),
            Value::Text(text) => write_text(&mut self.text, text),
            Value::Raw(json) => self.text.push_str(&json),
        }
        self
    }

    /// Adds a field that holds a list of objects.
    pub(crate) fn list(self, name: &str, objects: impl Iterator<Item = Object>) -> Self {
        let objects: Vec<_> = objects.map(Object::finish).collect();
        self.field(name, Value::Raw(format!("[{}]", objects.join(","))))
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// Writes a string with its quotes; see RFC 8259, section 7.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Separators of lines to JavaScript, and to terminals.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                // All of them are in the basic plane.
                _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
