//! A `Procfile`: the processes beside the web server, and the commands of a release.

/// A line of a `Procfile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcfileLine {
    /// Its name, as `app.processes` writes it.
    pub name: String,
    /// The command.
    pub command: String,
}

/// What a `Procfile` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Procfile {
    /// Processes that run beside the web server.
    pub processes: Vec<ProcfileLine>,
    /// The entry of the web server, such as `shop.wsgi`, if Gunicorn or uvicorn runs it.
    pub entry: Option<String>,
    /// Django's commands of a release, such as `migrate`.
    pub release: Vec<String>,
    /// Lines that cannot be used as they are.
    pub unclear: Vec<ProcfileLine>,
}

/// Reads a `Procfile`. Lines that are none of its kind are ignored, as other programs do.
pub(super) fn procfile(text: &str) -> Procfile {
    let mut found = Procfile::default();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((name, command)) = line.split_once(':') else { continue };
        let process = ProcfileLine {
            name: name.trim().to_lowercase().replace('_', "-"),
            command: command.trim().to_owned(),
        };
        match process.name.as_str() {
            "web" => found.entry = entry(&process.command),
            "release" => match release(&process.command) {
                Some(commands) => found.release = commands,
                None => found.unclear.push(process),
            },
            // A shell would expand these.
            _ if process.command.contains(['$', '|', '&', ';', '>', '<', '`', '*']) => {
                found.unclear.push(process);
            }
            _ => found.processes.push(process),
        }
    }
    found
}

/// The entry that a web server is given: a module named `wsgi` or `asgi`, or one with its callable.
fn entry(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    words.find(|word| {
        matches!(word.rsplit('/').next(), Some("gunicorn" | "uvicorn" | "hypercorn" | "daphne"))
    })?;
    let is_module = |word: &&str| {
        let module = word.split(':').next().unwrap_or(word);
        let is_part = |part: &str| {
            part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        let is_usual = matches!(module.rsplit('.').next(), Some("wsgi" | "asgi"));
        module.split('.').all(is_part) && (is_usual || module.len() < word.len())
    };
    words.find(is_module).map(str::to_owned)
}

/// Django's commands of a release: `python manage.py A && python manage.py B`.
fn release(command: &str) -> Option<Vec<String>> {
    command
        .split("&&")
        .map(|part| {
            let (_, command) = part.trim().split_once("manage.py ")?;
            (!command.contains(['$', '|', ';', '>', '<', '`'])).then(|| command.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_procfile_names_processes_entry_and_release() {
        let text = "# all of it\nweb: gunicorn -k uvicorn.workers.UvicornWorker shop.asgi:application --bind 0.0.0.0:$PORT\n\
                    release: python manage.py migrate --noinput && python manage.py loaddata base.json\n\
                    celery_worker: celery -A shop worker -l info\nclock: python clock.py --every $HOURS\n";
        let process =
            |name: &str, command: &str| ProcfileLine { name: name.to_owned(), command: command.to_owned() };
        assert_eq!(
            procfile(text),
            Procfile {
                processes: vec![process("celery-worker", "celery -A shop worker -l info")],
                entry: Some("shop.asgi:application".to_owned()),
                release: vec!["migrate --noinput".to_owned(), "loaddata base.json".to_owned()],
                unclear: vec![process("clock", "python clock.py --every $HOURS")],
            }
        );
    }

    #[test]
    fn what_is_no_entry_is_not_taken_for_one() {
        for (command, expected) in [
            ("gunicorn shop.wsgi --log-file -", Some("shop.wsgi")),
            ("bin/start-nginx gunicorn -c gunicorn.conf.py shop.wsgi:app", Some("shop.wsgi:app")),
            ("python manage.py runserver 0.0.0.0:8000", None),
            ("waitress-serve shop.wsgi", None),
        ] {
            assert_eq!(entry(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn a_release_of_other_programs_is_unclear() {
        let found = procfile("release: ./release.sh\n");
        assert_eq!((found.release.len(), found.unclear.len()), (0, 1));
    }
}
