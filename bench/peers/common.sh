# What every run script reads first: its arguments, and where things are.
#
#     run PORT FOLDER NOTES
#
# fills a database in FOLDER from NOTES, an object {"title", "content"} a line, unless FOLDER
# has one, and serves it on 127.0.0.1:PORT. A database is filled under another name, so that
# one that is half filled is never taken for whole. peer.toml tells how it is asked.
# shellcheck shell=bash disable=SC2034
if [ $# -ne 3 ]; then
    echo "usage: $0 PORT FOLDER NOTES" >&2
    exit 2
fi
mkdir -p "$2"
port=$1
folder=$(realpath "$2")
notes=$(realpath "$3")
cd "$(dirname "$0")"
bin=$(realpath ../.venv/bin)
# SQLite's pragma: what FULL has acknowledged survives a loss of power, what NORMAL has
# acknowledged a crash of the server only.
export BENCH_SYNCHRONOUS="${BENCH_SYNCHRONOUS:-FULL}"
