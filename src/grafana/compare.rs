//! The places where two JSON documents differ. As in Grafana, keys have no order and numbers compare by value. Pure.

use serde_json::Value;

/// Maximum number of places that are named; the rest is only counted.
const NAMED: usize = 3;

/// The places where `found` differs from `wanted`, such as `panels[2].title`, in the order of the document.
pub(super) fn differing(wanted: &Value, found: &Value) -> Vec<String> {
    let mut places = Vec::new();
    compare(wanted, found, Added::Differ, String::new(), &mut places);
    places
}

/// The same without the keys that only `found` has, since Grafana may have added them.
pub(super) fn changed(wanted: &Value, found: &Value) -> Vec<String> {
    let mut places = Vec::new();
    compare(wanted, found, Added::Pass, String::new(), &mut places);
    places
}

/// How to treat a key that only the found document has.
#[derive(Clone, Copy, PartialEq)]
enum Added {
    Differ,
    Pass,
}

/// ``differs in `refresh`, `panels[2].title` and 4 more places``; `None` without such a place.
pub(super) fn described(places: &[String]) -> Option<String> {
    let quoted: Vec<String> = places.iter().take(NAMED).map(|place| format!("`{place}`")).collect();
    let rest = places.len().saturating_sub(NAMED);
    match (quoted.is_empty(), rest) {
        (true, _) => None,
        (false, 0) => Some(format!("differs in {}", quoted.join(", "))),
        (false, 1) => Some(format!("differs in {} and 1 more place", quoted.join(", "))),
        (false, _) => Some(format!("differs in {} and {rest} more places", quoted.join(", "))),
    }
}

fn compare(wanted: &Value, found: &Value, added: Added, at: String, places: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let only_theirs = theirs.keys().filter(|key| added == Added::Differ && !ours.contains_key(*key));
            for key in ours.keys().chain(only_theirs) {
                let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                match (ours.get(key), theirs.get(key)) {
                    (Some(ours), Some(theirs)) => compare(ours, theirs, added, below, places),
                    _ => places.push(below),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(ours, theirs, added, format!("{at}[{index}]"), places);
            }
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.as_f64() == theirs.as_f64() => {}
        _ if wanted == found => {}
        _ => places.push(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_and_the_notation_of_numbers_make_no_difference() {
        let ours = json!({"a": 1, "b": {"c": [1.0, 1000, null]}});
        let theirs = json!({"b": {"c": [1, 1e3, null]}, "a": 1.0});
        assert!(differing(&ours, &theirs).is_empty());
    }

    #[test]
    fn places_are_named_whether_changed_added_or_missing() {
        let ours = json!({"title": "A", "panels": [{"id": 1}, {"id": 2, "w": 3}], "list": [1]});
        let theirs =
            json!({"title": "B", "panels": [{"id": 1, "x": 0}, {"id": 2}], "list": [1, 2], "new": null});
        assert_eq!(differing(&ours, &theirs), ["title", "panels[0].x", "panels[1].w", "list", "new"]);
        assert_eq!(changed(&ours, &theirs), ["title", "panels[1].w", "list"]);
    }

    #[test]
    fn a_long_list_of_places_is_counted() {
        let places: Vec<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(described(&places).unwrap(), "differs in `a`, `b`, `c` and 2 more places");
        assert_eq!(described(&places[..4]).unwrap(), "differs in `a`, `b`, `c` and 1 more place");
        assert_eq!(described(&places[..1]).unwrap(), "differs in `a`");
        assert_eq!(described(&[]), None);
    }
}
