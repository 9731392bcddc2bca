#!/usr/bin/env bash
# Makes a machine of Weir's qcow2 with libvirt. The first-boot configuration is a file of the host that QEMU hands over
# by fw_cfg.
#
#   libvirt.sh NAME WEIR.QCOW2 [WEIR.YAML]
#
# NETWORK=network=default or bridge=br0; FIRMWARE=uefi starts by UEFI.
set -euo pipefail
name=${1:?a name for the machine} disk=${2:?the qcow2} configuration=${3:-}
pool=/var/lib/libvirt/images

install --mode=0600 "$disk" "$pool/$name.qcow2"
arguments=(--name "$name" --import --osinfo linux2022 --memory 256 --vcpus 2 --cpu host-passthrough
    --disk "path=$pool/$name.qcow2,bus=virtio,discard=unmap"
    --network "${NETWORK:-network=default},model=virtio"
    --rng /dev/urandom --watchdog i6300esb,action=reset --graphics none --console pty
    --channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0 --noautoconsole)
[[ ${FIRMWARE:-} != uefi ]] || arguments+=(--boot uefi)
if [[ -n $configuration ]]; then
    install --mode=0644 "$configuration" "$pool/$name.yaml"
    arguments+=(--sysinfo "type=fwcfg,entry0.name=opt/weir/config,entry0.file=$pool/$name.yaml")
fi
virt-install "${arguments[@]}"
echo "virsh console $name"
