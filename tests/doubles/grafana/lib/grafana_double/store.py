"""The database, one sqlite file: users, login attempts, data sources, folders, dashboards and their versions."""

import hashlib
import os
import sqlite3
import threading
import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (
  id INTEGER PRIMARY KEY, login TEXT UNIQUE, name TEXT, email TEXT, salt TEXT, hash TEXT, is_admin INTEGER, created TEXT,
  role TEXT DEFAULT 'Viewer'
);
CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, user_id INTEGER);
CREATE TABLE IF NOT EXISTS login_attempt (login TEXT, at REAL);
CREATE TABLE IF NOT EXISTS data_source (
  id INTEGER PRIMARY KEY, uid TEXT UNIQUE, name TEXT UNIQUE, type TEXT, access TEXT, url TEXT, is_default INTEGER,
  json_data TEXT, secure_fields TEXT, version INTEGER, read_only INTEGER
);
CREATE TABLE IF NOT EXISTS library_element (uid TEXT PRIMARY KEY, name TEXT NOT NULL, model TEXT, folder_uid TEXT);
-- Folders and dashboards share ids and uids, as in the original.
CREATE TABLE IF NOT EXISTS dashboard (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE, title TEXT, slug TEXT, is_folder INTEGER, folder_id INTEGER,
  data TEXT, version INTEGER, created TEXT, updated TEXT, created_by TEXT, updated_by TEXT, provisioned TEXT, api TEXT,
  restricted INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS dashboard_version (
  id INTEGER PRIMARY KEY, dashboard_id INTEGER, parent INTEGER, version INTEGER, created TEXT, message TEXT, data TEXT, api TEXT,
  author TEXT, author_id INTEGER
);
CREATE TABLE IF NOT EXISTS service_account (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, role TEXT);
CREATE TABLE IF NOT EXISTS token (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account_id INTEGER, name TEXT UNIQUE, key TEXT UNIQUE, created TEXT, expires REAL
);
CREATE TABLE IF NOT EXISTS annotation (
  id INTEGER PRIMARY KEY AUTOINCREMENT, begin INTEGER, end INTEGER, text TEXT, tags TEXT
);
"""

# As in the original: PBKDF2 with 10,000 rounds, so that a wrong password costs what it costs there.
ROUNDS = 10_000


def now():
    """The time as Grafana writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def hash_password(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS).hex()


class Store:
    """One connection behind one lock: a request sees and changes the database as a whole or not at all."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "grafana.db", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        with self:
            for statement in SCHEMA.split(";"):
                self._db.execute(statement)

    def __enter__(self):
        self._lock.acquire()
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind, _value, _traceback):
        try:
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")
        finally:
            self._lock.release()

    def run(self, sql, *values):
        return self._db.execute(sql, values)

    def one(self, sql, *values):
        return self.run(sql, *values).fetchone()

    def all(self, sql, *values):
        return self.run(sql, *values).fetchall()

    def add_user(self, login, password, name="", email="", is_admin=False):
        salt = os.urandom(8).hex()
        cursor = self.run(
            "INSERT INTO user (login, name, email, salt, hash, is_admin, created) VALUES (?,?,?,?,?,?,?)",
            login, name, email or f"{login}@localhost", salt, hash_password(password, salt), is_admin, now(),
        )
        return cursor.lastrowid

    def set_password(self, user_id, password):
        salt = os.urandom(8).hex()
        self.run("UPDATE user SET salt=?, hash=? WHERE id=?", salt, hash_password(password, salt), user_id)

    def first_start(self, login, password):
        """Makes the administrator in an empty database; later the settings for it mean nothing."""
        with self:
            if self.one("SELECT 1 FROM user") is None:
                self.add_user(login, password, is_admin=True)
