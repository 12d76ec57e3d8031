#!/bin/sh
# Compiles the contracts into contracts/evm/artifacts, reproducibly, or checks what is committed: build.sh [--check]
# Needs node with npm; solc and OpenZeppelin's library are fetched once into the git-ignored .cache of the workspace.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${POOLCTL_CACHE:-$here/../../../.cache}
solc=$cache/npm/solc-0.8.37
openzeppelin=$cache/npm/openzeppelin-contracts-5.7.0

# npm fails now and then: three tries, into a folder that is renamed when it is whole.
fetch() {
    [ -d "$1" ] && return
    tries=0
    until rm -rf "$1.draft" && mkdir -p "$1.draft" && (cd "$1.draft" && eval "$2"); do
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || { echo "build.sh: cannot fetch $1" >&2; exit 1; }
        sleep 2
    done
    mv "$1.draft" "$1"
}
fetch "$solc" 'npm install --ignore-scripts --no-audit --no-fund --prefix . solc@0.8.37'
fetch "$openzeppelin" 'npm pack --silent @openzeppelin/contracts@5.7.0 && tar -xzf ./*.tgz && rm ./*.tgz'

compile() {
    node "$here/compile.js" "$solc/node_modules/solc" "$here" "$1" "@openzeppelin/contracts=$openzeppelin/package"
}
if [ "${1:-}" = --check ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    compile "$work"
    diff -r "$work" "$here/artifacts" >/dev/null || { echo "build.sh: the artifacts are not those of the sources" >&2; exit 1; }
    echo "artifacts: the committed ones are those of the sources"
else
    compile "$here/artifacts"
fi
