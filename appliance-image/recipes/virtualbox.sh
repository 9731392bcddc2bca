#!/usr/bin/env bash
# Imports Weir's OVA into VirtualBox, with its first-boot configuration on a CD.
#
#   virtualbox.sh NAME WEIR.OVA [WEIR.YAML]
#
# Ports of this machine lead to the appliance: 8080 to 80, 8443 to 443, 9000 to 9000. BRIDGE=eth0 puts it on the network
# of that card instead.
set -euo pipefail
name=${1:?a name for the machine} ova=${2:?the OVA} configuration=${3:-}
here=$(dirname "$0")

VBoxManage import "$ova" --vsys 0 --vmname "$name"
if [[ -n ${BRIDGE:-} ]]; then
    VBoxManage modifyvm "$name" --nic1 bridged --bridgeadapter1 "$BRIDGE" --nictype1 virtio
else
    VBoxManage modifyvm "$name" --nic1 nat --nictype1 virtio \
        --natpf1 http,tcp,127.0.0.1,8080,,80 --natpf1 https,tcp,127.0.0.1,8443,,443 --natpf1 admin,tcp,127.0.0.1,9000,,9000
fi
if [[ -n $configuration ]]; then
    iso=$HOME/VirtualBox\ VMs/$name/first-boot.iso
    "$here/first-boot-disk.sh" "$configuration" "$iso"
    VBoxManage storagectl "$name" --name first-boot --add ide
    VBoxManage storageattach "$name" --storagectl first-boot --port 0 --device 0 --type dvddrive --medium "$iso"
fi
VBoxManage startvm "$name"
