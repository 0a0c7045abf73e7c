#!/usr/bin/env bash
# Makes a zip for AWS Lambda of a binary that is built with the feature lambda.
#
#   packaging/lambda.sh BINARY [ZIP]     default: target/sgsend-lambda-ARCHITECTURE.zip
#
# The zip has the binary as `bootstrap`, which the runtime provided.al2023 starts. The same binary gives the same zip.
set -euo pipefail

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: packaging/lambda.sh BINARY [ZIP]" >&2
  exit 2
fi
binary=$1
root=$(cd "$(dirname "$0")/.." && pwd)
fail() { echo "lambda.sh: $*" >&2; exit 1; }

# The machine in the header of the ELF file.
case $(od -An -tx2 -j18 -N2 "$binary" | tr -d ' ') in
  003e) architecture=x86_64 ;;
  00b7) architecture=arm64 ;;
  *) fail "$binary is no Linux binary for x86_64 or arm64" ;;
esac
# Amazon Linux 2023 has glibc 2.34: a binary that was built on a newer system may need a newer one.
newest=$(grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sort -uV | tail -1 || true)
if [ -n "$newest" ] && [ "$(printf 'GLIBC_2.34\n%s\n' "$newest" | sort -V | tail -1)" != GLIBC_2.34 ]; then
  fail "$binary needs ${newest/_/ }, and Lambda has GLIBC 2.34: build it on an older system, such as Amazon Linux 2023"
fi
# Without arguments in Lambda's environment, a binary without the feature says so. This one may be of another machine.
said=$(env -i AWS_LAMBDA_RUNTIME_API=127.0.0.1:9 _HANDLER=public "$binary" 2>&1 </dev/null || true)
if [[ $said == *"without Lambda"* ]]; then fail "$binary was built without Lambda: cargo build --features lambda"; fi

zip=${2:-$root/target/sgsend-lambda-$architecture.zip}
mkdir -p "$(dirname "$zip")"
python3 - "$binary" "$zip" <<'PYTHON'
import sys, zipfile

entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
with open(sys.argv[1], "rb") as binary, zipfile.ZipFile(sys.argv[2], "w") as archive:
    archive.writestr(entry, binary.read())
PYTHON
echo "$zip"
