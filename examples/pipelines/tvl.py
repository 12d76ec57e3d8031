#!/usr/bin/env python3
"""Writes the pools as CSV: name, asset, TVL, rate, and the value at the price of a feed where there is one.

    ./tvl.py > tvl.csv

Only the standard library. Amounts stay exact: poolctl gives decimals as text, and Decimal takes them as they are.
"""

import csv
import json
import subprocess
import sys
from decimal import Decimal, localcontext


def poolctl(*words):
    """The data of a command; its error, with the code to match on, ends the script."""
    ran = subprocess.run(["poolctl", *words, "--json"], stdout=subprocess.PIPE, check=False)
    envelope = json.loads(ran.stdout)
    if not envelope["ok"]:
        error = envelope["error"]
        sys.exit(f"poolctl {' '.join(words)}: {error['code']}: {error['message']}")
    return envelope["data"]


def prices():
    """The last accepted price by asset; a feed counts for a pool by its token's address or symbol."""
    found = {}
    for metric in poolctl("metrics")["metrics"]:
        if metric["name"] == "poolctl_oracle_price":
            found[metric["labels"]["asset"]] = Decimal(metric["value"])
    return found


def main():
    known = prices()
    out = csv.writer(sys.stdout)
    out.writerow(["pool", "asset", "tvl", "rate", "value", "synced_at"])
    for pool in poolctl("pool", "list", "--all")["pools"]:
        asset = pool["asset"]
        price = known.get(asset["address"], known.get(asset["symbol"].upper()))
        value = ""
        if price is not None and pool["total_assets"] is not None:
            # Enough for any 256-bit amount: nothing is rounded.
            with localcontext() as context:
                context.prec = 160
                value = f"{Decimal(pool['total_assets']) * price:f}"
        row = [pool["name"], asset["symbol"], pool["total_assets"], pool["exchange_rate"], value, pool["synced_at"]]
        out.writerow(row)


if __name__ == "__main__":
    main()
