#!/usr/bin/env bash
# optuna.storages.RDBStorage(url) treats the URL as a format string: it calls url.format(SCHEMA_VERSION=..), as a file
# name may ask for the version of its schema. A folder or a password with braces, which SQLAlchemy and SQLite take, ends in
# KeyError or IndexError before anything is opened; doubled braces are read as single ones.
# Source: optuna/storages/_rdb/storage.py, _fill_storage_url_template; seen with optuna 5.0.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check optuna==5.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3
from pathlib import Path

import optuna
import sqlalchemy


def opened(url: str) -> str:
    try:
        optuna.storages.RDBStorage(url)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "opened"


sqlite3.connect("a{x}.db").close()  # a legal name for a file
sqlalchemy.create_engine("sqlite:///a{x}.db").connect().close()
plain, doubled = opened("sqlite:///a{x}.db"), opened("sqlite:///b{{x}}.db")
print(f"optuna {optuna.__version__}: a{{x}}.db: {plain}; b{{{{x}}}}.db: {doubled}")
assert plain == "KeyError: 'x'", plain
assert doubled == "opened" and Path("b{x}.db").exists() and not Path("b{{x}}.db").exists()
PYTHON
