#!/usr/bin/env bash
# Makes a machine of Weir's disk on XCP-ng or XenServer, with its first-boot configuration in xenstore. Runs on the host,
# where xe is.
#
#   xcp-ng.sh NAME WEIR.RAW [WEIR.YAML] [NETWORK]
#
# WEIR.RAW is what `zstd -d weir-VERSION.raw.zst` unpacks. NETWORK is a network's name; else the first bridge's.
set -euo pipefail
name=${1:?a name for the machine} disk=${2:?the unpacked disk} configuration=${3:-} network=${4:-}

# A message of xenstore has 4096 bytes, and its path is in it, too.
piece=3000

storage=$(xe pool-list params=default-SR --minimal)
if [[ -n $network ]]; then
    network=$(xe network-list name-label="$network" --minimal)
else
    network=$(xe network-list bridge=xenbr0 --minimal)
fi

machine=$(xe vm-install template="Other install media" new-name-label="$name")
xe vm-memory-limits-set uuid="$machine" static-min=256MiB dynamic-min=256MiB dynamic-max=512MiB static-max=512MiB
xe vm-param-set uuid="$machine" VCPUs-max=2 HVM-boot-policy="BIOS order" \
    HVM-boot-params:order=c HVM-boot-params:firmware=bios platform:viridian=false
xe vm-param-set uuid="$machine" VCPUs-at-startup=2

volume=$(xe vdi-create sr-uuid="$storage" name-label="$name" type=user virtual-size="$(stat -c %s "$disk")")
xe vdi-import uuid="$volume" filename="$disk" format=raw
xe vbd-create vm-uuid="$machine" vdi-uuid="$volume" device=0 bootable=true mode=RW type=Disk
xe vif-create vm-uuid="$machine" network-uuid="$network" device=0 mac=random

if [[ -n $configuration ]]; then
    text=$(base64 --wrap=0 "$configuration")
    for ((at = 0, index = 0; at < ${#text}; at += piece, index++)); do
        xe vm-param-set uuid="$machine" "xenstore-data:vm-data/weir/config.$index=${text:at:piece}"
    done
fi
xe vm-start uuid="$machine"
echo "$machine"
