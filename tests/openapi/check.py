#!/usr/bin/env python3
"""The OpenAPI documents of all applications, as the tools of others see them.

Lints (Spectral, Redocly), Schemathesis with several seeds, and clients in TypeScript, Python and
Rust that are made from the document and used. CARAFE_BIN names the program, CARAFE_TARGET the
folder that Rust builds in. `--seeds 1,2,3`,
`--examples 10` and `--only PART` (lint, schemathesis, clients) are for trying things."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MADE = HERE / "made"
TARGET = pathlib.Path(os.environ.get("CARAFE_TARGET") or ROOT / "target")
BIN = os.environ.get("CARAFE_BIN") or str(ROOT / "target/debug/carafe")
VENV = pathlib.Path(sys.prefix) / "bin"
APPLICATIONS = {
    name: ROOT / "apps" / name for name in ["students", "usernames", "stock", "users", "notes"]
}
APPLICATIONS["everything"] = HERE / "everything"

passed = failed = 0


def report(title, good, output):
    global passed, failed
    if good:
        passed += 1
        print(f"ok      {title}", flush=True)
    else:
        failed += 1
        print(f"FAILED  {title}\n{output[-6000:]}", flush=True)


def run(title, *command, cwd=HERE, timeout=600, expect=None, **variables):
    """One check: a command that ends well and says `expect`."""
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd, env=environment, timeout=timeout,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        output, good = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as late:
        output, good = f"{late}", False
    said = expect is None or re.search(expect, output)
    report(title, good and bool(said), output)
    return good


class Server:
    """An application on a free port, with an empty database in memory."""

    def __init__(self, folder):
        self.folder = tempfile.TemporaryDirectory()
        copy = pathlib.Path(self.folder.name) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("data.db*", "src", "target"))
        self.process = subprocess.Popen(
            [BIN, "serve", copy, "--port", "0", "--database", "sqlite::memory:", "--log-level", "warn"],
            stdout=subprocess.PIPE, text=True,
        )
        for line in self.process.stdout:
            found = re.search(r"API docs +(http://\S+)/docs", line)
            if found:
                self.base = found.group(1)
                break
        else:
            raise SystemExit(f"{folder} does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.folder.cleanup()


def lint(name, document):
    npx = ["npx", "--no-install"]
    run(f"{name}: Spectral", *npx, "spectral", "lint", document, "--ruleset", "spectral.yaml",
        "--fail-severity", "hint", expect="No results")
    run(f"{name}: Redocly, strict", *npx, "redocly", "lint", document,
        "--extends", "recommended-strict", expect="is valid", REDOCLY_TELEMETRY="off")


def schemathesis(name, server, seed, examples):
    run(f"{name}: Schemathesis, seed {seed}", VENV / "schemathesis",
        "--config-file", "schemathesis.toml",
        "run", f"{server.base}/api/openapi.json", "--seed", seed, "--max-examples", examples,
        "--workers", "1", expect=r"\d+ generated, \d+ passed",
        CARAFE_URL=server.base, SCHEMATHESIS_HOOKS=str(HERE / "hooks.py"))


def clients(server, documents):
    npx = ["npx", "--no-install"]
    for name, document in documents.items():
        run(f"{name}: types for TypeScript are made", *npx, "openapi-typescript", document,
            "--default-non-nullable", "false", "--output", MADE / f"{name}.d.ts")
    run("TypeScript compiles", *npx, "tsc", "--project", ".")
    run("TypeScript reads and writes", "node", "out/crud.js", server.base)

    generator = [VENV / "openapi-generator-cli", "generate", "--input-spec"]
    for name in ["notes", "everything"]:
        run(f"{name}: a client for Python is made", *generator, documents[name],
            "--generator-name", "python", "--output", MADE / f"{name}-python")
        run(f"{name}: the client for Python compiles", sys.executable, "-m", "compileall", "-q",
            MADE / f"{name}-python/openapi_client")
    run("Python reads and writes", sys.executable, "crud.py", server.base,
        PYTHONPATH=str(MADE / "notes-python"))

    run("a client for Rust is made", *generator, documents["notes"],
        "--generator-name", "rust", "--output", MADE / "rust")
    run("Rust compiles, reads and writes", "cargo", "run", "--quiet", "--locked", "--", server.base,
        cwd=HERE / "rust", timeout=900, CARGO_TARGET_DIR=str(TARGET / "openapi"), RUSTFLAGS="-A warnings")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--examples", default="10")
    parser.add_argument("--only", choices=["lint", "schemathesis", "clients"])
    parser.add_argument("--app", choices=APPLICATIONS)
    arguments = parser.parse_args()
    wanted = lambda part: arguments.only in (None, part)
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir()
    documents = {}
    for name, folder in APPLICATIONS.items():
        if arguments.app not in (None, name):
            continue
        with Server(folder) as server:
            documents[name] = MADE / f"{name}.json"
            with urllib.request.urlopen(f"{server.base}/api/openapi.json", timeout=10) as reply:
                documents[name].write_bytes(reply.read())
            if wanted("lint"):
                lint(name, documents[name])
            if wanted("schemathesis"):
                for seed in arguments.seeds.split(","):
                    schemathesis(name, server, seed, arguments.examples)
    if wanted("clients") and arguments.app is None:
        with Server(APPLICATIONS["notes"]) as server:
            clients(server, documents)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
