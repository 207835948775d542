# An image with busybox, made by ourselves, for containerd.
image() {
    mkdir -p "$PLACE/oci/blobs/sha256"
    tar -C "$PLACE/rootfs" --owner 0 --group 0 -cf "$PLACE/layer" .
    local layer config manifest
    layer=$(blob "$PLACE/layer")
    echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo of the image; sleep 1\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$layer\"]}}" >"$PLACE/config"
    config=$(blob "$PLACE/config")
    echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":$(descriptor config.v1+json "$config"),\"layers\":[$(descriptor layer.v1.tar "$layer")]}" >"$PLACE/manifest"
    manifest=$(blob "$PLACE/manifest")
    echo "{\"schemaVersion\":2,\"manifests\":[$(descriptor manifest.v1+json "$manifest" ",\"annotations\":{\"io.containerd.image.name\":\"$REGISTRY/bb:1\"}")]}" >"$PLACE/oci/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$PLACE/oci/oci-layout"
    tar -C "$PLACE/oci" -c . | c images import --all-platforms -
}
blob() {
    local sum
    sum=$(sha256sum "$1" | cut -d ' ' -f 1)
    cp "$1" "$PLACE/oci/blobs/sha256/$sum"
    echo "$sum"
}
descriptor() {
    echo "{\"mediaType\":\"application/vnd.oci.image.$1\",\"digest\":\"sha256:$2\",\"size\":$(stat -c %s "$PLACE/oci/blobs/sha256/$2")${3:-}}"
}
