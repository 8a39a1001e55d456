"""Request metrics for Django, put in place from outside the application.

`activation` runs in Gunicorn, `instrument` wraps Django's handler, `recorder`
writes what was counted to files that `slots` names, `exporter` is a process of
its own that serves them. `check` and `prepare` are commands of a deploy, `drill`
sends and answers the requests of a drill.
Nothing here needs a setting, a middleware or a package of the application;
`prometheus_client` is the only dependency.
"""
