#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gives one QMP command: qmp.py SOCKET COMMAND [NAME=NUMBER|NAME=TEXT]... Fails with what QEMU says of it."""
import json
import socket
import sys


def value_of(text):
    return int(text) if text.isdigit() else text


def answer_to(stream, command):
    stream.write(json.dumps(command) + "\n")
    stream.flush()
    while True:
        message = json.loads(stream.readline())
        if "event" not in message:
            return message


def main(path, command, *arguments):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(path)
    stream = connection.makefile("rw")
    stream.readline()  # the greeting
    answer_to(stream, {"execute": "qmp_capabilities"})
    pairs = (argument.split("=", 1) for argument in arguments)
    answer = answer_to(stream, {"execute": command, "arguments": {name: value_of(text) for name, text in pairs}})
    if "error" in answer:
        sys.exit(f"{command}: {answer['error']['desc']}")


main(*sys.argv[1:])
