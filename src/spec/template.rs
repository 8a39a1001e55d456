//! Whether a text is a Go template that Prometheus can read: as far as brackets and blocks tell. Which labels it names,
//! `verify/check` asks a live Prometheus.

/// What is wrong with a template, if anything is.
pub(crate) fn fault(template: &str) -> Option<String> {
    let mut rest = template;
    let mut open: Vec<String> = Vec::new();
    while let Some((_, after)) = rest.split_once("{{") {
        let Some(end) = end_of(after) else {
            return Some(format!("the template `{{{{{}` has no `}}}}`", shortened(after)));
        };
        let action = after[..end].trim_matches(['-', ' ', '\t', '\n']);
        if action.is_empty() {
            return Some("the template `{{ }}` says nothing".to_owned());
        }
        match action.split_whitespace().next().unwrap_or_default() {
            word @ ("if" | "range" | "with" | "define" | "block") => open.push(word.to_owned()),
            "end" if open.pop().is_none() => {
                return Some("the template has an `{{ end }}` of nothing".to_owned());
            }
            _ => {}
        }
        rest = &after[end + 2..];
    }
    open.pop().map(|word| format!("the template's `{{{{ {word} }}}}` has no `{{{{ end }}}}`"))
}

/// Where an action ends: at the `}}` that stands in no text and no comment.
fn end_of(action: &str) -> Option<usize> {
    if let Some(comment) = action.trim_start_matches(['-', ' ']).strip_prefix("/*") {
        let behind = action.len() - comment.len();
        let close = behind + comment.find("*/")?;
        return Some(close + action[close..].find("}}")?);
    }
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in action.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(mark) if c == '\\' && mark != '`' => escaped = true,
            Some(mark) if c == mark => quote = None,
            None if action[at..].starts_with("}}") => return Some(at),
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            _ => {}
        }
    }
    None
}

/// The first letters of what may be long.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(30).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_templates_have_no_fault() {
        for template in [
            "",
            "plain } text",
            "{{ $labels.queue }} {{- printf \"%.1f}}\" $value -}}",
            "{{ if gt $value 5.0 }}a{{ else }}b{{ end }}",
            "{{ range query `up{job=\"x\"}` }}{{ .Value }}{{ end }}",
            "{{/* a comment */}}",
            "{{ \"\\\"}}\" }}",
        ] {
            assert_eq!(fault(template), None, "{template}");
        }
    }

    #[test]
    fn broken_templates_are_told_apart() {
        for (template, words) in [
            ("it is {{ $value", "`{{ $value` has no `}}`"),
            ("{{ $labels.a } x", "has no `}}`"),
            ("{{ \"a }}", "has no `}}`"),
            ("{{ }}", "says nothing"),
            ("{{ if $value }}a", "`{{ if }}` has no `{{ end }}`"),
            ("a{{ end }}", "an `{{ end }}` of nothing"),
        ] {
            let said = fault(template).unwrap_or_else(|| panic!("{template}"));
            assert!(said.contains(words), "{template}: {said}");
        }
    }
}
