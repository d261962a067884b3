# Gathers what `gatepost doctor` reads of Exchange Server, and changes nothing. Run it in the Exchange Management Shell on
# one of the servers that send to the cloud:
#
#     .\collect-exchange.ps1 [-Redact] [-Folder C:\evidence]
#
# It reads certificates (no private key), connectors, queues, events and the last protocol log files. With -Redact the
# part of mail addresses before the @ is replaced.
param(
    [switch]$Redact = @REDACT@,
    [string]$Folder = "gatepost-evidence-$env:COMPUTERNAME-$(Get-Date -Format 'yyyyMMdd-HHmm')",
    [int]$Days = 2
)

@SAVING@
Save-Output 'server.txt' 'Get-Date'
Save-Output 'server.txt' 'Get-ExchangeServer | Format-List Name,AdminDisplayVersion,ServerRole,Site'
Save-Output 'organization.txt' 'Get-AcceptedDomain | Format-List Name,DomainName,DomainType,Default'
Save-Output 'organization.txt' 'Get-HybridConfiguration | Format-List'
Save-Output 'send-connectors.txt' 'Get-SendConnector | Format-List Identity,Name,Enabled,AddressSpaces,SmartHosts,DNSRoutingEnabled,Fqdn,TlsCertificateName,TlsDomain,TlsAuthLevel,RequireTLS,IgnoreSTARTTLS,CloudServicesMailEnabled,SourceTransportServers,SmartHostAuthMechanism,SourceIPAddress,ProtocolLoggingLevel'

foreach ($server in (Get-TransportService).Name) {
    Save-Output "certificates-$server.txt" "Get-ExchangeCertificate -Server $server | Format-List Thumbprint,Services,Subject,Issuer,CertificateDomains,SerialNumber,NotBefore,NotAfter,Status,HasPrivateKey,IsSelfSigned,RootCAType"
    Save-Output "receive-connectors-$server.txt" "Get-ReceiveConnector -Server $server | Format-List Identity,Name,Enabled,TransportRole,Bindings,RemoteIPRanges,Fqdn,TlsCertificateName,TlsDomainCapabilities,AuthMechanism,PermissionGroups,RequireTLS,ProtocolLoggingLevel"
    Save-Output "queues-$server.txt" "Get-Queue -Server $server | Where-Object MessageCount -gt 0 | Format-List Identity,DeliveryType,NextHopDomain,NextHopConnector,Status,MessageCount,LastError"
}

if (Get-Command Get-EdgeSubscription -ErrorAction SilentlyContinue) {
    Save-Output 'edge.txt' 'Get-EdgeSubscription | Format-List Name,Site'
    Save-Output 'edge.txt' 'Test-EdgeSynchronization | Format-List'
}

Save-Output 'windows.txt' 'netsh winhttp show proxy'
Save-Output 'windows.txt' 'reg query HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols /s'
Save-Output 'windows.txt' 'reg query HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot'
Save-Output 'windows.txt' 'Get-ChildItem Cert:\LocalMachine\My | Format-List Thumbprint,Subject,Issuer,NotAfter,HasPrivateKey'

$since = (Get-Date).AddDays(-$Days)
$wanted = 12014, 12015, 12016, 12017, 12018, 12023, 16023, 2004, 1035
Get-WinEvent -FilterHashtable @{ LogName = 'Application'; Id = $wanted; StartTime = $since } -MaxEvents 100 -ErrorAction SilentlyContinue |
    ForEach-Object { $_.ToXml() } | Set-Content -Encoding UTF8 -Path (Join-Path $Folder 'events.xml')
Get-WinEvent -FilterHashtable @{ LogName = 'System'; ProviderName = 'Schannel'; StartTime = $since } -MaxEvents 50 -ErrorAction SilentlyContinue |
    ForEach-Object { $_.ToXml() } | Set-Content -Encoding UTF8 -Path (Join-Path $Folder 'schannel.xml')

$transport = Get-TransportService -Identity $env:COMPUTERNAME -ErrorAction SilentlyContinue
$frontend = Get-FrontendTransportService -Identity $env:COMPUTERNAME -ErrorAction SilentlyContinue
foreach ($path in $transport.SendProtocolLogPath, $frontend.ReceiveProtocolLogPath) {
    if (-not $path) { continue }
    Get-ChildItem -Path "$path" -Filter '*.LOG' | Sort-Object LastWriteTime | Select-Object -Last 2 | ForEach-Object {
        Hide-Names ((Get-Content -Path $_.FullName -Encoding UTF8 | Select-Object -Last 20000) -join "`r`n") |
            Set-Content -Encoding UTF8 -Path (Join-Path $Folder $_.Name)
    }
}

Compress-Archive -Path "$Folder\*" -DestinationPath "$Folder.zip" -Force
Write-Host "Evidence: $Folder.zip. Next: gatepost doctor $Folder.zip"
