//! Checks the rooms (modules) of `docs/architecture.md`: their imports from each other, the crates that they use, and
//! their access to the outside world. Reads whole files; code that is compiled only for tests is exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that every room may use: errors, events, names, secrets, small helpers.
const FOUNDATION: [&str; 10] =
    ["bounded", "cancel", "digest", "duration", "error", "event", "host", "own_files", "retry", "secret"];

/// Each room and the rooms that it may import from. An unused permission is an error, too.
const ROOMS: [(&str, &[&str]); 22] = [
    ("integrations", &[]),
    ("promql", &[]),
    ("spec", &["integrations", "promql"]),
    ("init", &["spec"]),
    ("report", &[]),
    ("render", &["integrations", "spec"]),
    ("playbook", &["integrations", "spec"]),
    ("project", &["spec", "playbook"]),
    ("http", &[]),
    ("grafana", &["promql", "spec", "http"]),
    ("remote", &["playbook"]),
    ("plan", &["spec", "playbook"]),
    ("provider", &["spec", "playbook", "plan", "remote", "http"]),
    ("apply", &["spec", "playbook", "plan", "provider", "remote", "http"]),
    ("timing", &["promql", "spec", "render"]),
    ("completion", &["spec", "render"]),
    ("cli", &["spec", "timing", "completion"]),
    ("lint", &["promql", "spec", "render", "http", "timing"]),
    ("explain", &["promql", "spec", "render", "timing", "lint"]),
    ("drill", &["promql", "spec", "http", "remote", "timing"]),
    ("verify", &["promql", "spec", "http", "remote", "timing", "drill"]),
    (
        "commands",
        &[
            "promql", "spec", "init", "render", "playbook", "project", "plan", "provider", "remote", "http",
            "grafana", "apply", "timing", "lint", "explain", "drill", "verify", "report", "cli",
        ],
    ),
];

/// Crates with an external effect or a language of their own, and the rooms that use them.
const HOMES: [(&str, &[&str]); 12] = [
    ("reqwest", &["http"]),
    ("axum", &["http"]),
    ("openssh", &["remote"]),
    ("indicatif", &["report"]),
    ("aws_", &["provider"]),
    ("rustix::mount", &["provider"]),
    ("promql_parser", &["promql"]),
    ("tera", &["render", "report"]),
    ("toml", &["project"]),
    ("include_dir", &["integrations", "render"]),
    ("tar", &["playbook"]),
    ("flate2", &["playbook", "commands"]),
];

/// Rooms that only compute, and what they therefore never use.
const PURE: [&str; 5] = ["promql", "playbook", "plan", "timing", "explain"];
const WORLD: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    ".await",
    "tokio::",
];

/// Rooms whose `mod.rs` defines items that the files below it import.
const MOD_FILES_WITH_ITEMS: [&str; 3] = ["explain", "http", "plan"];

type Module = Vec<String>;

/// A source file below `src`: its path, its module, and its text without comments and tests.
struct Source {
    path: PathBuf,
    module: Module,
    code: String,
}

impl Source {
    fn new(path: &Path, text: &str) -> Self {
        let mut module: Module =
            path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        Self { path: path.to_owned(), module, code: without_tests(text) }
    }

    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// The modules that it imports from, each with the item; `modules` are all existing modules.
    fn imports(&self, modules: &BTreeSet<Module>) -> Vec<(Module, String)> {
        let absolute = |path: Module| -> Option<(Module, String)> {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = match path[0].as_str() {
                "crate" => Module::new(),
                _ => self.module[..self.module.len().checked_sub(ups)?].to_vec(),
            };
            let full: Module = base.into_iter().chain(path[ups.max(1)..].iter().cloned()).collect();
            let depth = (0..=full.len()).rev().find(|&depth| modules.contains(&full[..depth]))?;
            Some((full[..depth].to_vec(), full.get(depth).cloned().unwrap_or_default()))
        };
        paths(&self.code)
            .into_iter()
            .filter_map(absolute)
            .filter(|(module, _)| *module != self.module)
            .collect()
    }
}

