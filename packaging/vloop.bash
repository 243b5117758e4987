# SPDX-License-Identifier: MIT
# bash completion for vloop.

# All that may stand for the --device argument in $1, one on a line.
_vloop_specs() {
  local word=$1 path
  case $word in
    blk=*,*) compgen -P "${word%,*}," -W 'readonly serial= queues= queue-size= direct=auto direct=on direct=off' -- "${word##*,}" ;;
    rng,* | rng=*,*) compgen -P "${word%,*}," -W 'queue-size=' -- "${word##*,}" ;;
    blk=* | rng=*)
      compgen -f -- "${word#*=}" | while IFS= read -r path; do
        [ -d "$path" ] && path+=/
        printf '%s=%s\n' "${word%%=*}" "${path//,/,,}"
      done
      ;;
    *) compgen -W 'blk= rng rng=' -- "$word" ;;
  esac
}

_vloop() {
  local cur prev words cword
  _init_completion -n '=' || return
  case $prev in
    --device)
      mapfile -t COMPREPLY < <(_vloop_specs "$cur")
      compopt -o nospace
      # Where '=' ends a word, readline replaces only what follows the last one.
      if [[ $COMP_WORDBREAKS == *=* && $cur == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*=}"}"}")
      fi
      return
      ;;
    --log-level)
      mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error' -- "$cur")
      return
      ;;
    --threads | --poll) return ;;
  esac
  if [[ " ${words[*]:1:cword-1} " == *' run '* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--device --threads --poll --log-level --json --help' -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W 'run --help --version' -- "$cur")
  fi
}

complete -F _vloop vloop
