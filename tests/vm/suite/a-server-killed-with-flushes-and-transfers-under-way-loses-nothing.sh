#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 and 'vloop recover' under fio on a mounted file system whose backing takes 120 ms for everything: when a server
# is gone, transfers and flushes that it began are still under way. They end, and nothing is lost.
# vm: --scratch 2G
# timeout: 300
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/recovery.sh
. "$tree/tests/vm/suite-lib/recovery.sh"

# outlived WORD
outlived() { sed -n "s/^operations that outlived their server:.* \([0-9]*\) $1.*/\1/p" summary; }

make_null_block slow irqmode=2 completion_nsec=120000000 memory_backed=1 cache_size=4 size=64
serve_rounds "$null_block"
kill_rounds --rounds 3 --moments flush,transfer,attached
at_least 'transfers that outlived their server' "$(outlived transfers)" 1
at_least 'flushes that outlived their server' "$(outlived flushes)" 1
end_rounds "$null_block"
remove_null_block slow
