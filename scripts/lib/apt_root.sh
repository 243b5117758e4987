# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A private apt root: packages of other suites (backports' kernel, an older kernel) are looked up and downloaded without
# touching the machine's apt configuration, lists or installed packages, and without root.
#
# apt checks the signatures itself, against Debian's own keyring and nothing else.

# shellcheck source=scripts/lib/distribution.sh
. "${BASH_SOURCE[0]%/*}/distribution.sh"

apt_root=$cache/apt
# Whose packages it lists: this machine's, unless somebody who needs others says so before it is written.
apt_root_architectures=()
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror this machine is set up for: we add suites, never a host.
machine_mirror() {
  # shellcheck disable=SC2016 # the dollar signs are apt's
  apt-get indextargets --format '$(CODENAME) $(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk -v suite="$suite" '$1 == suite || $2 == suite { print $3; exit }'
}

# The same for security updates, which have an archive of their own: empty if this machine takes none.
machine_security_mirror() {
  # shellcheck disable=SC2016 # the dollar signs are apt's
  apt-get indextargets --format '$(CODENAME) $(SITE)' 'Created-By: Packages' |
    awk -v suite="$suite-security" '$1 == suite { print $2; exit }'
}

# A machine that takes no security updates (a bare debootstrap): most mirrors have that archive beside the other.
neighbouring_security_mirror() {
  local guess=${1%/}-security there=''
  there=$(mktemp -d)
  if /usr/lib/apt/apt-helper download-file "$guess/dists/$suite-security/InRelease" "$there/InRelease" >/dev/null 2>&1; then
    echo "$guess"
  fi
  rm -rf "$there"
}

# The suites that hold both kernels (6.12 and 6.1), with build tools that run on this release's libc.
apt_root_suites() {
  case $suite in
    bookworm) echo bookworm bookworm-backports ;;
    *) echo trixie bookworm ;;
  esac
}

# Kernels as users run them: an older 6.1 stops hwrng's thread twice when an rng goes soon after it came (CVE-2026-45949).
apt_root_security_suites() {
  case $suite in
    bookworm) echo bookworm-security ;;
    *) echo trixie-security bookworm-security ;;
  esac
}

# apt_source URI ARCHITECTURES SUITE...: in the form of a .sources file.
apt_source() {
  cat <<EOF
Types: deb
URIs: $1
Suites: ${*:3}
Components: main
Architectures: $2
Signed-By: $debian_keyring

EOF
}

# How to reach the network (proxy, time-outs) is the machine's business: taken over. Hooks and pins are not.
write_apt_root() {
  local mirror security architectures=("${apt_root_architectures[@]}")
  [ ${#architectures[@]} -gt 0 ] || architectures=("$(dpkg --print-architecture)")
  mirror=$(machine_mirror)
  if [ -z "$mirror" ]; then
    # A machine whose lists were never fetched (a fresh container) still names its mirror once they are.
    quietly "$cache/log/apt-update.log" as_root apt-get update
    mirror=$(machine_mirror)
  fi
  [ -n "$mirror" ] || die "found no mirror for '$suite' in this machine's apt sources (apt-get indextargets)"
  [ -r "$debian_keyring" ] || die "no $debian_keyring: install debian-archive-keyring"
  mkdir -p "$apt_root"/{lists/partial,archives/partial,empty}
  security=$(machine_security_mirror)
  [ -n "$security" ] || security=$(neighbouring_security_mirror "$mirror")
  # shellcheck disable=SC2046 # the suites are words
  {
    apt_source "$mirror" "${architectures[*]}" $(apt_root_suites)
    [ -z "$security" ] || apt_source "$security" "${architectures[*]}" $(apt_root_security_suites)
  } >"$apt_root/debian.sources"
  {
    apt-config dump | grep -E '^Acquire::' || true
    cat <<EOF
Dir::Etc::sourcelist "$apt_root/debian.sources";
Dir::Etc::sourceparts "$apt_root/empty";
Dir::Etc::parts "$apt_root/empty";
Dir::Etc::main "$apt_root/empty/none";
Dir::Etc::preferences "$apt_root/empty/none";
Dir::Etc::preferencesparts "$apt_root/empty";
Dir::State::lists "$apt_root/lists";
Dir::Cache "$apt_root";
APT::Sandbox::User "root";
APT::Architectures { $(printf '"%s"; ' "${architectures[@]}")};
EOF
  } >"$apt_root/apt.conf"
}

private_apt() { APT_CONFIG=$apt_root/apt.conf "$@"; }

# Fetches the lists, at most once per run of a script.
update_apt_root() {
  [ -z "${apt_root_updated:-}" ] || return 0
  write_apt_root
  quietly "$cache/log/private-apt-update.log" private_apt apt-get update
  apt_root_updated=1
}

# newest_version PACKAGE PREFIX: the newest version in the private root that starts with PREFIX.
newest_version() {
  local version best=''
  while read -r version; do
    if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then best=$version; fi
  done < <(private_apt apt-cache madison "$1" | awk -F ' *[|] *' -v p="$2" 'index($2, p) == 1 { print $2 }')
  [ -n "$best" ] || die "no $1 $2* in the suites $(apt_root_suites)"
  echo "$best"
}

# dependencies PACKAGE VERSION: the names it depends on, one per line (first alternative only).
dependencies() {
  private_apt apt-cache show "$1=$2" |
    sed -n 's/^Depends: //p' | tr ',' '\n' | sed 's/^ *//; s/[ (|].*//; s/:any$//'
}

# unpack_packages FOLDER NAME[=VERSION]...: downloads (signatures checked by apt) and unpacks, installs nothing.
unpack_packages() {
  local folder=$1 debs
  shift
  debs=$(mktemp -d "$apt_root/download.XXXXXX")
  (cd "$debs" && quietly "$cache/log/download.log" private_apt apt-get download "$@")
  mkdir -p "$folder"
  local deb
  for deb in "$debs"/*.deb; do dpkg-deb -x "$deb" "$folder"; done
  rm -rf "$debs"
}
