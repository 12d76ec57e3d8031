# What people run daily. `just` lists it; `.ci/run` is what must pass.

_list:
    @just --list --unsorted

# The whole product on two local chains
demo:
    cargo run -- demo

# Two local chains until Ctrl-C, with a profile for them
sandbox:
    cargo run -- sandbox up --write-config "$(mktemp -d)/sandbox.toml"

# Format, and the lints of CI
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Format
fmt:
    cargo fmt --all

# Tests of the binary whose names have FILTER in them
test FILTER="":
    cargo test --workspace --locked --test it -- {{FILTER}}

# Tests of one suite: evm_job, evm_transport, farm, it, kale, outbox, state, stellar, sweep
test-of SUITE FILTER="":
    cargo test --workspace --locked --test {{SUITE}} -- {{FILTER}}

# The pure rules: unit tests of all crates and of the binary
rules FILTER="":
    cargo test --workspace --locked --lib --bin poolctl -- {{FILTER}}

# The binary as the tests built it: on its own it would want other features of its dependencies, and all of them built again.
# Help texts, schemas and nushell completions, written again; read the diff
snapshots:
    INSTA_UPDATE=always cargo test --workspace --locked --test it -- help schema
    "${CARGO_TARGET_DIR:-target}/debug/poolctl" completions nushell > completions/poolctl.nu.new && mv completions/poolctl.nu.new completions/poolctl.nu
    git add -N tests/it/snapshots completions
    git diff --stat

# Every fuzz target for so many seconds
fuzz SECONDS="10":
    cargo run --locked -p poolctl-fuzz -- --seconds {{SECONDS}}

# A bench of the binary: evm, farm, rewards, start
bench NAME:
    cargo bench --locked --bench {{NAME}}

# The grinder's bench
bench-grind:
    cargo bench --locked -p poolctl-grind

# Licences, banned crates, sources
deny:
    cargo deny --all-features check bans licenses sources

# Everything that CI checks
ci:
    .ci/run
