# SPDX-License-Identifier: MIT
# bash completion for vloop.

# All that may stand for the --device argument in $1, one on a line.
_vloop_specs() {
  local word=$1 path
  case $word in
    *,listen=*)
      compgen -f -- "${word##*,listen=}" | while IFS= read -r path; do
        [ -d "$path" ] && path+=/
        printf '%s,listen=%s\n' "${word%,listen=*}" "${path//,/,,}"
      done
      ;;
    blk=*,*) compgen -P "${word%,*}," -W 'readonly serial= queues= queue-size= direct=auto direct=on direct=off access=mover access=window listen= socket-mode=' -- "${word##*,}" ;;
    rng,* | rng=*,*) compgen -P "${word%,*}," -W 'queue-size= access=mover access=window listen= socket-mode=' -- "${word##*,}" ;;
    vhost-user=*,*) compgen -P "${word%,*}," -W 'type= queues= queue-size= reconnect=' -- "${word##*,}" ;;
    input=/*,*) compgen -P "${word%,*}," -W 'grab shared queue-size= listen= socket-mode=' -- "${word##*,}" ;;
    input=synthetic:*,*) compgen -P "${word%,*}," -W 'rate= count= queue-size= listen= socket-mode=' -- "${word##*,}" ;;
    input=events:*,*) compgen -P "${word%,*}," -W 'queue-size= listen= socket-mode=' -- "${word##*,}" ;;
    input=events:*)
      compgen -f -- "${word#*:}" | while IFS= read -r path; do
        [ -d "$path" ] && path+=/
        printf 'input=events:%s\n' "${path//,/,,}"
      done
      ;;
    input=*)
      compgen -W 'input=synthetic:mouse input=synthetic:keyboard input=events:' -- "$word"
      for path in /dev/input/event*; do
        [ -e "$path" ] && compgen -W "input=$path" -- "$word"
      done
      ;;
    blk=* | rng=* | vhost-user=*)
      compgen -f -- "${word#*=}" | while IFS= read -r path; do
        [ -d "$path" ] && path+=/
        printf '%s=%s\n' "${word%%=*}" "${path//,/,,}"
      done
      ;;
    *) compgen -W 'blk= rng rng= input= vhost-user=' -- "$word" ;;
  esac
}

# What may stand for a target of bench.
_vloop_targets() {
  local word=$1 path
  case $word in
    raw=*,*) compgen -P "${word%,*}," -W 'readonly direct=auto direct=on direct=off' -- "${word##*,}" ;;
    blk=*,*) compgen -P "${word%,*}," -W 'readonly serial= direct=auto direct=on direct=off' -- "${word##*,}" ;;
    raw=* | blk=* | vhost-user=*)
      compgen -f -- "${word#*=}" | while IFS= read -r path; do
        [ -d "$path" ] && path+=/
        printf '%s=%s\n' "${word%%=*}" "${path//,/,,}"
      done
      ;;
    *) compgen -W 'raw= blk= blk=null: vhost-user=' -- "$word" ;;
  esac
}

# _vloop_words CURRENT OPTION...: options, or the devices there are for the commands that take one.
_vloop_words() {
  local cur=$1 device
  shift
  if [[ $cur != -* && " $* " == *' --timeout '* ]]; then
    for device in /sys/class/vloop/vloop*; do
      [ -e "$device" ] && set -- "$@" "${device##*/}"
    done
  fi
  mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
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
    --on-exit)
      mapfile -t COMPREPLY < <(compgen -W 'fail queue reissue fail-fast' -- "$cur")
      return
      ;;
    --pattern)
      mapfile -t COMPREPLY < <(compgen -W 'read write randread randwrite mixed' -- "$cur")
      return
      ;;
    --backing | --listen)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --threads | --poll | --grace | --timeout) return ;;
    --block | --depth | --queues | --duration | --count | --warm-up | --rounds | --seed) return ;;
  esac
  case " ${words[*]:1:cword-1} " in
    *' run '*)
      _vloop_words "$cur" --device --threads --poll --log-level --json --recoverable --on-exit --grace --resume --listen --help ;;
    *' recover '*)
      _vloop_words "$cur" --device --threads --poll --log-level --json --all --take-over --timeout --help ;;
    *' stop '*) _vloop_words "$cur" --force --timeout --help ;;
    *' bench '*)
      if [[ $cur == -* ]]; then
        _vloop_words "$cur" --pattern --block --depth --queues --duration --count --warm-up --rounds --backing --verify \
          --seed --destroy --json --help
      else
        mapfile -t COMPREPLY < <(_vloop_targets "$cur")
        compopt -o nospace
        if [[ $COMP_WORDBREAKS == *=* && $cur == *=* ]]; then
          COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*=}"}"}")
        fi
      fi
      ;;
    *' list '*) _vloop_words "$cur" --json --help ;;
    *) mapfile -t COMPREPLY < <(compgen -W 'run list recover stop bench --help --version' -- "$cur") ;;
  esac
}

complete -F _vloop vloop
