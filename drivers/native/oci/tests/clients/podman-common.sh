# Podman by its storage, state and settings of our own, and an image with busybox.
# The clients' own defaults are more than a small machine's hard limits.
cat >"$PLACE/containers.conf" <<T
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[network]
network_backend = "netavark"
network_config_dir = "$PLACE/networks"
T
export CONTAINERS_CONF=$PLACE/containers.conf
mkdir -p "$PLACE/.config/containers"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$PLACE/.config/containers/policy.json"
if [ "$(id -u)" != 0 ]; then
    export XDG_RUNTIME_DIR=$PLACE/xdg
    mkdir -m 700 "$XDG_RUNTIME_DIR"
fi
POD=(podman --root "$PLACE/root" --runroot "$PLACE/run" --tmpdir "$PLACE/tmp" --runtime "$RUNTIME" --cgroup-manager cgroupfs
    --events-backend file --storage-driver overlay)
rooted() { [ "$(id -u)" = 0 ]; }
OURS=()
rooted && OURS=(--cgroup-parent "/$PARENT")
p() { timeout 120 "${POD[@]}" "$@"; }
run() { p run "${OURS[@]}" --network none "$@"; }
is() { [ "$(p inspect -f "$2" "$1")" = "$3" ]; }
policy=(--signature-policy "$PLACE/.config/containers/policy.json")
tar -C "$PLACE/rootfs" --owner 0 --group 0 -c . | p import "${policy[@]}" - bb >"$PLACE/import" 2>&1 ||
    { cat "$PLACE/import"; exit 1; }

