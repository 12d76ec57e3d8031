#!/bin/sh
# Builds the farm contract into contracts/farm.wasm, reproducibly, and checks it: build.sh [--check]
# Needs Debian's rustc-web and rust-web-src (1.96), which have the source of core for wasm32v1-none, and lld (14):
#   apt-get install rustc-web rust-web-src lld
set -eu
here=$(cd "$(dirname "$0")" && pwd)
compiler=/usr/bin/rustc
if ! "$compiler" --version 2>/dev/null | grep -q '^rustc 1\.96\.'; then
    echo "build.sh: needs rustc 1.96 as $compiler: apt-get install rustc-web rust-web-src" >&2
    exit 2
fi
# One linker for everybody: another version of it may lay the wasm out otherwise.
linker=/usr/bin/wasm-ld
if ! [ -x "$linker" ]; then
    echo "build.sh: needs $linker: apt-get install lld" >&2
    exit 2
fi

# The source is copied to a fresh folder, so the place of the checkout cannot reach the wasm.
build() {
    mkdir -p "$1"
    cp -r "$here/farm/." "$1"
    rm -rf "$1/target"
    (
        cd "$1"
        RUSTC="$compiler" RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32V1_NONE_LINKER="$linker" \
            RUSTFLAGS="--remap-path-prefix=$1=farm --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
            cargo build --quiet --locked --release -Zbuild-std=core,alloc --target wasm32v1-none
    )
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build "$work/one"
made="$work/one/target/wasm32v1-none/release/farm.wasm"
hash=$(sha256sum "$made" | cut -d ' ' -f 1)
if [ "${1:-}" = --check ]; then
    build "$work/another/place"
    other=$(sha256sum "$work/another/place/target/wasm32v1-none/release/farm.wasm" | cut -d ' ' -f 1)
    [ "$hash" = "$other" ] || { echo "build.sh: two folders gave $hash and $other" >&2; exit 1; }
    committed=$(cut -d ' ' -f 1 "$here/farm.wasm.sha256")
    [ "$hash" = "$committed" ] || { echo "build.sh: committed $committed, built $hash" >&2; exit 1; }
    echo "farm.wasm $hash: two builds agree with the committed one"
else
    cp "$made" "$here/farm.wasm"
    printf '%s  farm.wasm\n' "$hash" >"$here/farm.wasm.sha256"
    echo "farm.wasm $hash"
fi
