module completions {

  def "nu-complete poolctl color" [] {
    [ "auto" "always" "never" ]
  }

  # The back office of a pool in one binary: sync, rewards, oracles, risk, and KALE farming
  export extern poolctl [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    --version(-V)             # Print version
  ]

  def "nu-complete poolctl init color" [] {
    [ "auto" "always" "never" ]
  }

  # Write a commented config file and create the state file of a profile
  export extern "poolctl init" [
    --chain-id: string        # EVM chain id that the profile is pinned to; needed for a profile of your own
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl init color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl demo color" [] {
    [ "auto" "always" "never" ]
  }

  # Run every step on two embedded chains in seconds: no config, no node, no keys
  export extern "poolctl demo" [
    --keep                    # Leave the networks running afterwards, until Ctrl-C
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl demo color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl run color" [] {
    [ "auto" "always" "never" ]
  }

  # Do whatever of the schedule is due: sync, oracle, risk, cycle, farm, metrics, backup, prune
  export extern "poolctl run" [
    --once                    # Do what is due within a minute, and end; for cron, every minute
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl run color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl status color" [] {
    [ "auto" "always" "never" ]
  }

  # Show what needs attention first, then pools, the farm, what is under way and what is due
  export extern "poolctl status" [
    --watch                   # Look again and again until Ctrl-C; with --json an object a line, the result last
    --interval: string        # With --watch: time between two looks, 1s at least
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl status color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl sync color" [] {
    [ "auto" "always" "never" ]
  }

  # Sync pools with the chain: value, shares, exchange rate, holders
  export extern "poolctl sync" [
    --all                     # All pools
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl sync color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl pool color" [] {
    [ "auto" "always" "never" ]
  }

