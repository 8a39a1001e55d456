"""Updates data and static files for a version of the code.

    python -m monctl_metrics.prepare            the release's commands (`migrate`), and `collectstatic`
                                                unless a release has its own files
    python -m monctl_metrics.prepare released   the same where another host ran the release's commands
    python -m monctl_metrics.prepare static     `collectstatic`

Standard output has what people should know, line by line; see `copies`.
Uses the settings of the application's module, since manage.py may name others. A release
has its own static files if STATIC_ROOT is in the application's folder and not in
a part of it that the spec keeps.
"""

import sys

from . import application, places, release
from .application import Refused


def main():
    answer = application.separate_output()
    try:
        application.load()
        _prepare(sys.argv[1:], tell=lambda text: print(text, file=answer, flush=True))
    except Refused as reason:
        print(f"not prepared: {reason}", file=sys.stderr)
        return 1
    return 0


def _prepare(words, tell):
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    if words == ["static"]:
        release.call("collectstatic")
        return
    release.run(is_released=words == ["released"], tell=tell)
    if application.static_root() and not places.of_release(application.root(), places.kept()):
        release.call("collectstatic")


if __name__ == "__main__":
    sys.exit(main())
