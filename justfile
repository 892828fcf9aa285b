# Lists the commands.
default:
    @just --list

# All that CI runs.
check:
    scripts/test

# The tests that need nothing but Rust.
test:
    cargo nextest run --workspace

# The notes application on http://127.0.0.1:5000.
serve:
    cargo run --release -- serve apps/notes

# Read and accept changed snapshots.
snap:
    cargo insta review
