# Ends what a process leaves behind when it dies, whatever it dies of: kill -9 closes its end of our standard input too.
# Reads "guard <pid>", "release <pid>", "remove <folder>" and "cgroup <name>", line by line; at the end of the input kills the
# pids that are still guarded and removes the folder and the control groups. Deaf to the signals that a terminal sends to everybody.
trap '' HUP INT TERM
pids=
folder=
cgroup=
while read -r word value; do
  case $word in
    guard) pids="$pids $value" ;;
    release)
      rest=
      for pid in $pids; do [ "$pid" = "$value" ] || rest="$rest $pid"; done
      pids=$rest
      ;;
    remove) folder=$value ;;
    cgroup) cgroup=$value ;;
  esac
done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
tries=50
for pid in $pids; do
  # a zombie that nobody reaps would answer for ever
  while [ $tries -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
    sleep 0.1
    tries=$((tries - 1))
  done
done
while [ -n "$cgroup" ] && [ $tries -gt 0 ]; do
  groups=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$cgroup" 2>/dev/null)
  [ -n "$groups" ] || break
  for group in $groups; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; done
  sleep 0.1
  tries=$((tries - 1))
done
if [ -n "$folder" ]; then rm -rf -- "$folder"; fi