/// The lines of a file that are neither comments nor compiled only for tests. Requires formatted code: an item ends
/// with a brace under its first letter.
fn without_tests(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let mut item = lines.next().unwrap_or_default();
            while item.trim_start().starts_with("#[") {
                item = lines.next().unwrap_or_default();
            }
            if item.ends_with('{') {
                let indentation = &item[..item.len() - item.trim_start().len()];
                let end = format!("{indentation}}}");
                lines.by_ref().find(|line| *line == end);
            }
        } else if !line.trim_start().starts_with("//") {
            code.push(line);
        }
    }
    code.join("\n")
}

/// The modules of a folder that are compiled only for tests.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().zip(text.lines().skip(1));
    lines
        .filter(|(attribute, _)| attribute.trim() == "#[cfg(test)]")
        .filter_map(|(_, item)| item.trim().strip_prefix("mod ")?.strip_suffix(';'))
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut of_tests = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let source = Source::new(path.strip_prefix(&root).unwrap(), &text);
                let below = |name: &str| [source.module.clone(), vec![name.to_owned()]].concat();
                of_tests.extend(test_modules(&text).map(below));
                found.push(source);
            }
        }
    }
    let is_of_tests = |source: &Source| of_tests.iter().any(|module| source.module.starts_with(module));
    found.retain(|source| !is_of_tests(source));
    assert!(found.len() > 200, "the sources are missing");
    found
}

fn modules(sources: &[Source]) -> BTreeSet<Module> {
    sources.iter().map(|source| source.module.clone()).collect()
}

/// All paths in the code that begin at the crate or at a parent module, including those in braces.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|word| rest.find(word)).min() {
        let is_word = rest[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric() && before != ':' && before != '_');
        let begin = &rest[at..];
        let length = if is_word { tree(begin, &Module::new(), &mut found) } else { "crate::".len() };
        rest = &begin[length.max("crate::".len())..];
    }
    found
}

/// Reads one path or one tree of paths; returns how long it is.
fn tree(text: &str, above: &[String], found: &mut Vec<Module>) -> usize {
    let blank = |at: usize| text[at..].len() - text[at..].trim_start().len();
    let mut path = above.to_vec();
    let mut at = blank(0);
    loop {
        if text[at..].starts_with('{') {
            return at + branches(&text[at..], &path, found);
        }
        let word = &text[at..];
        let word = &word[..word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len())];
        at += word.len();
        if !word.is_empty() && word != "self" {
            path.push(word.to_owned());
        }
        if !text[at..].starts_with("::") {
            break;
        }
        at += "::".len();
    }
    found.push(path);
    at
}

/// Reads `{…}`; returns how long it is.
fn branches(text: &str, above: &[String], found: &mut Vec<Module>) -> usize {
    let mut at = 1;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        match text[at..].chars().next() {
            None => return at,
            Some('}') => return at + 1,
            Some(',') => at += 1,
            // `Item as Name`
            Some('a') if text[at..].starts_with("as ") => at += text[at..].find([',', '}']).unwrap_or(2),
            Some(_) => at += tree(&text[at..], above, found).max(1),
        }
    }
}

/// The imports that the rooms do not allow, and the unused permissions.
fn faults(sources: &[Source], rooms: &[(&str, &[&str])]) -> Vec<String> {
    let modules = modules(sources);
    let mut faults = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources {
        let Some((_, allowed)) = rooms.iter().find(|(room, _)| *room == source.room()) else { continue };
        for (module, _) in source.imports(&modules) {
            let Some(import) = module.first().filter(|import| *import != source.room()) else { continue };
            used.insert((source.room().to_owned(), import.clone()));
            if !FOUNDATION.contains(&&**import) && !allowed.contains(&&**import) {
                faults.push(format!(
                    "{} imports from `{import}`, which its room may not do",
                    source.path.display()
                ));
            }
        }
    }
    for (room, allowed) in rooms {
        let unused =
            allowed.iter().filter(|import| !used.contains(&((*room).to_owned(), (**import).to_owned())));
        faults.extend(unused.map(|import| format!("`{room}` may import from `{import}` but does not")));
    }
    faults
}

