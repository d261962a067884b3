$ErrorActionPreference = 'Continue'
New-Item -ItemType Directory -Force -Path $Folder | Out-Null

function Hide-Names([string]$Text) {
    if ($Redact) { return [regex]::Replace($Text, "[A-Za-z0-9.!#%&*+=?^_{|}~-]+@", 'user@') }
    return $Text
}

function Save-Output([string]$File, [string]$Command) {
    $shown = "@PROMPT@ C:\>$Command`r`n`r`n"
    try {
        $shown += (Invoke-Expression $Command | Out-String -Width 4096)
    }
    catch {
        $shown += $_.Exception.Message
    }
    Add-Content -Encoding UTF8 -Path (Join-Path $Folder $File) -Value (Hide-Names $shown)
}
