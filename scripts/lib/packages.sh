# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The distribution's packages that building and testing need, installed only where missing.

# shellcheck source=scripts/lib/distribution.sh
. "${BASH_SOURCE[0]%/*}/distribution.sh"

# shellcheck disable=SC2034 # some of the lists are for those who source this
build_packages=(g++ make meson ninja-build pkg-config python3 liburing-dev libasio-dev libfmt-dev libspdlog-dev libcli11-dev)
kernel_packages=(gcc libc6-dev libelf1 kmod xz-utils cpio)
arm64_packages=(gcc-aarch64-linux-gnu)
debug_kernel_packages=(bc bison flex libelf-dev)
dkms_packages=(dkms pahole)
vm_packages=(qemu-system-x86 qemu-system-common qemu-utils busybox-static fio e2fsprogs xfsprogs dosfstools evtest strace util-linux procps
  iproute2 dmsetup)
check_packages=(git jq sparse shellcheck groff-base clang-format clang-19 libclang-rt-19-dev)
fetch_packages=(ca-certificates debian-archive-keyring)

package_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The name under which this release ships a package: libelf1 became libelf1t64 in Debian 13.
package_name() {
  if [ "$1" = libelf1 ] && [ "$suite" != bookworm ]; then
    echo libelf1t64
  else
    echo "$1"
  fi
}

# install_packages NAME...: a no-op, without root and without network, when all of them are there.
install_packages() {
  local missing=() name
  for name in "$@"; do
    name=$(package_name "$name")
    package_installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing: ${missing[*]}"
  quietly "$cache/log/apt-update.log" as_root apt-get update
  quietly "$cache/log/apt-install.log" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

install_all_packages() {
  install_packages "${build_packages[@]}" "${kernel_packages[@]}" "${arm64_packages[@]}" "${debug_kernel_packages[@]}" \
    "${dkms_packages[@]}" "${vm_packages[@]}" "${check_packages[@]}" "${fetch_packages[@]}"
}
