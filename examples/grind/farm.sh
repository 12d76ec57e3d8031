#!/bin/sh
# Works one block of the farm on many machines: cuts the search for every pail without work into jobs, has them ground,
# and submits the best nonce of each farmer. Run it after `poolctl plant`; needs jq.
#
#   ./farm.sh [PARTS]                                             # grinds on this machine
#   GRIND='./parallel-ssh.sh /dev/stdin host1,host2' ./farm.sh 2  # PARTS jobs for each farmer, on those
#
# A job ends with as many zeros as count in the block (or ZEROS, 6, where it has no range yet), at the latest MARGIN (40)
# seconds before the block is due. A machine takes its jobs one after the other: have as many machines as jobs.
# The keys and the state stay here: the machines get what everybody can read on chain. Their answers are not trusted
# either, `work submit` computes each hash again; --yes agrees to sending them. Their clocks must be right, and so must this one's, to a second or two.
set -eu
parts=${1:-1} margin=${MARGIN:-40} zeros=${ZEROS:-6}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

poolctl block --json > "$work/block.json"
fact() { jq -er ".data | $1" "$work/block.json"; }
farmers=$(fact '[.pails[] | select(.zeros == null).address] | join(" ")')
[ -n "$farmers" ] || exit 0
until=$(fact ".due_at | fromdateiso8601 - ($margin)")
enough=$(fact "[.zeros.max, $zeros] | if .[0] > 0 then .[0] else .[1] end")
# One word for each farmer.
# shellcheck disable=SC2086
"$here/split-jobs.sh" "$(fact .block)" "$(fact .entropy)" "$until" "$parts" $farmers |
  jq -c ". + {zeros: $enough}" > "$work/jobs.ndjson"
# shellcheck disable=SC2086
${GRIND:-poolctl grind --jobs -} < "$work/jobs.ndjson" > "$work/solutions.ndjson"
jq -cs '[.[] | select(.type == "solution" and .nonce != null)] | group_by(.id)[] | max_by(.zeros)' \
  "$work/solutions.ndjson" > "$work/best.ndjson"
poolctl work submit --yes "$work/best.ndjson"
