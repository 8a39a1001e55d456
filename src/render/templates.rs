//! The templates, embedded in the program, and the engine that fills them.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use tera::{Kwargs, State, Tera, Value};

use super::quote;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Files that are not rendered here: dashboards, releases, and integrations, which are read as a whole.
const DATA: [&str; 3] = ["dashboards/", "integrations/", "releases.json"];

/// Partials, which are included by templates and are not files of their own.
const PARTIALS: &str = "partials/";

/// Files of this folder are copied to hosts as they are.
const VERBATIM: &str = "app/";

#[expect(clippy::expect_used, reason = "the templates are embedded and every test renders them")]
pub(super) static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
    let mut engine = Tera::new();
    engine.register_filter("yaml", |value: &Value, _: Kwargs, _: &State| quote::yaml(&text(value)));
    engine.register_filter("go_text", |text: &str, _: Kwargs, _: &State| quote::go_text(text));
    engine.register_filter("systemd", |value: &Value, _: Kwargs, _: &State| quote::systemd(&text(value)));
    engine.register_filter("systemd_argument", |value: &Value, _: Kwargs, _: &State| {
        quote::systemd_argument(&text(value))
    });
    engine.register_filter("environment", |value: &Value, _: Kwargs, _: &State| {
        let refused = || {
            tera::Error::message(
                "a value contains control characters, which are not allowed in environment variables",
            )
        };
        quote::environment(&text(value)).ok_or_else(refused)
    });
    engine.autoescape_on(Vec::<&str>::new());
    engine
        .add_raw_templates(files().filter(|(name, _)| !name.starts_with(VERBATIM)))
        .expect("every template can be parsed");
    engine
});

/// The names of the files that are rendered.
pub(super) fn rendered() -> impl Iterator<Item = &'static str> {
    files().map(|(name, _)| name).filter(|name| !name.starts_with(VERBATIM) && !name.starts_with(PARTIALS))
}

/// The files that are copied: name and content.
pub(super) fn verbatim() -> impl Iterator<Item = (&'static str, &'static str)> {
    files().filter(|(name, _)| name.starts_with(VERBATIM))
}

/// Renders a text like a template. It may include the same partials.
pub(super) fn render(template: &str, context: &tera::Context) -> tera::TeraResult<String> {
    ENGINE.render_str(template, context, false)
}

/// All files of the bundle, without the caches that Python writes next to its modules.
fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut files = Vec::new();
    collect(&FILES, &mut files);
    files.into_iter().filter(|(name, _)| !DATA.iter().any(|prefix| name.starts_with(prefix)))
}

fn collect(folder: &'static Dir<'static>, files: &mut Vec<(&'static str, &'static str)>) {
    let named =
        |file: &'static include_dir::File<'static>| Some((file.path().to_str()?, file.contents_utf8()?));
    files.extend(folder.files().filter_map(named));
    for folder in folder.dirs().filter(|folder| !folder.path().ends_with("__pycache__")) {
        collect(folder, files);
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
