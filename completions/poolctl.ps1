# Completion of poolctl for PowerShell: . it in your $PROFILE
# poolctl itself says what may come next, so this fits every version.
Register-ArgumentCompleter -Native -CommandName poolctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() })
    $index = $words.Count - 1
    # Some versions hand no empty words on, so a word that is to begin is only counted.
    if ($wordToComplete -eq '') { $index = $words.Count }
    & $words[0] __complete $index @words 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}
