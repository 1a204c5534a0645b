#!/bin/bash
# Boots a virtual machine by software emulation, in the machine's network namespace and a pid namespace of its own. Its disk is an overlay
# of the cached one; its own files are on a second disk, as a tar archive.
# usage: vm.sh NAME DIR LAYER MAC
set -euo pipefail
name=$1 dir=$2 layer=$3 mac=$4
[ -e "$dir/disk.qcow2" ] || qemu-img create -q -f qcow2 -F raw -b "$layer/disk" "$dir/disk.qcow2"
tar -C "$dir/upper" -cf "$dir/seed.tar" .

# The address and the MAC are the guest's; the port of the lab's network only forwards.
ip addr flush dev eth0
ip link set eth0 down
ip link set eth0 address "0a${mac#02}"
ip link add br0 type bridge
ip tuntap add tap0 mode tap
ip link set eth0 master br0
ip link set tap0 master br0
for link in br0 eth0 tap0; do ip link set "$link" up; done

# A copy of a folder of the host, from the lab's creation: /dev/vdc.
share=()
if [ -e "$dir/share.ext4" ]; then share=(-drive "file=$dir/share.ext4,format=raw,if=virtio,readonly=on"); fi

exec qemu-system-x86_64 -name "$name" -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
  -nodefaults -no-user-config -display none -serial stdio \
  -kernel "$layer/kernel" -initrd "$layer/initrd" \
  -append "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off systemd.show_status=false" \
  -drive "file=$dir/disk.qcow2,if=virtio,discard=unmap" -drive "file=$dir/seed.tar,format=raw,if=virtio,readonly=on" \
  "${share[@]}" \
  -netdev tap,id=net,ifname=tap0,script=no,downscript=no -device "virtio-net-pci,netdev=net,mac=$mac" \
  -device virtio-rng-pci
