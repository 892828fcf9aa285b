"""The notes application's API by a stranger's client: Python's requests, which knows nothing of
Carafe. One line for each item; the exit code is 1 where one failed.

CARAFE_BIN names the binary; without it the newest one in target/ is taken.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30
SETTINGS = ["HOST", "PORT", "PUBLIC_URL", "DATABASE_URL", "SECRET_KEY", "CARAFE_ENV", "DURABILITY"]
MEMBERS = ["id", "title", "content", "is_pinned", "created_at", "updated_at"]

CHECKS = []


def check(item):
    """Registers a function as the check of `item`; it runs against an empty database."""

    def register(function):
        CHECKS.append((item, function))
        return function

    return register


def binary():
    named = os.environ.get("CARAFE_BIN")
    if named:
        return (ROOT / named).resolve()
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    built = [target / profile / "carafe" for profile in ("release", "debug")]
    for path in built:
        if path.exists():
            return path
    sys.exit("no carafe in target/; build it, or name one in CARAFE_BIN")


class Server:
    """The binary under test, with a fresh database on a free port of loopback."""

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="carafe-client-")
        environment = {k: v for k, v in os.environ.items() if k not in SETTINGS}
        command = [binary(), "serve", ROOT / "apps/notes", "--host", "127.0.0.1", "--port", "0"]
        command += ["--database", f"sqlite:{self.home}/data.db"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        late = threading.Timer(START_SECONDS_MAX, self.process.kill)
        late.start()
        try:
            return Client(self.address())
        finally:
            late.cancel()

    def address(self):
        printed = ""
        for line in self.process.stdout:
            printed += line
            if found := re.match(r" +Pages +(http://\S+?)/$", line):
                # What is printed from here on must not fill the pipe.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return found[1]
        raise RuntimeError(f"the server did not start:\n{printed}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class Client:
    def __init__(self, base):
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, method, path, **options):
        options.setdefault("timeout", REQUEST_SECONDS_MAX)
        options.setdefault("allow_redirects", False)
        reply = self.session.request(method, self.base + path, **options)
        if reply.status_code >= 400 and path.startswith("/api") and method != "HEAD":
            check_problem(reply)
        return reply

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def post(self, path, **options):
        return self.send("POST", path, **options)

    def put(self, path, **options):
        return self.send("PUT", path, **options)

    def patch(self, path, **options):
        return self.send("PATCH", path, **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    def note(self, title="Milk", content="Two litres", **more):
        reply = self.post("/api/notes", json={"title": title, "content": content, **more})
        equal(reply.status_code, 201)
        return reply.json()


def equal(actual, expected, what=""):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r}, expected {expected!r}" if what else f"{actual!r}, expected {expected!r}")


def holds(truth, what):
    if not truth:
        raise AssertionError(what)


def check_problem(reply):
    """Every refusal under /api is a problem (RFC 9457) that also has a sentence in `error`."""
    equal(reply.headers["content-type"], "application/problem+json")
    body = reply.json()
    equal(body["status"], reply.status_code)
    holds(isinstance(body["title"], str) and body["title"], "title")
    holds(isinstance(body["error"], str) and body["error"], "error")
    equal(body["instance"], f"urn:uuid:{reply.headers['x-request-id']}")
    uuid.UUID(reply.headers["x-request-id"])


def refused(reply, status, error):
    equal((reply.status_code, reply.json()["error"]), (status, error))


def methods(reply):
    return {name.strip() for name in reply.headers["allow"].split(",")}


# The note


@check("004-08 to 004-14: a note as JSON")
def _(api):
    started = datetime.now(timezone.utc) - timedelta(seconds=1)
    note = api.note()
    equal(list(note), MEMBERS)
    equal((note["id"], note["is_pinned"]), (1, False))
    for name in ("created_at", "updated_at"):
        holds(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", note[name]), note[name])
        moment = datetime.strptime(note[name], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        holds(started <= moment <= datetime.now(timezone.utc) + timedelta(seconds=1), note[name])


# List and detail


@check("004-34: the list has the newest first, pins do not count")
def _(api):
    for number in (1, 2, 3):
        api.note(title=f"Note {number}", is_pinned=number == 1)
    equal([note["title"] for note in api.get("/api/notes").json()["notes"]], ["Note 3", "Note 2", "Note 1"])


@check("004-35: page and per_page")
def _(api):
    for number in range(1, 26):
        api.note(title=f"Note {number}")
    sizes = {"": 10, "?page=1": 10, "?page=3": 5, "?per_page=7": 7, "?per_page=7&page=4": 4, "?per_page=25": 25}
    for query, size in sizes.items():
        reply = api.get(f"/api/notes{query}")
        equal((reply.status_code, len(reply.json()["notes"])), (200, size), query)
    equal(api.get("/api/notes?per_page=7&page=4").json()["notes"][-1]["title"], "Note 1")


@check("004-36: what a list says about itself")
def _(api):
    for number in range(1, 26):
        api.note(title=f"Note {number}")
    reply = api.get("/api/notes", params={"page": 2})
    body = reply.json()
    notes = body.pop("notes")
    equal(len(notes), 10)
    equal(list(notes[0]), MEMBERS)
    expected = {"total": 25, "pages": 3, "current_page": 2, "per_page": 10, "has_next": True, "has_prev": True}
    equal(body, expected)
    equal(reply.headers["x-total-count"], "25")
    # requests follows Link by itself; every page of the list is reached by it.
    seen, reply = 0, api.get("/api/notes")
    while True:
        seen += len(reply.json()["notes"])
        if "next" not in reply.links:
            break
        reply = api.get(requests.compat.urljoin("/api/notes", reply.links["next"]["url"]))
    equal(seen, 25)


@check("004-37: a page out of range is empty, a bad page is the first")
def _(api):
    api.note()
    beyond = api.get("/api/notes?page=99").json()
    equal((beyond["notes"], beyond["total"], beyond["has_next"]), ([], 1, False))
    for query in ("page=x", "page=0", "page=-1", "per_page=x", "colour=red"):
        reply = api.get(f"/api/notes?{query}")
        equal((reply.status_code, len(reply.json()["notes"])), (200, 1), query)
    empty = api.get("/api/notes?page=99999999999999999999999")
    equal(empty.status_code, 200)


@check("004-38: one note, or 404")
def _(api):
    note = api.note()
    reply = api.get("/api/notes/1")
    equal((reply.status_code, reply.json()), (200, note))
    equal(reply.headers["content-type"], "application/json")
    for key in ("2", "0", "-1", "abc", "1e3", "99999999999999999999", "%00", "1.0", "01"):
        refused(api.get(f"/api/notes/{key}"), 404, "Resource not found")


# Create


@check("004-39: a note is created: 201, Location, the note")
def _(api):
    reply = api.post("/api/notes", json={"title": "Milk", "content": "Two litres", "is_pinned": True})
    equal((reply.status_code, reply.headers["location"]), (201, "/api/notes/1"))
    note = reply.json()
    equal((note["title"], note["content"], note["is_pinned"]), ("Milk", "Two litres", True))
    read = api.get(reply.headers["location"])
    equal((read.json(), read.headers["etag"]), (note, reply.headers["etag"]))


@check("004-40: no data")
def _(api):
    for options in ({"json": {}}, {"data": "null", "headers": {"content-type": "application/json"}}, {}):
        refused(api.post("/api/notes", **options), 400, "No data provided")
    equal(api.get("/api/notes").json()["total"], 0)


@check("004-41: title and content are trimmed")
def _(api):
    note = api.note(title=" \t Milk\n", content="\n Two\n litres \n")
    equal((note["title"], note["content"]), ("Milk", "Two\n litres"))


@check("004-42, 004-43: title and content are required, title first, all faults at once")
def _(api):
    for value in ({"content": "x"}, {"title": "  ", "content": "x"}, {"title": None, "content": "x"}):
        refused(api.post("/api/notes", json=value), 400, "Title is required")
    refused(api.post("/api/notes", json={"title": "x"}), 400, "Content is required")
    both = api.post("/api/notes", json={"is_pinned": True}).json()
    equal(both["error"], "Title is required")
    equal([fault["pointer"] for fault in both["errors"]], ["#/title", "#/content"])


@check("004-44: is_pinned is optional")
def _(api):
    equal(api.note()["is_pinned"], False)
    equal(api.note(is_pinned=True)["is_pinned"], True)


@check("004-46: wrong types, long titles and large bodies are refused")
def _(api):
    bad = [
        {"title": 5, "content": "x"},
        {"title": ["x"], "content": "x"},
        {"title": "x", "content": {}},
        {"title": "x", "content": "x", "is_pinned": "yes"},
        {"title": "x", "content": "x", "is_pinned": 1},
        {"title": "x" * 201, "content": "x"},
    ]
    for value in bad:
        equal(api.post("/api/notes", json=value).status_code, 400, value)
    for body in ("[]", '"x"', "5", "[{}]"):
        reply = api.post("/api/notes", data=body, headers={"content-type": "application/json"})
        equal(reply.status_code, 400, body)
    equal(api.get("/api/notes").json()["total"], 0)
    equal(api.note(title="x" * 200)["title"], "x" * 200)
    equal(api.post("/api/notes", json={"title": "x", "content": "x" * (2 << 20)}).status_code, 413)


@check("D-31: unknown members are ignored, the server's own are kept")
def _(api):
    note = api.note(colour="red", id=77, created_at="1999-01-01T00:00:00Z")
    equal((note["id"], "colour" in note, note["created_at"][:4] == "1999"), (1, False, False))


# Update


@check("004-47: PUT changes the fields that are sent")
def _(api):
    note = api.note(is_pinned=True)
    reply = api.put("/api/notes/1", json={"title": "Bread"})
    equal(reply.status_code, 200)
    changed = reply.json()
    equal({**note, "title": "Bread", "updated_at": changed["updated_at"]}, changed)
    holds(changed["updated_at"] > note["updated_at"], "updated_at moves")
    equal(api.get("/api/notes/1").json(), changed)


@check("004-48: PUT without data is 400, of an unknown note 404, looked up first")
def _(api):
    api.note()
    for options in ({"json": {}}, {"data": "null", "headers": {"content-type": "application/json"}}, {}):
        refused(api.put("/api/notes/1", **options), 400, "No data provided")
        refused(api.put("/api/notes/2", **options), 404, "Resource not found")


@check("004-49: what PUT sends is trimmed")
def _(api):
    api.note()
    reply = api.put("/api/notes/1", json={"title": " Bread ", "content": "\tOne loaf\n"}).json()
    equal((reply["title"], reply["content"]), ("Bread", "One loaf"))


@check("004-50: an empty title or content is refused, null and other types too")
def _(api):
    note = api.note()
    for method in (api.put, api.patch):
        for name in ("title", "content"):
            for value in ("", "  ", None, 5, [], {}):
                equal(method("/api/notes/1", json={name: value}).status_code, 400, (name, value))
        equal(method("/api/notes/1", json={"title": "ok", "content": ""}).status_code, 400)
    equal(api.get("/api/notes/1").json(), note)


@check("D-02: PATCH merges; a JSON Patch is applied whole or not at all")
def _(api):
    note = api.note()
    reply = api.patch("/api/notes/1", json={"is_pinned": True})
    equal((reply.status_code, reply.json()["is_pinned"], reply.json()["title"]), (200, True, "Milk"))
    merge = {"content-type": "application/merge-patch+json"}
    equal(api.patch("/api/notes/1", data='{"is_pinned":null}', headers=merge).json()["is_pinned"], False)
    steps = {"content-type": "application/json-patch+json"}
    half = [{"op": "replace", "path": "/title", "value": "x"}, {"op": "test", "path": "/content", "value": "other"}]
    holds(api.patch("/api/notes/1", data=json.dumps(half), headers=steps).status_code >= 400, "a failed test")
    equal(api.get("/api/notes/1").json()["title"], note["title"])
    equal(api.patch("/api/notes/1", data=json.dumps(half[:1]), headers=steps).json()["title"], "x")
    refused(api.patch("/api/notes/9", json={"title": "x"}), 404, "Resource not found")


@check("A write that changes nothing moves nothing")
def _(api):
    note = api.note()
    tag = api.get("/api/notes/1").headers["etag"]
    for method in (api.put, api.patch):
        equal(method("/api/notes/1", json={"title": note["title"]}).json(), note)
    equal(api.get("/api/notes/1").headers["etag"], tag)


# Delete and search


@check("004-51: DELETE answers a message; then the note is gone for good")
def _(api):
    api.note()
    reply = api.delete("/api/notes/1")
    equal((reply.status_code, reply.json()), (200, {"message": "Note deleted successfully"}))
    for method in ("GET", "DELETE", "HEAD"):
        equal(api.send(method, "/api/notes/1").status_code, 404, method)
    equal(api.get("/api/notes").json()["total"], 0)
    equal(api.note()["id"], 2)


@check("004-52: search looks through title and content in any capitals, newest first")
def _(api):
    for title, content in (("Éclair", "butter"), ("Shopping", "éclairs"), ("Plain", "x")):
        api.note(title=title, content=content)
    found = api.get("/api/notes/search", params={"q": "ÉCLAIR"}).json()
    equal([note["title"] for note in found["notes"]], ["Shopping", "Éclair"])


@check("004-53: a search needs a text")
def _(api):
    for params in ({}, {"q": ""}, {"q": "   "}):
        refused(api.get("/api/notes/search", params=params), 400, "Search query required")


@check("004-54: what a search says about itself")
def _(api):
    for number in range(12):
        api.note(title=f"Hit {number}")
    found = api.get("/api/notes/search", params={"q": "  hit "}).json()
    equal((found["query"], found["count"], len(found["notes"])), ("hit", 12, 12))
    equal(list(found["notes"][0]), MEMBERS)
    nothing = api.get("/api/notes/search", params={"q": "nothing"})
    equal((nothing.status_code, nothing.json()), (200, {"query": "nothing", "count": 0, "notes": []}))


@check("004-55: % and _ stand for themselves")
def _(api):
    api.note(title="100% cotton", content="snake_case")
    api.note(title="Plain", content="nothing")
    for text, count in (("%", 1), ("_", 1), ("0% c", 1), ("e_c", 1), ("\\", 0), ("'", 0), ('"', 0), ("*", 0)):
        equal(api.get("/api/notes/search", params={"q": text}).json()["count"], count, text)


# Errors


@check("004-56: 404 is JSON under /api and a page elsewhere")
def _(api):
    for path in ("/api/nothing", "/api/notes/1/nothing", "/api/notes/", "/api"):
        refused(api.get(path), 404, "Resource not found")
    page = api.get("/nothing")
    equal((page.status_code, page.headers["content-type"]), (404, "text/html; charset=utf-8"))


@check("004-57: malformed JSON is a bad request that says where")
def _(api):
    for body in ("{", "{'title': 1}", '{"title": "x",}', "\ufeff{}", "NaN"):
        reply = api.post("/api/notes", data=body.encode(), headers={"content-type": "application/json"})
        refused(reply, 400, "Bad request")
        holds(reply.json()["detail"], "detail")
    twice = api.post(
        "/api/notes",
        data='{"title": "a", "title": "b", "content": "x"}',
        headers={"content-type": "application/json"},
    )
    equal((twice.status_code, twice.json()["errors"][0]["pointer"]), (400, "#/title"))
    equal(api.get("/api/notes").json()["total"], 0)


@check("Content types: JSON only, and the refusal names it")
def _(api):
    text = '{"title": "x", "content": "y"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data"):
        reply = api.post("/api/notes", data=text, headers={"content-type": kind})
        equal(reply.status_code, 415, kind)
    equal(api.post("/api/notes", data=text).status_code, 415, "no type")
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.notes+json"):
        equal(api.post("/api/notes", data=text, headers={"content-type": kind}).status_code, 201, kind)


@check("405 names the methods that work")
def _(api):
    api.note()
    for method in ("PUT", "PATCH", "DELETE"):
        reply = api.send(method, "/api/notes", json={"title": "x"})
        equal((reply.status_code, methods(reply)), (405, {"GET", "HEAD", "POST", "OPTIONS"}), method)
    reply = api.post("/api/notes/1", json={"title": "x"})
    equal((reply.status_code, methods(reply)), (405, {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}))
    equal(api.send("BREW", "/api/notes").status_code, 501)


# HEAD, OPTIONS, conditions


@check("HEAD answers as GET does, without a body")
def _(api):
    api.note()
    for path in ("/api/notes", "/api/notes/1", "/api/notes/9", "/api/notes/search?q=milk", "/api/nothing"):
        get, head = api.get(path), api.send("HEAD", path)
        equal((head.status_code, head.content), (get.status_code, b""), path)
        drop = {"date", "x-request-id"}
        fields = [{k.lower(): v for k, v in reply.headers.items() if k.lower() not in drop} for reply in (get, head)]
        equal(fields[1], fields[0], path)


@check("OPTIONS names the methods and the types of patches")
def _(api):
    api.note()
    for path, expected in (
        ("/api/notes", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/api/notes/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    ):
        reply = api.send("OPTIONS", path)
        equal((reply.status_code, methods(reply)), (204, expected), path)
    types = {name.strip() for name in reply.headers["accept-patch"].split(",")}
    equal(types, {"application/merge-patch+json", "application/json-patch+json"})


@check("ETag and If-None-Match: 304 while nothing changed")
def _(api):
    api.note()
    first = api.get("/api/notes/1")
    tag = first.headers["etag"]
    holds(re.fullmatch(r'"[^"]+"', tag), tag)
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            reply = api.send(method, "/api/notes/1", headers={"if-none-match": value})
            equal((reply.status_code, reply.content, reply.headers["etag"]), (304, b"", tag), value)
    equal(api.get("/api/notes/1", headers={"if-none-match": '"other"'}).status_code, 200)
    api.patch("/api/notes/1", json={"title": "Bread"})
    again = api.get("/api/notes/1", headers={"if-none-match": tag})
    equal((again.status_code, again.json()["title"]), (200, "Bread"))
    holds(again.headers["etag"] != tag, "a new tag")
    whole = api.get("/api/notes")
    equal(api.get("/api/notes", headers={"if-none-match": whole.headers["etag"]}).status_code, 304)


@check("If-Match: a stale tag is 412 and changes nothing")
def _(api):
    note = api.note()
    tag = api.get("/api/notes/1").headers["etag"]
    for stale in ('"other"', f"W/{tag}"):
        for method, body in (("PUT", {"title": "x"}), ("PATCH", {"title": "x"}), ("DELETE", None)):
            reply = api.send(method, "/api/notes/1", json=body, headers={"if-match": stale})
            equal(reply.status_code, 412, (method, stale))
    equal(api.get("/api/notes/1").json(), note)
    changed = api.patch("/api/notes/1", json={"title": "x"}, headers={"if-match": tag})
    equal(changed.status_code, 200)
    equal(api.put("/api/notes/1", json={"title": "y"}, headers={"if-match": tag}).status_code, 412)
    equal(api.put("/api/notes/1", json={"title": "y"}, headers={"if-match": "*"}).status_code, 200)
    equal(api.put("/api/notes/9", json={"title": "y"}, headers={"if-match": "*"}).status_code, 404)
    tag = api.get("/api/notes/1").headers["etag"]
    equal(api.delete("/api/notes/1", headers={"if-match": tag}).status_code, 200)


@check("If-Match: of twenty who write at once with one tag, one succeeds")
def _(api):
    api.note()
    tag = api.get("/api/notes/1").headers["etag"]
    answers, start = [], threading.Barrier(20)

    def write(number):
        client = Client(api.base)
        start.wait()
        reply = client.patch("/api/notes/1", json={"title": f"Writer {number}"}, headers={"if-match": tag})
        answers.append(reply.status_code)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    equal(sorted(answers), [200] + [412] * 19)


@check("Prefer: return=minimal")
def _(api):
    reply = api.post("/api/notes", json={"title": "x", "content": "y"}, headers={"prefer": "return=minimal"})
    equal((reply.content, reply.headers["preference-applied"], reply.headers["location"]), (b"", "return=minimal", "/api/notes/1"))


@check("Long answers are compressed, and read back whole")
def _(api):
    note = api.note(content="Milk and bread. " * 500)
    for coding in ("gzip", "identity"):
        reply = api.get("/api/notes/1", headers={"accept-encoding": coding})
        equal(reply.json(), note, coding)
    equal(api.get("/api/notes/1", headers={"accept-encoding": "gzip"}).headers["content-encoding"], "gzip")


@check("Every text comes back as it was sent")
def _(api):
    for text in ("äöü ß", "漢字", "עברית", "😀👩‍👩‍👧", "<script>alert(1)</script>", "a\u2028b", "'; DROP TABLE notes; --", "{{ 7 * 7 }}"):
        note = api.note(title=text, content=text)
        equal((note["title"], note["content"]), (text, text))
        equal(api.get(f"/api/notes/{note['id']}").json(), note)


def main():
    failed = 0
    for item, function in CHECKS:
        try:
            with Server() as api:
                function(api)
            print(f"ok      {item}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {item}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
