# The first process of a node, in mount, network and process namespaces of its own: with it go its mounts, devices, rules of iptables and containers.
# sh namespaces.sh <folder>; it is ready when <folder>/namespaces exists.
set -e
folder=$1
# mounts are told to containers, and not to the machine
mount --make-rshared /
# containerd, kubelet and CNI keep files here whatever they are told
for hidden in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$hidden"; done
mkdir -p /run/lock /var/lib/kubelet /var/log/pods

# kubelet sets these for the whole machine where they are not so: it shall find them so
hide() {
  [ -e "/proc/sys/$1" ] || return 0
  mkdir -p "$folder/sysctl"
  echo "$2" > "$folder/sysctl/$3"
  mount --bind "$folder/sysctl/$3" "/proc/sys/$1"
}
hide vm/overcommit_memory 1 overcommit_memory
hide vm/panic_on_oom 0 panic_on_oom
hide kernel/panic 10 panic
hide kernel/panic_on_oops 1 panic_on_oops
hide kernel/keys/root_maxkeys 1000000 root_maxkeys
hide kernel/keys/root_maxbytes 25000000 root_maxbytes

: > "$folder/namespaces"
# waits for children of others too, who become ours when their parents end
while :; do
  sleep 3600 &
  wait "$!"
done