  # Add, change, list and show pools, and members' positions in them
  export extern "poolctl pool" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl pool add color" [] {
    [ "auto" "always" "never" ]
  }

  # Verify the contract of a pool and add it
  export extern "poolctl pool add" [
    --abi: string             # What the contract answers to: erc4626, legacy, viddhana, or auto to find out
    --asset: string           # What is deposited, where the contract itself does not say (legacy)
    --symbol: string          # What its asset is called in outputs, whatever the token says
    --deploy-block: string    # Block of its creation; found by bisection where not given, which needs an archive node
    --max-rate-drop: string   # Fall of the exchange rate between syncs that raises an alert, 0 to 1 [default: risk.max_rate_drop]
    --reward-genesis-block: string # First block that earns rewards
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool add color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    name: string              # A name of your own
    address: string           # The vault's address
  ]

  def "nu-complete poolctl pool set color" [] {
    [ "auto" "always" "never" ]
  }

  # Change a pool: its alert for a falling rate, its asset's symbol, or where its rewards begin
  export extern "poolctl pool set" [
    --max-rate-drop: string   # Fall of the exchange rate between syncs that raises an alert, 0 to 1
    --symbol: string          # What its asset is called in outputs, whatever the token says; feeds may price it by this symbol
    --reward-genesis-block: string # First block that earns rewards, while they have not begun
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pool rename color" [] {
    [ "auto" "always" "never" ]
  }

  # Give a pool another name
  export extern "poolctl pool rename" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool rename color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
    name: string              # Its new name
  ]

  def "nu-complete poolctl pool retire color" [] {
    [ "auto" "always" "never" ]
  }

  # Take a pool out of use: no sync, check or reward cycle acts on it any more, and its records stay
  export extern "poolctl pool retire" [
    --undo                    # Take it back into use
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool retire color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pool list color" [] {
    [ "auto" "always" "never" ]
  }

  # List the pools with the figures of their last sync
  export extern "poolctl pool list" [
    --retired                 # Those that are retired too
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl pool show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show a pool: its contract, the figures of its last sync and the course of the last 60, what is wrong with it, its rewards
  export extern "poolctl pool show" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pool holders color" [] {
    [ "auto" "always" "never" ]
  }

  # List the holders of a pool with their part of it and its worth, the largest first
  export extern "poolctl pool holders" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool holders color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pool position color" [] {
    [ "auto" "always" "never" ]
  }

  # Show what a member has in a pool: shares, their worth, rewards
  export extern "poolctl pool position" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool position color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    member: string            # Name or address of the member
    pool: string              # Name or address of the pool
  ]

  def "nu-complete poolctl pool validate-withdrawal color" [] {
    [ "auto" "always" "never" ]
  }

  # Check whether a member may withdraw shares, with every reason against it; exit 5 if not
  export extern "poolctl pool validate-withdrawal" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool validate-withdrawal color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address of the pool
    member: string            # Name or address of the member
    shares: string            # Shares in whole units
  ]

  def "nu-complete poolctl pool validate-deposit color" [] {
    [ "auto" "always" "never" ]
  }

  # Check whether a member may deposit an amount, with every reason against it; exit 5 if not
  export extern "poolctl pool validate-deposit" [
    --on-chain                # Read the pool and the member's balance on chain
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool validate-deposit color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address of the pool
    member: string            # Name or address of the member
    amount: string            # Amount in whole units of the pool's asset
  ]

  def "nu-complete poolctl pool reconcile color" [] {
    [ "auto" "always" "never" ]
  }

  # Compare pools with the chain, holder by holder; exit 5 on any difference
  export extern "poolctl pool reconcile" [
    --all                     # All pools
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool reconcile color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl pool accept-change color" [] {
    [ "auto" "always" "never" ]
  }

  # Accept that a pool's contract changed, so that it is paid and validated again
  export extern "poolctl pool accept-change" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool accept-change color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pool rescan color" [] {
    [ "auto" "always" "never" ]
  }

  # Read a pool's transfers again and correct the state; exit 5 if paid epochs turn out wrong
  export extern "poolctl pool rescan" [
    --from: string            # First block to read again [default: the pool's deploy block]
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pool rescan color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address of the pool
  ]

  def "nu-complete poolctl member color" [] {
    [ "auto" "always" "never" ]
  }

  # Name, list and show members: addresses that hold shares
  export extern "poolctl member" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl member color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl member add color" [] {
    [ "auto" "always" "never" ]
  }

  # Add a member, or name one that a sync found
  export extern "poolctl member add" [
    --name: string            # A name of your own
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl member add color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    address: string           # The member's address
  ]

  def "nu-complete poolctl member rename color" [] {
    [ "auto" "always" "never" ]
  }

  # Give a member another name, or its first one
  export extern "poolctl member rename" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl member rename color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    member: string            # Name or address
    name: string              # Its new name
  ]

  def "nu-complete poolctl member list color" [] {
    [ "auto" "always" "never" ]
  }

  # List members in the order in which they appeared
  export extern "poolctl member list" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl member list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl member show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show a member: shares in every pool, and balances
  export extern "poolctl member show" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl member show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    member: string            # Name or address
  ]

  def "nu-complete poolctl withdrawal color" [] {
    [ "auto" "always" "never" ]
  }

  # Ask for withdrawals, list them, complete them by their transaction, or give them up
  export extern "poolctl withdrawal" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl withdrawal color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl withdrawal request color" [] {
    [ "auto" "always" "never" ]
  }

  # Ask for a withdrawal: it is validated, and its shares are reserved
  export extern "poolctl withdrawal request" [
    --idempotency-key: string # A key of your own, by which this is asked for once
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl withdrawal request color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address of the pool
    member: string            # Name or address of the member
    shares: string            # Shares in whole units
  ]

  def "nu-complete poolctl withdrawal list color" [] {
    [ "auto" "always" "never" ]
  }

  # List withdrawals, the newest first
  export extern "poolctl withdrawal list" [
    --status: string          # Only those: pending, processing, completed or failed
    --member: string          # Only of this member, by name or address
    --pool: string            # Only from this pool, by name or address
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl withdrawal list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl withdrawal complete color" [] {
    [ "auto" "always" "never" ]
  }

  # Complete a withdrawal by the transaction that moved its shares
  export extern "poolctl withdrawal complete" [
    --tx: string              # The transaction; not needed where the withdrawal names it already
    --unverified              # Do not look at the chain: it is complete on your word, and marked so
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl withdrawal complete color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    id: string                # The withdrawal, by its id
  ]

  def "nu-complete poolctl withdrawal fail color" [] {
    [ "auto" "always" "never" ]
  }

  # Give a withdrawal up: its shares are free again
  export extern "poolctl withdrawal fail" [
    --reason: string          # Reason, for the list and the audit log
    --unverified              # Do not look at the chain: on your word, its transaction never moves the shares
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl withdrawal fail color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    id: string                # The withdrawal, by its id
  ]

  def "nu-complete poolctl reward color" [] {
    [ "auto" "always" "never" ]
  }

  # Distribute rewards: weights, cycles, epochs, claims, exports, yields
  export extern "poolctl reward" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl reward set-weight color" [] {
    [ "auto" "always" "never" ]
  }

  # Set a pool's weight from the next epoch on
  export extern "poolctl reward set-weight" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward set-weight color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
    weight: string            # 0 to 1, at most six decimals
  ]

  def "nu-complete poolctl reward weights color" [] {
    [ "auto" "always" "never" ]
  }

  # Show weights and what share of the emission they come to
  export extern "poolctl reward weights" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward weights color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl reward cycle color" [] {
    [ "auto" "always" "never" ]
  }

  # Distribute every closed epoch, up to the last final block
  export extern "poolctl reward cycle" [
    --from: string            # Block at which rewards begin; the first run needs it, unless the pools name one
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward cycle color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl reward epoch color" [] {
    [ "auto" "always" "never" ]
  }

  # Show, create and verify the epochs of pools
  export extern "poolctl reward epoch" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl reward epoch create color" [] {
    [ "auto" "always" "never" ]
  }

  # Create a manual epoch of one pool, beside or instead of those of the cycle
  export extern "poolctl reward epoch create" [
    --start: string           # First block
    --end: string             # First block after it
    --total: string           # What it gives, in whole units of the reward token
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch create color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl reward epoch distribute color" [] {
    [ "auto" "always" "never" ]
  }

  # Distribute manual epochs
  export extern "poolctl reward epoch distribute" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch distribute color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    epoch?: string            # Id of the epoch; none = all that are due
  ]

  def "nu-complete poolctl reward epoch list color" [] {
    [ "auto" "always" "never" ]
  }

  # List epochs, the newest first
  export extern "poolctl reward epoch list" [
    --before: string          # Only those that start before this block
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool?: string             # Name or address of a pool; none = all
  ]

  def "nu-complete poolctl reward epoch show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show an epoch
  export extern "poolctl reward epoch show" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    epoch: string             # Its id
  ]

  def "nu-complete poolctl reward epoch verify color" [] {
    [ "auto" "always" "never" ]
  }

  # Compute epochs again from the chain and compare row by row; exit 5 on any difference
  export extern "poolctl reward epoch verify" [
    --all                     # All distributed epochs
    --pool: string            # Only those of this pool
    --endpoint: string        # Ask this endpoint alone, by its name
    --offline                 # Compute from the transfers in the state, without the network
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward epoch verify color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    epoch?: string            # Id of an epoch; none = all that are distributed
  ]

  def "nu-complete poolctl reward apr color" [] {
    [ "auto" "always" "never" ]
  }

  # Show what pools yield in a year, simple (APR) and compounded daily (APY)
  export extern "poolctl reward apr" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward apr color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl reward export format" [] {
    [ "csv" "json" ]
  }

  def "nu-complete poolctl reward export color" [] {
    [ "auto" "always" "never" ]
  }

  # Write an epoch's rewards, member by member
  export extern "poolctl reward export" [
    --format: string@"nu-complete poolctl reward export format" # How
    --merkle                  # Export the unclaimed rewards to a Merkle tree, with its root and proofs
    --output: path            # Write to this file, whole or not at all; to a pipe or a device as it is; - is stdout
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward export color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    epoch: string             # Id of a distributed epoch
  ]

  def "nu-complete poolctl reward pending color" [] {
    [ "auto" "always" "never" ]
  }

  # Show rewards that are not claimed yet
  export extern "poolctl reward pending" [
    --pool: string            # Only of this pool
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward pending color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    member?: string           # Name or address of a member; none = all, with what each pool owes
  ]

  def "nu-complete poolctl reward claim color" [] {
    [ "auto" "always" "never" ]
  }

  # Claim a member's rewards: its unclaimed rows are marked and their sum is credited, at once
  export extern "poolctl reward claim" [
    --all                     # Of all pools
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl reward claim color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    member: string            # Name or address of the member
    pool?: string             # Name or address of the pool
  ]

  def "nu-complete poolctl oracle color" [] {
    [ "auto" "always" "never" ]
  }

  # Add and change price feeds, read them, and check that they may be used
  export extern "poolctl oracle" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl oracle add color" [] {
    [ "auto" "always" "never" ]
  }

  # Verify the contract of a feed and add it
  export extern "poolctl oracle add" [
    --asset: string           # What it prices: a symbol or a token's address
    --address: string         # The feed's contract
    --kind: string            # What the contract answers to: chainlink, adapter; or fixed
    --price: string           # The price of a fixed feed
    --max-staleness: string   # Oldest accepted quote, the feed's heartbeat: seconds, or a duration as 1h
    --min: string             # Lowest accepted price; none = any
    --max: string             # Highest accepted price; none = any
    --max-deviation: string   # Largest accepted change against the last good price, 0 to 1; none = any
    --force                   # Do not look at the contract: neither whether it answers, nor whether its price lies within the bounds
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle add color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    name: string              # A name of your own
  ]

  def "nu-complete poolctl oracle set color" [] {
    [ "auto" "always" "never" ]
  }

  # Change a feed: its contract, the price of a fixed one, or what its quotes must satisfy
  export extern "poolctl oracle set" [
    --address: string         # The feed's contract
    --kind: string            # What the contract answers to: chainlink, adapter; or fixed
    --price: string           # The price of a fixed feed
    --max-staleness: string   # Oldest accepted quote, the feed's heartbeat: seconds, or a duration as 1h
    --min: string             # Lowest accepted price; none = any
    --max: string             # Highest accepted price; none = any
    --max-deviation: string   # Largest accepted change against the last good price, 0 to 1; none = any
    --force                   # Do not look at the contract: neither whether it answers, nor whether its price lies within the bounds
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    feed: string              # Its name
  ]

  def "nu-complete poolctl oracle remove color" [] {
    [ "auto" "always" "never" ]
  }

  # Take a feed out of use: it is not asked any more and prices nothing, and what it said stays
  export extern "poolctl oracle remove" [
    --undo                    # Take it back into use
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle remove color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    feed: string              # Its name
  ]

  def "nu-complete poolctl oracle list color" [] {
    [ "auto" "always" "never" ]
  }

  # List the feeds with their limits
  export extern "poolctl oracle list" [
    --removed                 # Those that were removed too
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl oracle fetch color" [] {
    [ "auto" "always" "never" ]
  }

  # Read feeds now; accepted prices enter the cache
  export extern "poolctl oracle fetch" [
    --accept-deviation        # Take the price of these feeds however far it is from the last good one; the other rules hold
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle fetch color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...feeds: string          # Names; none = all
  ]

  def "nu-complete poolctl oracle get color" [] {
    [ "auto" "always" "never" ]
  }

  # The price of an asset: from the cache, or read now
  export extern "poolctl oracle get" [
    --refresh                 # Read the chain even if the cache is fresh
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle get color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    asset: string             # A symbol or a token's address
  ]

  def "nu-complete poolctl oracle aggregate color" [] {
    [ "auto" "always" "never" ]
  }

  # The median price of all feeds of an asset, if enough of them agree; exit 5 if not
  export extern "poolctl oracle aggregate" [
    --min-quorum: string      # At least N feeds must have a valid price [default: more than half]
    --max-spread: string      # Largest distance between the prices, as a part of their median, 0 to 1 [default: oracle.max_spread]
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle aggregate color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    asset: string             # A symbol or a token's address
  ]

  def "nu-complete poolctl oracle check color" [] {
    [ "auto" "always" "never" ]
  }

  # Read feeds now and end with exit 5 if any price may not be used
  export extern "poolctl oracle check" [
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --nagios                  # One line for a monitoring system, exit 0/1/2/3: warning while another feed prices the asset
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle check color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...feeds: string          # Names; none = all
  ]

  def "nu-complete poolctl oracle alerts color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the alerts of feeds: those that are open, or all of them
  export extern "poolctl oracle alerts" [
    --closed                  # The closed ones too, the newest first
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl oracle alerts color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...feeds: string          # Names; none = all
  ]

  def "nu-complete poolctl risk color" [] {
    [ "auto" "always" "never" ]
  }

  # Set, fetch and check the limits of pools
  export extern "poolctl risk" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl risk set color" [] {
    [ "auto" "always" "never" ]
  }

  # Set limits of a pool, or name the engine contract they come from
  export extern "poolctl risk set" [
    --engine: string          # Where the limits come from: local, viddhana, legacy
    --engine-address: string  # The engine's contract; for viddhana, the one that a viddhana pool itself names is the default
    --max-tvl: string         # Largest TVL
    --max-user-deposit: string # Largest deposit of one member
    --daily-withdrawal-cap: string # Most withdrawals of a day, over all members
    --user-daily-cap: string  # Most withdrawals of a day of one member
    --breaker-threshold: string # Share of TVL withdrawn in 24 h that trips the breaker, 0 to 1
    --window: string          # What a day is: utc-day or rolling-24h
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl risk fetch color" [] {
    [ "auto" "always" "never" ]
  }

  # Read the limits from the pools' engines now
  export extern "poolctl risk fetch" [
    --all                     # All pools
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk fetch color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl risk show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the limits of pools as last confirmed
  export extern "poolctl risk show" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl risk check color" [] {
    [ "auto" "always" "never" ]
  }

  # Check every risk rule of pools; exit 5 if one is violated or cannot be evaluated
  export extern "poolctl risk check" [
    --all                     # All pools
    --at: string              # Read at this block: finalized, safe, latest or a number [default: evm.at]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --nagios                  # One line for a monitoring system, exit 0/1/2/3: warning where limits are not fresh
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk check color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl risk violations color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the violations of pools: those that are open, or all of them
  export extern "poolctl risk violations" [
    --closed                  # The closed ones too, the newest first
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk violations color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Names or addresses; none = all
  ]

  def "nu-complete poolctl risk pause color" [] {
    [ "auto" "always" "never" ]
  }

  # Set the emergency pause of a pool: no deposit and no withdrawal validates
  export extern "poolctl risk pause" [
    --reason: string          # Reason, for the audit log
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk pause color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl risk unpause color" [] {
    [ "auto" "always" "never" ]
  }

  # Lift the emergency pause of a pool
  export extern "poolctl risk unpause" [
    --reason: string          # Reason, for the audit log
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk unpause color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl risk reset-breaker color" [] {
    [ "auto" "always" "never" ]
  }

  # Close the circuit breaker of a pool, once its cause is gone
  export extern "poolctl risk reset-breaker" [
    --reason: string          # Reason, for the audit log
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl risk reset-breaker color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pool: string              # Name or address
  ]

  def "nu-complete poolctl pooler color" [] {
    [ "auto" "always" "never" ]
  }

  # Add, change and list poolers: who works for a group of farmers, and how rewards are split
  export extern "poolctl pooler" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pooler color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl pooler add color" [] {
    [ "auto" "always" "never" ]
  }

  # Add a pooler
  export extern "poolctl pooler add" [
    --capacity: string        # Most farmers that it takes
    --reward-split: string    # The pooler's part of each reward, 0 to 1
    --platform-fee: string    # The operator's part of each reward, 0 to 1
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pooler add color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    name: string              # A name for it
  ]

  def "nu-complete poolctl pooler set color" [] {
    [ "auto" "always" "never" ]
  }

  # Change a pooler: its name, how many farmers it takes, or, before any farmer joins, its terms
  export extern "poolctl pooler set" [
    --name: string            # Another name for it
    --capacity: string        # Most farmers that it takes
    --reward-split: string    # The pooler's part of each reward, 0 to 1
    --platform-fee: string    # The operator's part of each reward, 0 to 1
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pooler set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    pooler: string            # Its name or id
  ]

  def "nu-complete poolctl pooler list color" [] {
    [ "auto" "always" "never" ]
  }

  # List poolers, with their reward split and how full they are
  export extern "poolctl pooler list" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl pooler list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farmer color" [] {
    [ "auto" "always" "never" ]
  }

  # Register farmers, make them ready to plant, show and change them, and bring their keys in and out
  export extern "poolctl farmer" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farmer register color" [] {
    [ "auto" "always" "never" ]
  }

  # Register a farmer: makes its key, stores it, and prints its id and address
  export extern "poolctl farmer register" [
    --pooler: string          # Name or id of its pooler
    --stake-percentage: string # The part of its balance to stake in each block, 0 to 1
    --payout: string          # Where its proceeds go [default: to itself]
    --name: string            # A name of your own
    --address: string         # Take the key of this address, which is in the key store without a farmer
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer register color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farmer import color" [] {
    [ "auto" "always" "never" ]
  }

  # Import a key: register its account as a farmer, make it the fee sponsor, or keep it for a submitter
  export extern "poolctl farmer import" [
    --sponsor                 # Store it as the key of the account that pays the fees; no farmer is registered
    --submitter               # Store it as the key of an account of kale.submitter; no farmer is registered
    --pooler: string          # Name or id of its pooler
    --stake-percentage: string # The part of its balance to stake in each block, 0 to 1
    --payout: string          # Where its proceeds go [default: to itself]
    --name: string            # A name of your own
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer import color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farmer list status" [] {
    [ "wallet_created" "funded" "active" "leaving" "departed" ]
  }

  def "nu-complete poolctl farmer list color" [] {
    [ "auto" "always" "never" ]
  }

  # List farmers in the order in which they came
  export extern "poolctl farmer list" [
    --pooler: string          # Those of one pooler, by name or id
    --status: string@"nu-complete poolctl farmer list status" # Those of one status
    --keys                    # Unlock the key store and compare: keys without a farmer, farmers without a key (exit code 5)
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farmer show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show a farmer, what it gets of a reward, and the rewards of its last 20 blocks
  export extern "poolctl farmer show" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    farmer: string            # Its name, address or id
  ]

  def "nu-complete poolctl farmer set status" [] {
    [ "active" "leaving" "departed" ]
  }

  def "nu-complete poolctl farmer set harvest_only" [] {
    [ "true" "false" "none" ]
  }

  def "nu-complete poolctl farmer set color" [] {
    [ "auto" "always" "never" ]
  }

  # Change a farmer: its name, stake percentage, payout, pooler, status, or what it is farmed by
  export extern "poolctl farmer set" [
    --name: string            # A name of your own; none takes it away
    --stake-percentage: string # The part of its balance to stake in each block, 0 to 1
    --payout: string          # Where its proceeds go
    --no-payout               # Its proceeds stay with it
    --pooler: string          # Move it to this pooler, by name or id
    --status: string@"nu-complete poolctl farmer set status" # active plants; leaving plants no more, and its open pails are still worked and harvested; departed is the end
    --target-zeros: string    # Zeros that are enough for it, 1 to 16, and never more than count in the block; none = as for all
    --min-work-time: string   # No work for it is submitted before, as in 180s after the block's start, but at the deadline; none = as for all
    --harvest-only: string@"nu-complete poolctl farmer set harvest_only" # Plant nothing for it, and still work and harvest its open pails: true, false, or none = as for all
    --min-stake: string       # Stake at least AMOUNT KALE, and nothing where it holds less; none = as for all
    --max-stake: string       # Stake at most AMOUNT KALE; none = as for all
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    farmer: string            # Its name, address or id
  ]

  def "nu-complete poolctl farmer check-funding color" [] {
    [ "auto" "always" "never" ]
  }

  # Check what farmers lack before they can plant, and how to fix it; those that lack nothing become active
  export extern "poolctl farmer check-funding" [
    --all                     # All who have not departed
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer check-funding color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...farmers: string        # Names, addresses or ids; none = all who have not departed
  ]

  def "nu-complete poolctl farmer trust color" [] {
    [ "auto" "always" "never" ]
  }

  # Make the trustline to KALE of each farmer that has none, or raise one whose limit is too low
  export extern "poolctl farmer trust" [
    --all                     # All who have not departed
    --sponsored               # Let the sponsor give the reserves; fails without one [default: where there is one]
    --unsponsored             # Let each farmer keep the reserve of its trustline itself, sponsor or not
    --create                  # Let the sponsor make the accounts that are missing, one after the other, and give their reserves
    --starting-balance: string # What the sponsor gives each account that it makes, beside the reserves [default: 0]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer trust color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...farmers: string        # Names, addresses or ids; none = all who have not departed
  ]

  def "nu-complete poolctl farmer export-key color" [] {
    [ "auto" "always" "never" ]
  }

  # Print a secret key (S…), and nothing else, on stdout
  export extern "poolctl farmer export-key" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farmer export-key color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    farmer: string            # The farmer's name, address or id, or the address of another key in the key store
  ]

  def "nu-complete poolctl block color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the farm's current block: its age, what counts in it, our pails and what they would be paid
  export extern "poolctl block" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl block color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl plant color" [] {
    [ "auto" "always" "never" ]
  }

  # Plant: a stake in the current block for every farmer that is active and ready
  export extern "poolctl plant" [
    --parallel: string        # Transactions under way at once; default: kale.parallel
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl plant color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...farmers: string        # Names, addresses or ids of farmers; none = all that are active
  ]

  def "nu-complete poolctl work color" [] {
    [ "auto" "always" "never" ]
  }

  # Work: grind nonces for the pails of the current block, and submit the best in time
  export extern "poolctl work" [
    --policy: string          # When to submit: late, early or insured [default: kale.work_policy]
    --deadline: string        # When the best is submitted: a time, or a span after the block's start as in 280s [default: kale.work_margin_sec before its end]
    --abandon                 # When stopped, keep the nonces that were found, and submit none of them
    --parallel: string        # Transactions under way at once; default: kale.parallel
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl work color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...farmers: string        # Names, addresses or ids of farmers; none = all that are served
  ]

  def "nu-complete poolctl work submit color" [] {
    [ "auto" "always" "never" ]
  }

  # Submit nonces from other machines: NDJSON lines {farmer, nonce}, or what grind --jobs answers
  export extern "poolctl work submit" [
    --parallel: string        # Transactions under way at once; default: kale.parallel
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl work submit color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    file?: path               # NDJSON: {"farmer": id or address, "nonce": …}; - = stdin
  ]

  def "nu-complete poolctl harvest color" [] {
    [ "auto" "always" "never" ]
  }

  # Harvest: fetch stake and reward of every worked pail of blocks that have ended, oldest first
  export extern "poolctl harvest" [
    --parallel: string        # Transactions under way at once; default: kale.parallel
    --extend                  # Let pails that expire soon and cannot be harvested yet live a day longer
    --release: string         # Only release the held pail of this farmer (name, address or id): the next harvest reads the chain again
    --record-lost: string     # Only record the stake of this farmer as lost: its pail is gone, and no payment of it is found
    --block: string           # The block of the pail that is released or given up
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl harvest color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farm color" [] {
    [ "auto" "always" "never" ]
  }

  # Farm as the block's clock asks: plant, work, harvest
  export extern "poolctl farm" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farm color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farm run color" [] {
    [ "auto" "always" "never" ]
  }

  # Plant as soon as a block rolls, work until its deadline, harvest a minute after the roll
  export extern "poolctl farm run" [
    --once                    # Do whatever is due now, the grinding of this block included, and end
    --policy: string          # When to submit: late, early or insured [default: kale.work_policy]
    --deadline: string        # When the best is submitted: a time, or a span after the block's start as in 280s [default: kale.work_margin_sec before its end]
    --abandon                 # When stopped, keep the nonces that were found, and submit none of them
    --parallel: string        # Transactions under way at once; default: kale.parallel
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farm run color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farm plan color" [] {
    [ "auto" "always" "never" ]
  }

  # Explain what would be done next, when and why, and what each farmer's work would earn
  export extern "poolctl farm plan" [
    --policy: string          # When to submit: late, early or insured [default: kale.work_policy]
    --deadline: string        # When the best is submitted: a time, or a span after the block's start as in 280s [default: kale.work_margin_sec before its end]
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farm plan color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farm reconcile color" [] {
    [ "auto" "always" "never" ]
  }

  # Compare farmers with the chain: pails of a day, mints, balances; exit 5 on any difference
  export extern "poolctl farm reconcile" [
    --blocks: string          # Look back over N blocks, a week at most; a pail lives for about a day, 288 blocks
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farm reconcile color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl farm profit color" [] {
    [ "auto" "always" "never" ]
  }

  # Show what was earned and lost by day and pooler: rewards, parts, fees, lost stakes
  export extern "poolctl farm profit" [
    --days: string            # Look back over N days, today being one
    --pooler: string          # Only of one pooler, by name or id
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl farm profit color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl operations color" [] {
    [ "auto" "always" "never" ]
  }

  # Show, settle or give up transactions that are not settled yet
  export extern "poolctl operations" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl operations color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl operations list color" [] {
    [ "auto" "always" "never" ]
  }

  # List the transactions that are not settled yet, oldest first
  export extern "poolctl operations list" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl operations list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl operations settle color" [] {
    [ "auto" "always" "never" ]
  }

  # Settle what is not settled yet: look it up, and send it again while that may help
  export extern "poolctl operations settle" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl operations settle color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl operations give-up color" [] {
    [ "auto" "always" "never" ]
  }

  # Give up a transaction that can never take effect any more and whose outcome is unknown
  export extern "poolctl operations give-up" [
    --reason: string          # Reason, for the audit log
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl operations give-up color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    id: string                # Number of the operation, as operations list shows it
  ]

  def "nu-complete poolctl grind color" [] {
    [ "auto" "always" "never" ]
  }

  # Grind KALE nonces: one job from flags, many from NDJSON, or a bench of this machine
  export extern "poolctl grind" [
    --index: string           # Index of the block
    --entropy: string         # Entropy of the block, hex or base64
    --farmer: string          # The farmer: G…, C… or 64 hex digits
    --start: string           # First nonce [default: a random one]
    --zeros: string           # Stop at the first nonce with at least Z zeros, 0 to 64
    --nonces: string          # Try at most COUNT nonces
    --seconds: string         # Stop after S seconds
    --jobs: path              # Jobs as NDJSON from a file or stdin (-): {id, index, entropy, farmer, start?, nonces?, zeros?, until?}
    --stream                  # With --jobs, write every improvement as it is found
    --bench                   # Measure every kernel and number of threads on this machine
    --threads: string         # Threads [default: all cores]
    --kernel: string          # Kernel: avx512, avx2, neon or portable [default: the fastest here]
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl grind color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl config color" [] {
    [ "auto" "always" "never" ]
  }

  # Show, check and change settings
  export extern "poolctl config" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl config show color" [] {
    [ "auto" "always" "never" ]
  }

  # Show every setting in force
  export extern "poolctl config show" [
    --origin                  # Name where each value came from
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config show color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl config check color" [] {
    [ "auto" "always" "never" ]
  }

  # Check the config file, the environment and the stored settings
  export extern "poolctl config check" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config check color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl config path color" [] {
    [ "auto" "always" "never" ]
  }

  # Print where the config file is, or would be
  export extern "poolctl config path" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config path color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl config set color" [] {
    [ "auto" "always" "never" ]
  }

  # Change a setting at run time; it is stored in the state and audited
  export extern "poolctl config set" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config set color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    key: string               # Dotted name, as in poolctl config show
    value: string             # New value
  ]

  def "nu-complete poolctl config unset color" [] {
    [ "auto" "always" "never" ]
  }

  # Remove a setting that was made at run time
  export extern "poolctl config unset" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl config unset color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    key: string               # Dotted name, as in poolctl config show
  ]

  def "nu-complete poolctl state color" [] {
    [ "auto" "always" "never" ]
  }

  # Check, copy, restore, prune and migrate the state file
  export extern "poolctl state" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl state check color" [] {
    [ "auto" "always" "never" ]
  }

  # Check the file, the audit log and every money invariant
  export extern "poolctl state check" [
    --full                    # Read every page and index too; takes as long as reading the whole file
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state check color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl state backup color" [] {
    [ "auto" "always" "never" ]
  }

  # Copy the state to a new file and check the copy
  export extern "poolctl state backup" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state backup color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    file: path                # The new file, a pipe, or - for stdout; an existing file is never overwritten
  ]

  def "nu-complete poolctl state restore color" [] {
    [ "auto" "always" "never" ]
  }

  # Replace the state by a backup, after checking it
  export extern "poolctl state restore" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state restore color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    file: path                # The backup
  ]

  def "nu-complete poolctl state prune color" [] {
    [ "auto" "always" "never" ]
  }

  # Move old rows of ended blocks and routine events into an archive
  export extern "poolctl state prune" [
    --older-than: string      # Only what is older than this, as in 90d or 13w; at least 1d
    --archive: path           # The archive, which must not exist [default: beside the state, named by the time]
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state prune color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl state migrate color" [] {
    [ "auto" "always" "never" ]
  }

  # Take a state of an older poolctl to the present schema
  export extern "poolctl state migrate" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state migrate color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl state path color" [] {
    [ "auto" "always" "never" ]
  }

  # Print where the state file is, or would be
  export extern "poolctl state path" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl state path color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl events color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the newest events of the audit log, oldest first; follow the log, or verify it
  export extern "poolctl events" [
    --kind: string            # Only this kind; with a trailing dot, all kinds with this prefix
    --subject: string         # Only about this subject: a pool, a member, a setting
    --run: string             # Only those of this run
    --since: string           # Only since this time (RFC 3339), or not longer ago than this (as in 24h)
    --follow(-f)              # Then wait for new ones, until Ctrl-C; with --json an object a line, the result last
    --verify                  # Verify the whole hash chain instead; exit code 5 names the first broken row
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl events color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl serve color" [] {
    [ "auto" "always" "never" ]
  }

  # Serve the commands by HTTP, each token what its role may
  export extern "poolctl serve" [
    --listen: string          # Address and port; a port of 0 takes a free one
    --tls-cert: path          # Certificate chain, PEM
    --tls-key: path           # Key of the certificate, PEM, which only its owner may read
    --behind-proxy            # A proxy stands before it, does TLS, and says in X-Forwarded-For who asks
    --yes-value               # Let requests move value where the profile asks (mainnet)
    --farm                    # Run the farm too, as farm run does, with --yes where that asks; the end of the one is that of the other
    --rate: string            # Requests a second that a token may make
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl serve color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl token color" [] {
    [ "auto" "always" "never" ]
  }

  # Give others access to the server, and take it back
  export extern "poolctl token" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl token color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl token create color" [] {
    [ "auto" "always" "never" ]
  }

  # Make a token; it is shown once
  export extern "poolctl token create" [
    --role: string            # What it may do: operator, reader, pooler:NAME, farmer:FARMER, member:MEMBER or miner:NAME
    --name: string            # A name of your own, for lists and the audit log
    --expires: string         # How long it is good; without it, until it is revoked
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl token create color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl token list color" [] {
    [ "auto" "always" "never" ]
  }

  # List tokens, those that are worth nothing any more too
  export extern "poolctl token list" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl token list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl token revoke color" [] {
    [ "auto" "always" "never" ]
  }

  # Revoke a token: from now on it is worth nothing, everywhere
  export extern "poolctl token revoke" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl token revoke color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    token: string             # Its id or name
  ]

  def "nu-complete poolctl doctor color" [] {
    [ "auto" "always" "never" ]
  }

  # Check this installation: settings, files, state, clock, endpoints, contracts, farmers, channels
  export extern "poolctl doctor" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl doctor color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl health color" [] {
    [ "auto" "always" "never" ]
  }

  # Check that every job runs on time and nothing is stuck; exit 5 if not
  export extern "poolctl health" [
    --nagios                  # One line for a monitoring system, exit 0/1/2/3: warning above a limit, critical above twice as much or where an alert is open
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl health color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl notify color" [] {
    [ "auto" "always" "never" ]
  }

  # Send what needs attention to Slack, Discord, Telegram, ntfy or a webhook
  export extern "poolctl notify" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl notify color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl notify send color" [] {
    [ "auto" "always" "never" ]
  }

  # Tell the channels what changed, and send what is due; for cron, every minute
  export extern "poolctl notify send" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl notify send color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl notify test color" [] {
    [ "auto" "always" "never" ]
  }

  # Send a test notification to one channel, or to all
  export extern "poolctl notify test" [
    --dry-run                 # Show what would be done; write, sign and send nothing
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl notify test color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    channel?: string          # The channel's name; none = all
  ]

  def "nu-complete poolctl notify list color" [] {
    [ "auto" "always" "never" ]
  }

  # List notifications, the newest first: those that wait, and what became of the last ones
  export extern "poolctl notify list" [
    --limit: string           # Show at most N; 50 unless something else is said
    --after: string           # Go on where the page before ended: with its cursor
    --all                     # Show everything
    --csv                     # Write CSV: a line a row, named by the fields of the JSON output
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl notify list color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl metrics color" [] {
    [ "auto" "always" "never" ]
  }

  # Print the state as metrics, in Prometheus' text format
  export extern "poolctl metrics" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl metrics color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl report color" [] {
    [ "auto" "always" "never" ]
  }

  # Write one HTML page: TVL, rates, rewards, holders, the farm, and what needs a look
  export extern "poolctl report" [
    --html: path              # The page; - is stdout
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl report color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...pools: string          # Only these pools, by name or address; none = all
  ]

  def "nu-complete poolctl info color" [] {
    [ "auto" "always" "never" ]
  }

  # Show versions, networks, the state and the limits in force
  export extern "poolctl info" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl info color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl version color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the version, the build, and the versions of the schemas
  export extern "poolctl version" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl version color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl help color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the help of a command, or of a group of commands
  export extern "poolctl help" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl help color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...words: string          # The command; none = poolctl itself
  ]

  def "nu-complete poolctl schema color" [] {
    [ "auto" "always" "never" ]
  }

  # Show the JSON Schema of what a command writes with --json
  export extern "poolctl schema" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl schema color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...words: string          # The command, or a group of commands
  ]

  def "nu-complete poolctl completions shell" [] {
    [ "bash" "zsh" "fish" "powershell" "nushell" ]
  }

  def "nu-complete poolctl completions color" [] {
    [ "auto" "always" "never" ]
  }

  # Print the completion script of a shell
  export extern "poolctl completions" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl completions color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    shell: string@"nu-complete poolctl completions shell" # Which shell
  ]

  def "nu-complete poolctl man color" [] {
    [ "auto" "always" "never" ]
  }

  # Print the manual page of a command, or write the pages of all
  export extern "poolctl man" [
    --output: path            # Write the pages of all commands into this folder, as poolctl-pool-list.1
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl man color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
    ...words: string          # The command, or a group of commands
  ]

  def "nu-complete poolctl sandbox color" [] {
    [ "auto" "always" "never" ]
  }

  # Run networks of your own on this machine: an EVM and a Stellar network
  export extern "poolctl sandbox" [
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl sandbox color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

  def "nu-complete poolctl sandbox up color" [] {
    [ "auto" "always" "never" ]
  }

  # Start both networks with sample contracts and accounts, and run them until Ctrl-C
  export extern "poolctl sandbox up" [
    --evm-port: string        # Port of the EVM; 0 takes a free one
    --stellar-port: string    # Port of the Stellar network; 0 takes a free one
    --farm-wasm: path         # Deploy this build of the farm contract instead of the built-in one; it must have the same interface
    --tick: string            # A block and a ledger come this often, as in 1s or 250ms; or "manual": only sandbox_advance makes them
    --ledger-seconds: string  # Chain time of a block and a ledger: with a tick of 1s, 5 is five times as fast as the clock
    --write-config: path      # Write a config file for these networks, for use from another terminal; beside it an empty state file and the age identity of a key store
    --config: path            # Config file [env: POOLCTL_CONFIG] [default: the platform's config folder]
    --profile: string         # Profile: mainnet, testnet, sandbox or one of your own [env: POOLCTL_PROFILE]
    --state: path             # State file [env: POOLCTL_STATE] [default: the platform's data folder]
    --json                    # Write exactly one JSON document to stdout
    --color: string@"nu-complete poolctl sandbox up color" # When to use colours
    --yes                     # Answer every question with yes
    --passphrase-file: path   # Take the key store's passphrase from this file, which only its owner may read
    --wait: string            # Wait at most this long, up to 1d, for what another run holds; default: 10s
    --metrics-file: path      # Write the run's metrics to this file, as Prometheus text
    --ping-url-file: path     # Tell a watchdog of the start and the end of the run: POST to the URL in this file (mode 0600), to URL/start and to URL/fail, as healthchecks.io takes them
    --verbose(-v)             # Log more to stderr: -v debug, -vv trace
    --quiet(-q)               # Write nothing where all is well, warnings included; where the exit code is not 0, everything. --json and --nagios write all the same
    --help(-h)                # Print help (see more with '--help')
  ]

}

export use completions *
