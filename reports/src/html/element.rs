//! The few elements that the page is made of; the only place where text becomes HTML.

/// Names longer than this are broken over lines.
const LONG_CHARS: usize = 32;

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    Text(&'a str),
    Number(&'a str),
}

/// One row; cells are HTML already.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub id: Option<String>,
    pub class: &'static str,
    pub cells: Vec<String>,
}

impl Row {
    /// A row of plain texts.
    pub fn of<const N: usize>(cells: [String; N]) -> Self {
        Self { id: None, class: "", cells: cells.into_iter().map(|c| escape(&c)).collect() }
    }

    pub fn with_id(mut self, id: String) -> Self {
        self.id = Some(id);
        self
    }

    pub fn with_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// Text as HTML shows it, in elements and in quoted attributes. Control characters become blanks.
/// `%` stays on the line of its number.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            ' ' if characters.peek() == Some(&'%') => out.push('\u{a0}'),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// An id or fragment made of a name: letters, digits and `-` stay, all else becomes its code in hex, so
/// that two names never share an id.
pub fn id(kind: &str, name: &str) -> String {
    let mut out = format!("{kind}-");
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '-' {
            out.push(c);
        } else {
            out.push_str(&format!("_{:x}", u32::from(c)));
        }
    }
    out
}

pub fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// A table in a container that scrolls by itself; nothing without rows.
pub fn table(caption: &str, columns: &[Column], rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    // Columns that no row fills are left out.
    let filled: Vec<bool> = (0..columns.len())
        .map(|i| rows.iter().any(|r| r.cells.get(i).is_some_and(|c| !c.is_empty())))
        .collect();
    let mut out = String::from("<div class=\"scroll\" tabindex=\"0\"><table>\n");
    if !caption.is_empty() {
        out.push_str(&format!("<caption>{}</caption>\n", escape(caption)));
    }
    out.push_str("<thead><tr>");
    for (column, _) in columns.iter().zip(&filled).filter(|(_, filled)| **filled) {
        let (class, heading) = match column {
            Column::Text(heading) => ("", heading),
            Column::Number(heading) => (" class=\"n\"", heading),
        };
        out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(heading)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str(&table_row(row, columns, &filled));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn table_row(row: &Row, columns: &[Column], filled: &[bool]) -> String {
    let id = row.id.as_ref().map(|id| format!(" id=\"{}\"", escape(id))).unwrap_or_default();
    let class = if row.class.is_empty() { String::new() } else { format!(" class=\"{}\"", row.class) };
    let mut out = format!("<tr{id}{class}>");
    for (i, ((cell, column), _)) in
        row.cells.iter().zip(columns).zip(filled).filter(|(_, filled)| **filled).enumerate()
    {
        let class = match column {
            Column::Number(_) => " class=\"n\"",
            Column::Text(_) if i == 0 && cell.len() > LONG_CHARS => " class=\"long\"",
            Column::Text(_) => "",
        };
        let (tag, scope) = if i == 0 { ("th", " scope=\"row\"") } else { ("td", "") };
        out.push_str(&format!("<{tag}{scope}{class}>{cell}</{tag}>"));
    }
    out.push_str("</tr>\n");
    out
}

/// Something that opens on demand.
pub fn details(summary: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("<details><summary>{}</summary>\n{body}</details>\n", escape(summary))
}

pub fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|i| format!("<li>{}</li>\n", escape(i))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// Names (plain) with values (HTML).
pub fn definitions(pairs: &[(String, String)]) -> String {
    let pairs: String =
        pairs.iter().map(|(k, v)| format!("<div><dt>{}</dt><dd>{v}</dd></div>\n", escape(k))).collect();
    format!("<dl>\n{pairs}</dl>\n")
}

/// `✓` or `✗` that a screen reader says in words.
pub fn mark(holds: bool) -> &'static str {
    if holds {
        "<span class=\"good\" role=\"img\" aria-label=\"holds\">✓</span>"
    } else {
        "<span class=\"bad\" role=\"img\" aria-label=\"breached\">✗</span>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        assert_eq!(escape("<b a=\"1\" c='2'>&\u{7}"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp; ");
        assert_eq!(id("tier", "a b<"), "tier-a_20b_3c");
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        assert_eq!(table("x", &[Column::Text("a")], &[]), "");
        assert_eq!(details("x", ""), "");
        assert_eq!(list(&[]), "");
    }
}