/// The modules that import each other in a loop, and those between two loops. Imports from child modules do not count:
/// a module consists of them.
fn looped(sources: &[Source]) -> Vec<Module> {
    let modules = modules(sources);
    let mut imports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for source in sources {
        let above = source.imports(&modules).into_iter().map(|(module, _)| module);
        let above = above.filter(|module| !module.starts_with(&source.module));
        imports.entry(source.module.clone()).or_default().extend(above);
    }
    // A module without imports from, or importers among, the remaining ones is not in a loop.
    loop {
        let left: BTreeSet<Module> = imports.keys().cloned().collect();
        for found in imports.values_mut() {
            found.retain(|module| left.contains(module));
        }
        let imported: BTreeSet<Module> = imports.values().flatten().cloned().collect();
        imports.retain(|module, found| !found.is_empty() && imported.contains(module));
        if imports.len() == left.len() {
            break;
        }
    }
    imports.into_keys().collect()
}

/// The names of the types that a file exports.
fn types(code: &str) -> impl Iterator<Item = &str> {
    code.lines().filter_map(|line| {
        let line = line.trim_start().strip_prefix("pub")?;
        let item = match line.strip_prefix('(') {
            Some(shown_to) => shown_to.split_once(") ")?.1,
            None => line.strip_prefix(' ')?,
        };
        let (keyword, name) = item.split_once(' ')?;
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
        ["struct", "enum", "union", "trait", "type"].contains(&keyword).then(|| &name[..end])
    })
}

/// The names that are used for several types.
fn ambiguous(sources: &[Source]) -> Vec<String> {
    let mut homes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in sources {
        for name in types(&source.code) {
            homes.entry(name).or_default().push(source.path.display().to_string());
        }
    }
    homes.retain(|_, paths| paths.len() > 1);
    homes.into_iter().map(|(name, paths)| format!("`{name}` is defined in {}", paths.join(", "))).collect()
}

fn example(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source::new(Path::new(path), text)).collect()
}

#[test]
fn paths_are_read_in_all_their_forms() {
    let code = "use crate::a::b;\nuse crate::{c, d::{e, f as g}, h};\nuse super::super::i::{self, J};\nlet x = crate::k::l(); mycrate::m";
    let joined: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        joined,
        [
            "crate::a::b",
            "crate::c",
            "crate::d::e",
            "crate::d::f",
            "crate::h",
            "super::super::i",
            "super::super::i::J",
            "crate::k::l"
        ]
    );
}

#[test]
fn only_code_that_is_compiled_only_for_tests_is_left_out() {
    let text = "#[cfg(test)]\nmod tests;\nuse crate::a;\n#[cfg(test)]\n#[path = \"x\"]\nmod more {\n    use crate::b;\n}\n// crate::c\nuse crate::d;";
    assert_eq!(without_tests(text), "use crate::a;\nuse crate::d;");
    assert_eq!(test_modules(text).collect::<Vec<_>>(), ["tests"]);
}

#[test]
fn a_forbidden_import_and_an_unused_permission_are_found() {
    let rooms: [(&str, &[&str]); 2] = [("low", &[]), ("high", &["low"])];
    let files =
        example(&[("low/mod.rs", "use crate::high::Item;"), ("high/mod.rs", "use crate::error::Error;")]);
    assert_eq!(
        faults(&files, &rooms),
        [
            "low/mod.rs imports from `high`, which its room may not do",
            "`high` may import from `low` but does not"
        ]
    );
}

#[test]
fn an_import_loop_is_found_and_imports_from_child_modules_do_not_count() {
    let files =
        [("a/mod.rs", "mod b;\nuse b::B;"), ("a/b.rs", "use super::c::C;"), ("a/c.rs", "use super::d::D;")];
    assert!(looped(&example(&[&files[..], &[("a/d.rs", "")]].concat())).is_empty());
    let closed = looped(&example(&[&files[..], &[("a/d.rs", "use crate::a::b::B;")]].concat()));
    let names: Vec<String> = closed.iter().map(|module| module.join("::")).collect();
    assert_eq!(names, ["a::b", "a::c", "a::d"]);
}

#[test]
fn rooms_import_only_what_they_may_and_no_permission_is_unused() {
    let faults = faults(&sources(), &ROOMS);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let names: Vec<String> = looped(&sources()).iter().map(|module| module.join("::")).collect();
    assert!(names.is_empty(), "among these is a loop: {}", names.join(", "));
}

