#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: man_page_clean.sh GROFF PAGE
warnings=$("$1" -man -ww -z "$2" 2>&1)
echo "$warnings"
[ -z "$warnings" ]
