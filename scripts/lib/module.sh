# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Building the kernel module for one kernel, outside its source folder.

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/kernels.sh"

# build_module SOURCE KDIR OUT [WORD...]: kbuild writes beside the sources, so the sources are linked into OUT and built
# there. The headers name the architecture; for another one than this machine's, CC and CROSS_COMPILE are to be set. The
# words are for make.
build_module() {
  local source=$1 headers=$2 out=$3
  shift 3
  link_sources "$source" "$out"
  # Warnings are errors, also those of W=1. BTF would need pahole, and nothing here reads it.
  # The headers name the compiler of the kernel's build; this machine's compiler takes its place.
  quietly "$out/build.log" make -j"$(nproc)" -C "$headers" "M=$out" CC="${CC:-gcc}" W=1 KCFLAGS=-Werror \
    CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
}

# Only what is source: a folder in which somebody ran make by hand does no harm.
link_sources() {
  local source=$1 out=$2 file
  mkdir -p "$out"
  # A source that was removed must not go on being built.
  find "$out" -type l -delete
  while read -r file; do
    mkdir -p "$out/$(dirname "$file")"
    ln -s "$source/$file" "$out/$file"
  done < <(cd "$source" && find . \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c')
}
