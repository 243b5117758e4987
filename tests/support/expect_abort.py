#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program that must abort, and say why on stderr: expect_abort.py TEXT PROGRAM [ARGUMENT...]"""
import signal
import subprocess
import sys

text, command = sys.argv[1], sys.argv[2:]
done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
sys.stderr.write(done.stderr)
if done.returncode != -signal.SIGABRT:
    sys.exit(f"expected an abort, got exit status {done.returncode}")
if text not in done.stderr:
    sys.exit(f"it aborted for another reason than: {text}")
