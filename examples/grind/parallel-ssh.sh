#!/bin/sh
# Grinds jobs on many machines over ssh with GNU parallel, one job a machine at a time.
#
#   ./parallel-ssh.sh jobs.ndjson host1,host2,… > solutions.ndjson
#
# Without hosts it runs here. Each host needs poolctl on its PATH, and nothing else: no config, no state, no keys.
# A job that was cut off may be given out again; the same job has the same answer.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 JOBS [HOST,HOST…]" >&2; exit 2; }
parallel --sshlogin "${2:-:}" --jobs 1 --retries 3 --line-buffer --pipe --max-replace-args 1 \
  poolctl grind --jobs - < "$1"
