"""Request metrics for Django, added from outside the application.

`activation` runs in Gunicorn, `instrument` wraps Django's handler, `recorder`
writes the counters to files that `slots` names, `exporter` is a separate process
that serves them. `check` and `prepare` are commands of a deploy, `drill` sends
and answers the requests of a drill.
`watched` does the same in an application that something else deploys.
The application needs no setting, middleware or package for this. What runs in its
processes needs only Python's standard library and Django; `exporter` needs
`prometheus_client`.
"""
