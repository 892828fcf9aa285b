"""Puts notes into a database that has their table: fill.py DATABASE TABLE NOTES [--pocketbase]

NOTES has a JSON object a line. A row's id is the number of its line, and each note is a
second newer than the one before. PocketBase's ids are text of 15 characters, and its times
end in milliseconds and a Z.
"""

import argparse
import json
import sqlite3
from datetime import datetime, timedelta


def rows(path, pocketbase):
    start = datetime(2020, 1, 1)
    with open(path, encoding="utf-8") as notes:
        for number, line in enumerate(notes, start=1):
            note = json.loads(line)
            time = str(start + timedelta(seconds=number))
            time += ".000Z" if pocketbase else ".000000"
            id = f"{number:015}" if pocketbase else number
            yield id, note["title"], note["content"], time, time


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("database")
    arguments.add_argument("table")
    arguments.add_argument("notes")
    arguments.add_argument("--pocketbase", action="store_true")
    given = arguments.parse_args()

    database = sqlite3.connect(given.database, isolation_level=None)
    # The run scripts name the database as whole only when this is done: nothing to protect.
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("BEGIN")
    database.executemany(
        f"INSERT INTO {given.table} (id, title, content, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?)",
        rows(given.notes, given.pocketbase),
    )
    database.execute("COMMIT")
    # Here and not by the servers' workers, which would compete for the lock that it takes.
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


main()
