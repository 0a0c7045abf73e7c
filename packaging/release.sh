#!/usr/bin/env bash
# Builds the files of a release from the last commit.
#
#   packaging/release.sh build FOLDER [TARGET...]    builds binaries for the targets (default: all below), and all files
#   packaging/release.sh compare FOLDER [TARGET...]  builds again in another folder, and compares each file byte for byte
#   packaging/release.sh pack FOLDER TARGET BINARY   writes archive, package and symbols of a binary
#   packaging/release.sh finish FOLDER               writes source archive, formula, checksums and signature
#
# Targets: x86_64-unknown-linux-musl and aarch64-unknown-linux-musl, static binaries for any distribution, also in the
# Debian packages and the zip files for AWS Lambda.
#
#   RELEASE_URL    URL of the folder in which the files will be published, for the Homebrew formula
#   RELEASE_KEY    OpenSSH key that signs the checksums; without it there is no signature
#
# Needs Rust with rustup, Python, ssh-keygen and the Debian tools for packages. The cross compiler comes from PyPI and
# cargo-cyclonedx from crates.io. A build takes about 30 minutes per target on two cores.
set -euo pipefail
umask 022
export LC_ALL=C

root=$(cd "$(dirname "$0")/.." && pwd)
script=release.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

all_targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl)
cache=$root/target/release-tools
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# archive FOLDER NAME FILE: packs FOLDER/NAME, with the same bytes for the same content.
archive() {
  tar -C "$1" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$2" |
    gzip -6n >"$3"
}

# install_tools: installs the cross compiler and the SBOM generator.
install_tools() {
  need_python
  install_python "$root/packaging/release/requirements.txt" "$cache/python"
  PATH=$cache/python/bin:$PATH
  cargo install --quiet --locked --root "$cache" cargo-cyclonedx@0.5.9
}

# build_binary TARGET SOURCE BUILD: builds the binary of SOURCE in the folder BUILD.
#
# Paths of this machine are removed from the binary, of Rust code and of C code, so that another folder gives the same.
build_binary() {
  local target=$1 source=$2 build=$3 cargo_home=${CARGO_HOME:-$HOME/.cargo}
  local flags="" path
  for path in "$source=/sgsend" "$build=/build" "$cargo_home=/cargo"; do flags+=" --remap-path-prefix=$path"; done
  rustup target add "$target" >/dev/null 2>&1
  (
    cd "$source"
    export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$build
    export "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_RUSTFLAGS=$flags"
    export CFLAGS="-ffile-prefix-map=$source=/sgsend -ffile-prefix-map=$build=/build -ffile-prefix-map=$cargo_home=/cargo"
    # With symbols, which `split` puts into a file of their own.
    export CARGO_PROFILE_DIST_STRIP=none
    cargo zigbuild --locked --profile dist --features lambda --target "$target" --bin sgsend
  )
}

# split BINARY STRIPPED SYMBOLS: copies a binary without symbols, which name functions in profiles and core dumps, and puts
# these into a file of their own. The copy has its name, so that debuggers find it beside the binary.
split() {
  local rust objcopy
  rust=$(rustc --print sysroot)
  # The compiler's own, since that of Debian changes binaries of this machine's architecture only.
  objcopy=$rust/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-objcopy
  mkdir -p "$(dirname "$2")"
  LD_LIBRARY_PATH=$rust/lib "$objcopy" --only-keep-debug "$1" "$3"
  chmod 644 "$3"
  LD_LIBRARY_PATH=$rust/lib "$objcopy" --strip-all --add-gnu-debuglink="$3" "$1" "$2"
}

