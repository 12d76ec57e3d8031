//! Lists as CSV (RFC 4180, with newlines as on Unix): a line a row, named by the fields of its JSON.

use base::redact::plain;
use base::{Code, Error, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

/// The heads, then the rows. The heads come from the type, so they are the same for no row at all; a field within another
/// is `outer.inner`.
pub fn text<T: Serialize + JsonSchema>(rows: &[T]) -> Result<String> {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    let mut columns = Vec::new();
    gather(&schema, &schema, &[], &mut columns);
    let mut text = String::new();
    line(&mut text, columns.iter().map(|column| column.join(".")));
    for row in rows {
        let row = serde_json::to_value(row)
            .map_err(|e| Error::new(Code::Bug, format!("a row cannot be written as JSON: {e}")))?;
        line(&mut text, columns.iter().map(|column| cell(&row, column)));
    }
    Ok(text)
}

/// The fields below a part of a schema, in their order.
fn gather(root: &Value, part: &Value, above: &[String], columns: &mut Vec<Vec<String>>) {
    match resolved(root, part).get("properties").and_then(Value::as_object) {
        Some(fields) => {
            for (name, field) in fields {
                gather(root, field, &[above, std::slice::from_ref(name)].concat(), columns);
            }
        }
        None => columns.push(above.to_vec()),
    }
}

/// A part of a schema without what refers to it, and without the null that it may be instead.
fn resolved<'s>(root: &'s Value, part: &'s Value) -> &'s Value {
    let named =
        part.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
    if let Some(named) = named {
        return resolved(root, named);
    }
    let is_null = |part: &&Value| part.get("type").and_then(Value::as_str) != Some("null");
    let some: Option<Vec<&Value>> =
        part.get("anyOf").and_then(Value::as_array).map(|parts| parts.iter().filter(is_null).collect());
    match some.as_deref() {
        Some([one]) => resolved(root, one),
        _ => part,
    }
}

fn cell(row: &Value, column: &[String]) -> String {
    let found = column.iter().try_fold(row, |value, name| value.get(name));
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        // Names come from chains: no cell steers a terminal or ends its line.
        let cell = plain(&cell);
        if cell.contains(['"', ',']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::amount::{Base, Quantity};
    use serde_json::json;

    #[derive(Serialize, JsonSchema)]
    struct Inner {
        height: u64,
        by: Option<String>,
    }

    #[derive(Serialize, JsonSchema)]
    struct Row {
        name: String,
        amount: Quantity,
        at: Option<Inner>,
        #[serde(flatten)]
        always: Inner,
        open: bool,
        facts: Value,
        #[serde(skip)]
        #[expect(dead_code, reason = "what is not in the JSON is not in the CSV")]
        hidden: u8,
    }

    fn row(name: &str, at: Option<Inner>) -> Row {
        let amount = Quantity::new(Base::from(1_234_500_000_u64), 6, "USD");
        let always = Inner { height: 7, by: None };
        Row {
            name: name.to_owned(),
            amount,
            at,
            always,
            open: true,
            facts: json!({"a": [1, "x"]}),
            hidden: 0,
        }
    }

    const HEADS: &str = "name,amount,at.height,at.by,height,by,open,facts\n";

    #[test]
    fn heads_are_the_fields_whatever_the_rows_hold() {
        assert_eq!(text::<Row>(&[]).unwrap(), HEADS);
        let rows = [row("main", None), row("b", Some(Inner { height: 3, by: Some("x".to_owned()) }))];
        let want = format!(
            "{HEADS}main,1234.500000,,,7,,true,\"{{\"\"a\"\":[1,\"\"x\"\"]}}\"\n\
             b,1234.500000,3,x,7,,true,\"{{\"\"a\"\":[1,\"\"x\"\"]}}\"\n"
        );
        assert_eq!(text(&rows).unwrap(), want);
    }

    #[test]
    fn what_would_end_a_cell_is_quoted_and_nothing_ends_a_line() {
        for (name, want) in [
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "two lines"),
            ("\u{1b}[2J", "\u{fffd}[2J"),
            ("-1", "-1"),
            ("", ""),
        ] {
            let text = text(&[row(name, None)]).unwrap();
            assert!(text.starts_with(&format!("{HEADS}{want},1234.500000,")), "{name:?}: {text}");
            assert_eq!(text.lines().count(), 2, "{name:?}");
        }
    }
}
