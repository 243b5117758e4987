# SPDX-License-Identifier: MIT
# fish completion for vloop.

function __vloop_specs
    set -l word (commandline -ct | string replace -r '^--device=' '')
    switch $word
        case 'blk=*,*'
            set -l head (string replace -r '[^,]*$' '' -- $word)
            printf '%s\n' $head{readonly,serial=,queues=,queue-size=,direct=auto,direct=on,direct=off}
        case 'rng*,*'
            printf '%squeue-size=\n' (string replace -r '[^,]*$' '' -- $word)
        case 'blk=*' 'rng=*'
            set -l kind (string split -m 1 = -- $word)[1]
            for path in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))
                echo $kind=(string replace -a , ,, -- $path)
            end
        case '*'
            printf '%s\n' blk= rng rng=
    end
end

complete -c vloop -f
complete -c vloop -n __fish_use_subcommand -a run -d 'Create devices and serve them'
complete -c vloop -n __fish_use_subcommand -l version -d 'Print the version'
complete -c vloop -s h -l help -d 'Print a summary'
complete -c vloop -n '__fish_seen_subcommand_from run' -l device -x -a '(__vloop_specs)' -d 'A device to serve'
complete -c vloop -n '__fish_seen_subcommand_from run' -l threads -x -d 'Worker threads'
complete -c vloop -n '__fish_seen_subcommand_from run' -l poll -x -d 'Longest look at the rings, in microseconds'
complete -c vloop -n '__fish_seen_subcommand_from run' -l log-level -x -a 'trace debug info warn error' -d 'What to log'
complete -c vloop -n '__fish_seen_subcommand_from run' -l json -d 'Print the devices as JSON'
