# Completion of poolctl for fish: install it as ~/.config/fish/completions/poolctl.fish
# poolctl itself says what may come next, so this fits every version.
function __poolctl_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    command $words[1] __complete (count $words) $words "$current" 2>/dev/null
end
complete --command poolctl --no-files --keep-order --arguments '(__poolctl_complete)'
