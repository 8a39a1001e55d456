//! The possible results of a template, where they are known.

use std::collections::BTreeSet;

use super::tokens::{TokenKind, tokens};

/// The possible results of a template: `{{ if … }}critical{{ else }}warning{{ end }}` has two. None if it shows a
/// value, which can be anything.
pub(in crate::spec) fn words(template: &str) -> Option<BTreeSet<String>> {
    let tokens = tokens(template).ok()?;
    let mut found = BTreeSet::new();
    let mut behind = 0;
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Open) {
        let text = template.get(behind..token.at)?.trim();
        found.extend((!text.is_empty()).then(|| text.to_owned()));
        let action: Vec<_> =
            tokens[index + 1..].iter().take_while(|it| it.kind != TokenKind::Close).collect();
        let close = tokens.get(index + 1 + action.len())?;
        behind = close.at + close.text.len();
        let words_only: Vec<_> = action.iter().filter(|it| it.kind != TokenKind::Space).collect();
        match words_only.as_slice() {
            [] => {}
            [text] if text.kind == TokenKind::Text => {
                found.insert(text.text.trim_matches(['"', '`']).to_owned());
            }
            [first, ..] if first.kind == TokenKind::Comment || is_control(first.text) => {}
            [first, second, ..] if first.kind == TokenKind::Variable && second.kind == TokenKind::Declare => {
            }
            _ => return None,
        }
    }
    let rest = template.get(behind..)?.trim();
    found.extend((!rest.is_empty()).then(|| rest.to_owned()));
    Some(found)
}

fn is_control(word: &str) -> bool {
    matches!(word, "if" | "else" | "end" | "with" | "range")
}
