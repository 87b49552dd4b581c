# Before a start that follows a failed one. A full disk can leave a hole in the log of commands, and Redis
# does not start from such a log. What comes after the hole is cut off here; the whole of it is kept aside
# where there is room. In a cluster the node then takes what it lacks from the other copy.
set -eu
cd "/var/lib/redis/$1"
[ -e start-failed ] || exit 0
rm start-failed
manifest=appendonlydir/appendonly.aof.manifest
if [ ! -e "$manifest" ] || redis-check-aof "$manifest" >/dev/null 2>&1; then
    exit 0
fi
rm -rf appendonlydir.damaged
cp -a appendonlydir appendonlydir.damaged || rm -rf appendonlydir.damaged
echo y | redis-check-aof --fix "$manifest" | tail -n 3
