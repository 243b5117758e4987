# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2016
# Mutations that share a module and a machine. All of them are compiled into one module, each behind its number, and the
# module parameter `mutant` says which one is alive: so a mutation costs a case of vloop-raw, and neither a build nor a
# boot. Number 0 is the module as it is: a case that fails there proves nothing.

# shellcheck source=tests/vm/lib/kernel_log.sh
. "$here/../lib/kernel_log.sh"

together_names=() together_cases=() together_words=() together_faults=()

# hostile NAME CASE WORDS FILE SED [FILE SED]...: CASE of vloop-raw must fail and say WORDS; or, where they are 'kernel: WORDS', the
# kernel must. In SED, MUTANT is what says that this mutation is alive. Those not asked for are compiled in all the same:
# an expression may rely on those before it.
hostile() {
  local number=$((${#together_names[@]} + 1))
  together_names[number]=$1 together_cases[number]=$2 together_words[number]=$3
  # A case that no test of the suite runs proves nothing of the suite.
  grep -qw -- "$2" "$tree"/tests/vm/suite/*.sh || together_faults[number]="no test of the suite has the case $2"
  shift 3
  while [ $# -gt 0 ]; do
    mutate "$together_source/$1" "${2//MUTANT/(vloop_mutant == $number)}" >"$together/mutate" 2>&1 ||
      together_faults[number]=$(<"$together/mutate")
    shift 2
  done
}

# The module with the parameter and all mutations of LIST.
build_together() {
  together=$build/vm/mutants together_source=$build/vm/mutants/source
  rm -rf "$together_source"
  mkdir -p "$together"
  cp -r "$tree/module" "$together_source"
  sed -i '1a extern unsigned int vloop_mutant;' "$together_source/vloop.h"
  printf 'unsigned int vloop_mutant;\nmodule_param_named(mutant, vloop_mutant, uint, 0444);\n' >>"$together_source/main.c"
  # shellcheck disable=SC1090 # a list of calls of hostile
  . "$1"
  "$tree/scripts/build-module" --kernel "$kernel" --source "$together_source" --out "$together/module" \
    >"$together/log" 2>&1
}

# Those of the numbers that no machine has come to yet, as in_guest wants them.
list_left() {
  local number
  for number in "${left[@]}"; do
    printf '%s\t%s\t%s\n' "$number" "${together_cases[number]}" "${together_words[number]}"
  done
}

# One machine. Takes what it came to out of `left`.
try_in_machine() {
  local before=${#left[@]} number word seconds rest=()
  list_left >"$together/list"
  "$here/../run" --kernel "$kernel" --timeout $((60 + 70 * ${#left[@]})) --module-dir "$together/module" --bin "$bin" -- \
    tests/vm/mutations/in_guest "$together/list" >"$together/output" 2>&1
  for number in "${left[@]}"; do
    if read -r _ _ word seconds < <(grep "^RESULT $number " "$together/output"); then
      together_verdict "$number" "$word" "$seconds"
    else
      rest+=("$number")
    fi
  done
  left=("${rest[@]}")
  [ ${#left[@]} -lt "$before" ]
}

# together_verdict NUMBER WORD SECONDS
together_verdict() {
  local name=${together_names[$1]:-the module as it is}
  if [ -z "${together_faults[$1]:-}" ] && { [ "$2" = noticed ] || [ "$1$2" = 0passed ]; }; then
    passed=$((passed + 1))
    echo "PASS  $name ($3 s)"
    return
  fi
  failed=$((failed + 1))
  echo "FAIL  $name ($3 s): ${together_faults[$1]:-${together_cases[$1]} did not fail with '${together_words[$1]}'}"
  awk -v n="$1" '$1 == "RESULT" && $2 == n { exit } $1 == "TRY" { on = $2 == n } on' "$together/output" | tail -n 30 |
    sed 's/^/    | /'
}

# run_together LIST
run_together() {
  local left=() number controls
  say "building the module with the mutations of ${1##*/}"
  if ! build_together "$1"; then
    failed=$((failed + 1))
    echo "FAIL  the mutations of ${1##*/} make a module"
    tail -n 40 "$together/log" | sed 's/^/    | /'
    return
  fi
  for number in "${!together_names[@]}"; do
    # One that matches nothing any more is told in every run.
    if [ "$full" = 0 ] && [ "$only" = . ] && [ $((number % 3)) != 0 ] && [ -z "${together_faults[number]:-}" ]; then continue; fi
    grep -qE -- "$only" <<<"${together_names[number]}" && left+=("$number")
  done
  [ ${#left[@]} -gt 0 ] || return 0
  mapfile -t controls < <(for number in "${left[@]}"; do echo "${together_cases[number]}"; done | sort -u)
  together_cases[0]=${controls[*]} together_words[0]=
  left=(0 "${left[@]}")
  say "$((${#left[@]} - 1)) mutations in one machine"
  while [ ${#left[@]} -gt 0 ]; do
    try_in_machine && continue
    failed=$((failed + 1))
    echo "FAIL  a machine for ${together_names[${left[0]}]:-the module as it is}"
    tail -n 40 "$together/output" | sed 's/^/    | /'
    return
  done
}
