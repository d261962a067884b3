# Gathers what `gatepost doctor` reads of an Exchange Online tenant, and changes nothing. First Connect-ExchangeOnline as a
# reader (Global Reader is enough), then:
#
#     .\collect-exchange-online.ps1 [-Redact] [-Folder C:\evidence]
#
# It reads connectors, accepted domains, blocks, rules that route, and the failed messages of the last two days. With
# -Redact the part of mail addresses before the @ is replaced.
param(
    [switch]$Redact = @REDACT@,
    [string]$Folder = "gatepost-evidence-tenant-$(Get-Date -Format 'yyyyMMdd-HHmm')",
    [int]$Days = 2
)

@SAVING@
Save-Output 'tenant.txt' 'Get-Date'
Save-Output 'inbound-connectors.txt' 'Get-InboundConnector -ResultSize Unlimited | Format-List Name,Enabled,ConnectorType,ConnectorSource,SenderDomains,SenderIPAddresses,TlsSenderCertificateName,RequireTls,RestrictDomainsToIPAddresses,RestrictDomainsToCertificate,AssociatedAcceptedDomains,CloudServicesMailEnabled,TreatMessagesAsInternal,EFSkipLastIP,EFSkipIPs,WhenCreatedUTC,WhenChangedUTC'
Save-Output 'outbound-connectors.txt' 'Get-OutboundConnector -IncludeTestModeConnectors $true | Format-List Name,Enabled,ConnectorType,RecipientDomains,SmartHosts,UseMXRecord,TlsDomain,TlsSettings,CloudServicesMailEnabled,RouteAllMessagesViaOnPremises,IsTransportRuleScoped,SmtpDaneMode,MtaStsMode,WhenChangedUTC'
Save-Output 'accepted-domains.txt' 'Get-AcceptedDomain | Format-List Name,DomainName,DomainType,MatchSubDomains,Default'
Save-Output 'blocks.txt' 'Get-BlockedConnector | Format-List'
Save-Output 'blocks.txt' 'Get-BlockedSenderAddress | Format-List'
Save-Output 'blocks.txt' 'Get-HostedConnectionFilterPolicy -Identity Default | Format-List IPAllowList,IPBlockList'
Save-Output 'organization.txt' 'Get-OrganizationConfig | Format-List RejectDirectSend'
Save-Output 'organization.txt' 'Get-TransportConfig | Format-List SmtpClientAuthenticationDisabled'
Save-Output 'organization.txt' 'Get-OnPremServerReportInfo | Format-List'
Save-Output 'rules.txt' 'Get-TransportRule -ResultSize Unlimited | Where-Object RouteMessageOutboundConnector | Format-List Name,State,Mode,Priority,RouteMessageOutboundConnector,ExceptIfHeaderContainsMessageHeader'

$failed = Get-MessageTraceV2 -StartDate (Get-Date).AddDays(-$Days) -EndDate (Get-Date) -Status Failed -ResultSize 50 -ErrorAction SilentlyContinue
foreach ($message in ($failed | Select-Object -First 20)) {
    Hide-Names ($message | Get-MessageTraceDetailV2 -ErrorAction SilentlyContinue | Format-List 'Date','Event','Action','Detail','Data' | Out-String -Width 4096) |
        Add-Content -Encoding UTF8 -Path (Join-Path $Folder 'message-trace.txt')
}

Compress-Archive -Path "$Folder\*" -DestinationPath "$Folder.zip" -Force
Write-Host "Evidence: $Folder.zip. Next: gatepost doctor $Folder.zip"
