#!/bin/sh
# A strategy for `strategy.command`: asked once for each block and run, it says what each farmer stakes and aims at.
#
#   strategy.command = "/etc/poolctl/strategy.sh"
#
# A tenth of the balance, at most 10 KALE; one zero more than in its last block, at most 9; no work in the first three minutes.
# A farmer that is not named, or a term that is left out, keeps what `farmer set` and the settings say. Amounts are decimals in
# quotes; here they are whole stroops for a moment, 10000000 of which are a KALE.
set -eu
exec jq -c '
  def stroops: sub("[.]"; "") | tonumber;
  def kale: "\(. / 10000000 | floor).\(10000000 + . % 10000000 | tostring[1:])";
  { farmers: [ .farmers[] | {
      id,
      stake: ([((.balance // "0.0000000") | stroops) / 10 | floor, 100000000] | min | kale),
      target_zeros: ([(.last.zeros // 5) + 1, 9] | min),
      min_work_sec: 180
  } ] }'
