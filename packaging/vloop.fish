# SPDX-License-Identifier: MIT
# fish completion for vloop.

function __vloop_specs
    set -l word (commandline -ct | string replace -r '^--device=' '')
    switch $word
        case 'blk=*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{readonly,serial=,queues=,queue-size=,direct=auto,direct=on,direct=off,access=mover,access=window,listen=,socket-mode=}
        case 'rng*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{queue-size=,access=mover,access=window,listen=,socket-mode=}
        case 'vhost-user=*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{type=,queues=,queue-size=,reconnect=}
        case 'input=/*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{grab,shared,queue-size=,listen=,socket-mode=}
        case 'input=synthetic:*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{rate=,count=,queue-size=,listen=,socket-mode=}
        case 'input=events:*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{queue-size=,listen=,socket-mode=}
        case 'input=events:*'
            for path in (__fish_complete_path (string replace -r '^[^:]*:' '' -- $word))
                echo input=events:(string replace -a , ,, -- $path)
            end
        case 'input=*'
            printf 'input=%s\n' synthetic:mouse synthetic:keyboard events: /dev/input/event*
        case 'blk=*' 'rng=*' 'vhost-user=*'
            set -l kind (string split -m 1 = -- $word)[1]
            for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))
                echo $kind=(string replace -a , ,, -- $path)
            end
        case '*'
            printf '%s\n' blk= rng rng= input= vhost-user=
    end
end

function __vloop_devices
    for device in /sys/class/vloop/vloop*
        basename $device
    end
end

function __vloop_targets
    set -l word (commandline -ct)
    switch $word
        case 'raw=*,*' 'blk=*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{readonly,direct=auto,direct=on,direct=off}
        case 'raw=*' 'blk=*' 'vhost-user=*'
            set -l kind (string split -m 1 = -- $word)[1]
            for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))
                echo $kind=(string replace -a , ,, -- $path)
            end
        case '*'
            printf '%s\n' raw= blk= blk=null: vhost-user=
    end
end

set -l serving '__fish_seen_subcommand_from run recover'
set -l by_id '__fish_seen_subcommand_from recover stop'

complete -c vloop -f
complete -c vloop -n __fish_use_subcommand -a run -d 'Create devices and serve them'
complete -c vloop -n __fish_use_subcommand -a list -d 'Show the devices there are'
complete -c vloop -n __fish_use_subcommand -a recover -d 'Become the server of recoverable devices'
complete -c vloop -n __fish_use_subcommand -a stop -d 'Remove devices, whoever serves them'
complete -c vloop -n __fish_use_subcommand -a bench -d 'Measure disks'
complete -c vloop -n __fish_use_subcommand -l version -d 'Print the version'
complete -c vloop -s h -l help -d 'Print a summary'
complete -c vloop -n $serving -l device -x -a '(__vloop_specs)' -d 'A device to serve'
complete -c vloop -n $serving -l threads -x -d 'Worker threads'
complete -c vloop -n $serving -l poll -x -d 'Longest look at the rings, in microseconds'
complete -c vloop -n $serving -l log-level -x -a 'trace debug info warn error' -d 'What to log'
complete -c vloop -n '__fish_seen_subcommand_from run recover list bench' -l json -d 'Print the devices as JSON'
complete -c vloop -n '__fish_seen_subcommand_from run' -l recoverable -d 'The devices outlive the process'
complete -c vloop -n '__fish_seen_subcommand_from run' -l on-exit -x -a 'fail queue reissue fail-fast' -d 'What becomes of them when it ends'
complete -c vloop -n '__fish_seen_subcommand_from run' -l grace -x -d 'How long requests wait for the next server'
complete -c vloop -n '__fish_seen_subcommand_from run' -l resume -d 'Take up recoverable devices of the same spec'
complete -c vloop -n '__fish_seen_subcommand_from run' -l listen -r -d 'Serve machines that connect to this socket'
complete -c vloop -n $by_id -a '(__vloop_devices)' -d Device
complete -c vloop -n $by_id -l timeout -x -d 'How long to wait'
complete -c vloop -n '__fish_seen_subcommand_from recover' -l all -d 'All devices that are deserted'
complete -c vloop -n '__fish_seen_subcommand_from recover' -l take-over -d 'Ask a living server to hand over'
complete -c vloop -n '__fish_seen_subcommand_from stop' -l force -d 'Do not ask the server'
set -l bench '__fish_seen_subcommand_from bench'
complete -c vloop -n $bench -a '(__vloop_targets)' -d 'What to measure'
complete -c vloop -n $bench -l pattern -x -a 'read write randread randwrite mixed' -d 'What to do'
complete -c vloop -n $bench -l block -x -d 'The size of a request'
complete -c vloop -n $bench -l depth -x -d 'Requests under way at a time, in each queue'
complete -c vloop -n $bench -l queues -x -d 'Queues'
complete -c vloop -n $bench -l duration -x -d 'How long to measure each in each round'
complete -c vloop -n $bench -l count -x -d 'How many requests to measure instead'
complete -c vloop -n $bench -l warm-up -x -d 'How long to run before that'
complete -c vloop -n $bench -l rounds -x -d 'How often to measure each'
complete -c vloop -n $bench -l backing -r -F -d 'What to compare with'
complete -c vloop -n $bench -l verify -d 'Compare what is read'
complete -c vloop -n $bench -l seed -x -d 'Another order of accesses'
complete -c vloop -n $bench -l destroy -d 'What is written to may lose its contents'