# pack FOLDER TARGET BINARY: writes archive, package and symbols. The binary without symbols is $work/TARGET/sgsend then.
pack() {
  local folder=$1 target=$2 name=sgsend-$version-$2
  local binary=$work/$target/sgsend symbols=$work/$target/sgsend.debug
  mkdir -p "$folder" "$work/$name/man"
  split "$3" "$binary" "$symbols"
  gzip -6n <"$symbols" >"$folder/$name.debug.gz"
  install -m 755 "$binary" "$work/$name/sgsend"
  install -m 644 "$root"/man/*.1 "$work/$name/man/"
  cp -r "$root/completions" "$root/LICENSE" "$root/README.md" "$root/CHANGELOG.md" "$work/$name/"
  archive "$work" "$name" "$folder/$name.tar.gz"
  rm -rf "${work:?}/$name"
  case $target in
    x86_64-*linux*) DEB_ARCHITECTURE=amd64 "$root/packaging/deb.sh" "$binary" "$folder" >/dev/null ;;
    aarch64-*linux*) DEB_ARCHITECTURE=arm64 "$root/packaging/deb.sh" "$binary" "$folder" >/dev/null ;;
  esac
}

# finish FOLDER
finish() {
  local folder=$1 source=sgsend-$version.tar.gz url=${RELEASE_URL:-https://example.org/releases/$version}
  git -C "$root" archive --format=tar --prefix="sgsend-$version/" HEAD | gzip -6n >"$folder/$source"
  sed -e "s|@HOMEPAGE@|${url%/*}|" -e "s|@URL@|$url/$source|" \
    -e "s|@SHA256@|$(sha256sum "$folder/$source" | cut -d' ' -f1)|" \
    "$root/packaging/brew/sgsend.rb.in" >"$folder/sgsend.rb"
  rm -f "$folder"/SHA256SUMS*
  (cd "$folder" && sha256sum -- *) >"$work/SHA256SUMS"
  mv "$work/SHA256SUMS" "$folder/"
  if [ -n "${RELEASE_KEY:-}" ]; then
    ssh-keygen -q -Y sign -f "$RELEASE_KEY" -n sgsend-release "$folder/SHA256SUMS"
  else
    say "no signature: RELEASE_KEY names no key"
  fi
}

# components SOURCE TARGET FILE: writes the list of components, without the path of this machine.
components() {
  local source=$1 target=$2 file=$3
  (cd "$source" && "$cache/bin/cargo-cyclonedx" cyclonedx --format json --spec-version 1.5 --features lambda --target "$target" --override-filename sgsend)
  sed "s|path+file://$source|path+file:///sgsend|g" "$source/sgsend.json" >"$file"
  rm "$source/sgsend.json"
}

# same FOLDER OTHER: compares the files of two builds byte for byte, and reports each.
same() {
  local file name status=0
  for file in "$1"/*; do
    name=$(basename "$file")
    case $name in *.sig) continue ;; esac
    if cmp "$file" "$2/$name"; then say "identical: $name"; else say "different: $name"; status=1; fi
  done
  return "$status"
}

# build FOLDER SOURCE [TARGET...]: builds everything from a copy of the last commit in SOURCE.
build() {
  local folder=$1 source=$2 target
  shift 2
  mkdir -p "$folder" "$source"
  git -C "$root" archive HEAD | tar -x -C "$source"
  for target; do
    say "== Building $target"
    build_binary "$target" "$source" "$source/target"
    pack "$folder" "$target" "$source/target/$target/dist/sgsend"
    "$root/packaging/lambda.sh" "$work/$target/sgsend" "$folder/sgsend-$version-lambda-${target%%-*}.zip" >/dev/null
  done
  say "== Components"
  components "$source" "$1" "$folder/sgsend-$version.cdx.json"
  finish "$folder"
}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

command=${1:-}
[ $# -ge 2 ] || usage
mkdir -p "$2"
folder=$(realpath "$2")
shift 2
case $command in
  build | compare)
    if [ -n "$(git -C "$root" status --porcelain)" ]; then fail "the working tree has changes that are not committed"; fi
    if [ $# = 0 ]; then set -- "${all_targets[@]}"; fi
    install_tools
    if [ "$command" = build ]; then
      build "$folder" "$work/source" "$@"
      (cd "$folder" && sha256sum -- *)
    else
      build "$work/again" "$work/another/source" "$@"
      same "$work/again" "$folder"
    fi
    ;;
  pack) [ $# = 2 ] || usage; pack "$folder" "$1" "$(realpath "$2")" ;;
  finish) [ $# = 0 ] || usage; finish "$folder" ;;
  *) usage ;;
esac
