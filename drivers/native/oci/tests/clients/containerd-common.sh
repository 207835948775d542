# A containerd of the script's own, and ctr to command it.
. "$(dirname "$0")/image.sh"

cat >"$PLACE/config.toml" <<T
version = 2
root = "$PLACE/root"
state = "$PLACE/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$PLACE/c.sock"
[ttrpc]
  address = "$PLACE/c.sock.ttrpc"
T
rootfs "$PLACE/rootfs"
daemon log containerd --config "$PLACE/config.toml"
# The namespace's name is that of its cgroups, too.
CTR=(ctr --address "$PLACE/c.sock" --namespace "$PARENT")
c() { timeout 120 "${CTR[@]}" "$@"; }
status() { c task ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status "$1")" = "$2" ]; }
