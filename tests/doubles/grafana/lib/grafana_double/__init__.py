"""A stand-in for Grafana's HTTP API, for tests only.

It answers what a real Grafana 9.4 was recorded to answer (see ../recordings/) and refuses what that refused.
Nothing in here is used outside the tests; it needs Python 3 and its standard library.
"""