#[test]
fn exported_types_with_the_same_name_are_found_and_private_ones_are_not() {
    let files = example(&[
        ("a.rs", "pub struct Rule<'a>(&'a str);\nstruct Own;\npub fn rule() -> Rule {}"),
        ("b.rs", "pub(super) enum Rule {\n}\nstruct Own;\npub type Rules = Vec<Rule>;"),
        (
            "c.rs",
            "pub(in crate::room) trait Rules: Sized {\n}\n#[cfg(test)]\nmod tests {\n    pub struct Rule;\n}",
        ),
    ]);
    assert_eq!(ambiguous(&files), ["`Rule` is defined in a.rs, b.rs", "`Rules` is defined in b.rs, c.rs"]);
}

#[test]
fn every_exported_type_has_a_unique_name() {
    let ambiguous = ambiguous(&sources());
    assert!(ambiguous.is_empty(), "{}", ambiguous.join("\n"));
}

#[test]
fn files_of_a_room_do_not_import_through_its_mod_file() {
    let sources = sources();
    let modules = modules(&sources);
    let mut met = BTreeSet::new();
    for source in sources.iter().filter(|source| source.module.len() > 1) {
        for (module, item) in source.imports(&modules) {
            if module == source.module[..1] && !item.is_empty() {
                met.insert(source.room().to_owned());
                let is_allowed = MOD_FILES_WITH_ITEMS.contains(&source.room());
                assert!(
                    is_allowed,
                    "{} imports `{item}` through the `mod.rs` of its room",
                    source.path.display()
                );
            }
        }
    }
    assert_eq!(
        met.iter().map(String::as_str).collect::<Vec<_>>(),
        MOD_FILES_WITH_ITEMS,
        "an exception is unused"
    );
}

#[test]
fn every_room_is_known() {
    for source in sources() {
        let room = source.room();
        let known =
            room.is_empty() || FOUNDATION.contains(&room) || ROOMS.iter().any(|(name, _)| *name == room);
        assert!(known, "{} is in a room that tests/it/architecture.rs does not list", source.path.display());
    }
}

/// Whether code uses a crate, or one of several with the prefix `aws_`.
fn names(code: &str, name: &str) -> bool {
    let is_path = |(at, _): (usize, &str)| {
        let before = code[..at].chars().next_back();
        let rest = code[at + name.len()..]
            .trim_start_matches(|c: char| name.ends_with('_') && (c.is_alphanumeric() || c == '_'));
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
            && (rest.starts_with("::") || rest.starts_with('!'))
    };
    code.match_indices(name).any(is_path)
}

#[test]
fn each_crate_is_used_only_in_its_homes() {
    assert!(
        names("use tar::Builder;", "tar") && names("aws_config::load()", "aws_") && !names("start::x", "tar")
    );
    let sources = sources();
    for (name, homes) in HOMES {
        let users = sources.iter().filter(|source| names(&source.code, name));
        let rooms: BTreeSet<&str> = users.map(Source::room).collect();
        assert_eq!(rooms, homes.iter().copied().collect(), "the rooms that use `{name}`");
    }
}

#[test]
fn pure_rooms_do_not_access_the_outside_world() {
    for source in sources().into_iter().filter(|source| PURE.contains(&source.room())) {
        for word in WORLD {
            assert!(!source.code.contains(word), "{} uses `{word}`", source.path.display());
        }
    }
}

#[test]
fn every_module_has_a_module_comment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for source in sources() {
        let text = fs::read_to_string(root.join(&source.path)).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with `//!`", source.path.display());
    }
}

#[test]
fn the_architecture_page_lists_every_room_with_its_imports() {
    let page = include_str!("../../docs/architecture.md");
    for (room, imports) in ROOMS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md has no row for `{room}`"));
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let written: BTreeSet<&str> = cell.split(", ").map(|name| name.trim_matches('`')).collect();
        let expected: BTreeSet<&str> =
            if imports.is_empty() { ["–"].into() } else { imports.iter().copied().collect() };
        assert_eq!(written, expected, "the imports of `{room}` in docs/architecture.md");
    }
}
