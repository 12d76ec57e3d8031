# Completion of poolctl for bash: source it, or install it as /usr/share/bash-completion/completions/poolctl
# poolctl itself says what may come next, so this fits every version.
_poolctl() {
    local words=() word line glue=
    local IFS=$'\n'
    # Readline splits at "=", poolctl does not.
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ $word == "=" && ${#words[@]} -gt 1 ]]; then
            words[${#words[@]}-1]+="="
            glue=1
        elif [[ -n $glue ]]; then
            words[${#words[@]}-1]+=$word
            glue=
        else
            words+=("$word")
        fi
    done
    local last=${words[${#words[@]}-1]} cut=
    [[ $last == --*=* ]] && cut="${last%%=*}="
    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        COMPREPLY+=("${line#"$cut"}")
    done < <("${words[0]}" __complete $((${#words[@]} - 1)) "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _poolctl poolctl
