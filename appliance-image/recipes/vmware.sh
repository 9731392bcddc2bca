#!/usr/bin/env bash
# Deploys Weir's OVA to ESXi or vCenter with govc, and hands over the first-boot configuration as guestinfo.
#
#   vmware.sh NAME WEIR.OVA [WEIR.YAML]
#
# GOVC_URL, GOVC_USERNAME, GOVC_PASSWORD, GOVC_DATASTORE and GOVC_NETWORK are govc's own. Without govc, ovftool does it
# in one step: docs/import.md.
set -euo pipefail
name=${1:?a name for the machine} ova=${2:?the OVA} configuration=${3:-}

options=$(mktemp)
trap 'rm -f "$options"' EXIT
cat >"$options" <<JSON
{ "DiskProvisioning": "thin", "NetworkMapping": [{ "Name": "VM Network", "Network": "${GOVC_NETWORK:-VM Network}" }] }
JSON
govc import.ova -name "$name" -options "$options" "$ova"
if [[ -n $configuration ]]; then
    govc vm.change -vm "$name" -e "guestinfo.weir.config=$(gzip -9nc "$configuration" | base64 --wrap=0)" \
        -e guestinfo.weir.config.encoding=gzip+base64
fi
govc vm.power -on "$name"
govc vm.ip -wait 2m "$name"
