# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# rust-vmm's virtiofsd: a vhost-user daemon that shares no code with QEMU's. Debian has it since 13; it is unpacked into the
# cache together with the libraries it wants, so that it runs on 12 too.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"

# Sets `virtiofsd` to its path.
provide_virtiofsd() {
  detect_distribution
  virtiofsd=$cache/virtiofsd/virtiofsd
  [ -x "$virtiofsd" ] || locked "$cache/virtiofsd.lock" fetch_virtiofsd
  [ -x "$virtiofsd" ] || die "there is no virtiofsd: see above"
}

# In a subshell, with an apt root of its own: nobody else wants the packages of another release.
fetch_virtiofsd() (
  [ ! -x "$virtiofsd" ] || exit 0
  say "fetching virtiofsd and its libraries (5 MB, unpacked into $cache, not installed)"
  apt_root=$cache/apt-virtiofsd apt_root_updated=''
  apt_root_suites() { echo trixie; }
  apt_root_security_suites() { echo trixie-security; }
  update_apt_root
  folder=$(mktemp -d "$cache/virtiofsd.XXXXXX")
  chmod 755 "$folder"
  unpack_packages "$folder" virtiofsd libc6 libcap-ng0 libgcc-s1 libseccomp2
  cat >"$folder/virtiofsd" <<'EOF'
#!/bin/sh
libraries=${0%/*}/usr/lib/x86_64-linux-gnu
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "${0%/*}/usr/libexec/virtiofsd" "$@"
EOF
  chmod 755 "$folder/virtiofsd"
  "$folder/virtiofsd" --version >/dev/null || die "virtiofsd does not start"
  rm -rf "$cache/virtiofsd"
  mv "$folder" "$cache/virtiofsd"
)
