"""Counts each response that Django returns to a server exactly once, as sent.

Wraps `BaseHandler`, below which every middleware, error handler and view runs.
Errors of the instrumentation never reach the visitor: they are counted, and the
first one is logged.
"""

import functools
import os
import threading
from time import perf_counter

from . import activation, drill, families
from .recorder import Recorder

_recorder = None
# The process that opened it.
_owner = None
_opening = threading.Lock()
_logged = False
_charsets = {}
_MOST_CHARSETS = 100


def wrap(base_handler):
    """Wraps the methods of Django's `BaseHandler` class."""
    if getattr(base_handler, "_monctl_wrapped", False):
        return
    base_handler.get_response = _in_progress(_counted(base_handler.get_response))
    base_handler.get_response_async = _in_progress_async(_counted_async(base_handler.get_response_async))
    base_handler.resolve_request = _noting_unknown_paths(base_handler.resolve_request)
    base_handler.process_exception_by_middleware = _noting_exceptions(
        base_handler.process_exception_by_middleware
    )
    base_handler._monctl_wrapped = True
    os.register_at_fork(after_in_child=_forget_recorder)


def recorder():
    """This process's recorder, opened on first use."""
    return _current_recorder()


def _in_progress(get_response):
    @functools.wraps(get_response)
    def wrapper(self, request):
        entered = _enter(self)
        try:
            return get_response(self, request)
        finally:
            _leave(entered)

    return wrapper


def _in_progress_async(get_response_async):
    @functools.wraps(get_response_async)
    async def wrapper(self, request):
        entered = _enter(self)
        try:
            return await get_response_async(self, request)
        finally:
            _leave(entered)

    return wrapper


def _enter(handler):
    """Counts a request as being in progress; returns where, or None."""
    try:
        if _answers_clients(handler):
            current = _current_recorder()
            current.entered()
            return current
    except Exception:
        _failed()
    return None


def _leave(entered):
    # A child forked meanwhile shares the number with its parent, which owns the request.
    if entered is not None and entered is _recorder:
        entered.left()


def _counted(get_response):
    @functools.wraps(get_response)
    def wrapper(self, request):
        started = perf_counter()
        order = _order(self, request)
        try:
            response = get_response(self, request) if order is None else order.carry_out()
        except Exception:
            _count(self, request, None, started)
            raise
        _count(self, request, response, started)
        return response

    return wrapper


def _counted_async(get_response_async):
    @functools.wraps(get_response_async)
    async def wrapper(self, request):
        started = perf_counter()
        order = _order(self, request)
        try:
            if order is None:
                response = await get_response_async(self, request)
            else:
                response = await order.carry_out_async()
        except Exception:
            _count(self, request, None, started)
            raise
        _count(self, request, response, started)
        return response

    return wrapper


def _noting_unknown_paths(resolve_request):
    """Records that no view exists, to avoid a second lookup."""

    @functools.wraps(resolve_request)
    def wrapper(self, request):
        try:
            return resolve_request(self, request)
        except Exception:
            request._monctl_no_view = True
            raise

    return wrapper


def _noting_exceptions(process_exception_by_middleware):
    """Counts exceptions that left a view, including 404, whatever handles them afterwards."""

    @functools.wraps(process_exception_by_middleware)
    def wrapper(self, exception, request):
        try:
            if _answers_clients(self):
                recorder = _current_recorder()
                recorder.event(families.EXCEPTIONS_BY_TYPE, type(exception).__name__)
                recorder.event(families.EXCEPTIONS_BY_VIEW, _view(request))
        except Exception:
            _failed()
        return process_exception_by_middleware(self, exception, request)

    return wrapper


def _answers_clients(handler):
    """Whether a server called this handler.

    Test clients and page previews run their own handlers inside a request;
    those make no requests from the environment of a server, hence this attribute.
    """
    return hasattr(handler, "request_class")


def _order(handler, request):
    """The order of a drill in this request; None if there is none."""
    return drill.order_of(request) if _answers_clients(handler) else None


def _count(handler, request, response, started):
    """Counts a response; None means an exception that reaches the server."""
    try:
        seconds = perf_counter() - started
        if not _answers_clients(handler):
            return
        recorder = _current_recorder()
        streaming = getattr(response, "streaming", False)
        labels = (
            str(response.status_code) if response is not None else "500",
            _view(request),
            request.method if request.method in families.KNOWN_METHODS else families.OTHER_METHOD,
            "https" if request.is_secure() else "http",
            _charset(response),
            "1" if streaming else "",
            "1" if request.META.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest" else "",
        )
        size = None if response is None or streaming else len(response.content)
        recorder.response(labels, seconds, _announced_bytes(request), size)
        template = getattr(response, "template_name", None)
        if template is not None:
            _count_template(recorder, template)
    except Exception:
        _failed()


def _count_template(recorder, template):
    # A template object has no name that is the same in other processes.
    if isinstance(template, str) or (
        isinstance(template, (list, tuple)) and all(isinstance(name, str) for name in template)
    ):
        recorder.event(families.TEMPLATES, str(template))


def _charset(response):
    """The charset, cached by content type because Django parses it each time."""
    content_type = response.headers.get("Content-Type") if response is not None else ""
    charset = _charsets.get(content_type)
    if charset is None:
        charset = str(getattr(response, "charset", ""))
        if len(_charsets) < _MOST_CHARSETS:
            _charsets[content_type] = charset
    return charset


def _announced_bytes(request):
    announced = request.META.get("CONTENT_LENGTH")
    return int(announced) if announced and announced.isdecimal() else 0


def _view(request):
    match = getattr(request, "resolver_match", None)
    if match is not None:
        return match.view_name or families.UNNAMED_VIEW
    if getattr(request, "_monctl_no_view", False):
        return families.UNNAMED_VIEW
    return _view_at(getattr(request, "urlconf", None), request.path_info)


@functools.lru_cache(maxsize=1024)
def _view_at(urlconf, path):
    """The view that a request would have reached, had no middleware answered it."""
    from django.conf import settings
    from django.conf.urls.i18n import is_language_prefix_patterns_used
    from django.urls import get_resolver
    from django.utils import translation

    try:
        resolver = get_resolver(urlconf)
        if not is_language_prefix_patterns_used(urlconf or settings.ROOT_URLCONF)[0]:
            return resolver.resolve(path).view_name
        # The language middleware may not have run: this thread still has the
        # language of its previous request.
        language = translation.get_language_from_path(path) or settings.LANGUAGE_CODE
        with translation.override(language):
            return resolver.resolve(path).view_name
    except Exception:
        return families.UNNAMED_VIEW


def _current_recorder():
    global _recorder, _owner
    # uWSGI does not let Python know that it forks, so that `_forget_recorder` is not called.
    process = os.getpid()
    if _recorder is None or _owner != process:
        with _opening:
            if _recorder is None or _owner != process:
                _recorder = Recorder(activation.directory())
                _owner = process
    return _recorder


def _forget_recorder():
    # A forked child must not share the slot, nor a lock that some thread holds.
    global _recorder, _opening
    _recorder = None
    _opening = threading.Lock()


def _failed():
    global _logged
    try:
        if not _logged:
            _logged = True
            activation.log_missing("a request could not be counted; further ones are not reported")
        if _recorder is not None:
            _recorder.error()
    except Exception:
        pass
