"""The way of one call through the double: faults, signature, rate, permission, doing, answering; and the log of it."""

import sys
import time
import traceback

from .refusal import Refused
from .refusal import body as refusal_body

XML = "text/xml;charset=UTF-8"


class Front:
    def __init__(self, world, service):
        self._world, self._service = world, service

    def answer(self, call, connection):
        """Status, content type and body; or nothing where the connection ends without an answer."""
        entry = self._world.journal.begin(call)
        fault = self._world.faults.meeting(call.action)
        if fault is not None:
            entry["fault"] = fault.do
        outcome, answer = self._outcome(call, connection, entry, fault)
        if answer is not None:
            entry["status"] = answer[0]
        entry["outcome"] = outcome
        return answer

    def _outcome(self, call, connection, entry, fault):
        if fault is not None and fault.is_before:
            ended = self._before(call, connection, entry, fault)
            if ended is not None:
                return ended
        answer = self._done(call, entry)
        if fault is not None and not fault.is_before:
            return self._after(call, connection, entry, fault, answer)
        return "answered", answer

    def _before(self, call, connection, entry, fault):
        """How the call ends before anything is done; nothing where it goes on."""
        if fault.do == "refuse":
            return "answered", self._refused(call, entry, Refused(fault.code, fault.message, fault.status))
        if fault.do == "drop":
            connection.drop()
            return "dropped", None
        if fault.do == "hold" and not self._world.holds.hold(call, "before", connection.is_there):
            return "gone", None
        if fault.do == "delay":
            time.sleep(fault.seconds)
        return None

    def _after(self, call, connection, entry, fault, answer):
        """How the call ends that has been done."""
        if fault.do == "fail":
            return "answered", self._refused(call, entry, Refused(fault.code, fault.message, fault.status))
        if fault.do == "lose":
            connection.drop()
            return "dropped", None
        if not self._world.holds.hold(call, "after", connection.is_there):
            return "gone", None
        return "answered", answer

    def _done(self, call, entry):
        try:
            with self._world.lock:
                text = self._service.do(call, entry)
            entry["done"] = True
            return 200, XML, text
        except Refused as refused:
            return self._refused(call, entry, refused)
        except NotImplementedError as error:
            message = f"The action {call.action} is not valid for this web service: {error}"
            return self._refused(call, entry, Refused("InvalidAction", message))
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return self._refused(call, entry, Refused("InternalError", f"the double failed: {error!r}", 500))

    @staticmethod
    def _refused(call, entry, refused):
        entry["code"] = refused.code
        return refused.status, XML, refusal_body(call.service, refused)
