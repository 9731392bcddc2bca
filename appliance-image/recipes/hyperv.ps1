<#
.SYNOPSIS
    Makes a Hyper-V machine of Weir's VHDX and hands it its first-boot configuration.

.DESCRIPTION
    The disk is copied beside the machine, uncompressed and not sparse, as Hyper-V wants it. Generation 2 starts with
    Secure Boot and the template that trusts Debian's shim; generation 1 starts by BIOS from an IDE disk.

    The configuration goes to the guest as key-value pairs weir.config.0, weir.config.1, ... of the integration
    services, in base64. It is read again after the next start, when the pairs were changed with -Update.

.EXAMPLE
    .\hyperv.ps1 -Name lb1 -Disk .\weir-0.1.0.vhdx -Switch LAN -Configuration .\weir.yaml

.EXAMPLE
    .\hyperv.ps1 -Name lb1 -Configuration .\weir.yaml -Update
#>
#Requires -RunAsAdministrator
#Requires -Modules Hyper-V
#Requires -PSEdition Desktop
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Name,
    [string] $Disk,
    [string] $Switch,
    [string] $Configuration,
    [ValidateSet(1, 2)] [int] $Generation = 2,
    [int64] $Memory = 512MB,
    [int] $Processors = 2,
    [switch] $Update
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# What a guest gets of a value: 2048 bytes of UTF-16, with its end.
$PieceLength = 990

function Set-KeyValuePairs([string] $Machine, [hashtable] $Pairs) {
    $scope = 'root\virtualization\v2'
    $system = Get-WmiObject -Namespace $scope -Class Msvm_ComputerSystem -Filter "ElementName='$Machine'"
    $service = Get-WmiObject -Namespace $scope -Class Msvm_VirtualSystemManagementService
    $settings = $system.GetRelated('Msvm_KvpExchangeComponent').GetRelated('Msvm_KvpExchangeComponentSettingData')

    # What was given before goes: a shorter configuration has fewer pieces.
    $old = foreach ($item in $settings.HostExchangeItems) {
        if (([xml] $item).SelectSingleNode("//PROPERTY[@NAME='Name']/VALUE").InnerText -like 'weir.config*') { $item }
    }
    if ($old) { Assert-Done ($service.RemoveKvpItems($system, @($old))) }

    $new = foreach ($key in $Pairs.Keys) {
        $item = ([WMIClass] "\\.\${scope}:Msvm_KvpExchangeDataItem").CreateInstance()
        $item.Name = $key
        $item.Data = $Pairs[$key]
        $item.Source = 0
        $item.PSBase.GetText(1)
    }
    Assert-Done ($service.AddKvpItems($system, @($new)))
}

# 0 is done; 4096 is a job that goes on.
function Assert-Done($Result) {
    if ($Result.ReturnValue -eq 0) { return }
    if ($Result.ReturnValue -ne 4096) { throw "Hyper-V refused the key-value pairs: $($Result.ReturnValue)" }
    $job = [WMI] $Result.Job
    for ($try = 0; $job.JobState -in 2, 3, 4 -and $try -lt 60; $try++) {
        Start-Sleep -Milliseconds 500
        $job.Get()
    }
    if ($job.JobState -ne 7) { throw "Hyper-V did not take the key-value pairs: $($job.ErrorDescription)" }
}

if (-not $Update) {
    if (-not $Disk) { throw 'Name the image with -Disk.' }
    $folder = Join-Path (Get-VMHost).VirtualHardDiskPath $Name
    $null = New-Item -ItemType Directory -Path $folder
    $copy = Join-Path $folder (Split-Path $Disk -Leaf)
    Copy-Item $Disk $copy
    # What came by a browser or out of an archive may be compressed or sparse: Hyper-V refuses it with 0xC03A001A.
    & compact.exe /u /q $copy | Out-Null
    & fsutil.exe sparse setflag $copy 0

    $machine = @{ Name = $Name; Generation = $Generation; MemoryStartupBytes = $Memory; VHDPath = $copy }
    if ($Switch) { $machine.SwitchName = $Switch }
    $null = New-VM @machine
    Set-VM -Name $Name -ProcessorCount $Processors -StaticMemory -AutomaticCheckpointsEnabled $false
    if ($Generation -eq 2) {
        Set-VMFirmware -VMName $Name -EnableSecureBoot On -SecureBootTemplate MicrosoftUEFICertificateAuthority
    }
    Enable-VMIntegrationService -VMName $Name -Name 'Shutdown', 'Time Synchronization', 'Key-Value Pair Exchange', 'Heartbeat'
}

if ($Configuration) {
    $text = [Convert]::ToBase64String([IO.File]::ReadAllBytes((Resolve-Path $Configuration)))
    $pairs = @{}
    for ($at = 0; $at -lt $text.Length; $at += $PieceLength) {
        $pairs["weir.config.$($at / $PieceLength)"] = $text.Substring($at, [Math]::Min($PieceLength, $text.Length - $at))
    }
    Set-KeyValuePairs $Name $pairs
}

if (-not $Update) { Start-VM -Name $Name }
Get-VM -Name $Name
