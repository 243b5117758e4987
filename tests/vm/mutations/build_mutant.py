# SPDX-License-Identifier: MIT
"""Builds the program of a meson build folder with one source file replaced.

The file is compiled and the program linked by the commands of the build itself; the mutant's object comes first, and the
linker keeps the first definition of each symbol.

usage: build_mutant.py BUILD_FOLDER ORIGINAL.cpp MUTANT.cpp PROGRAM
"""
import json
import os
import shlex
import subprocess
import sys

build, original, mutant, program = (os.path.abspath(path) for path in sys.argv[1:])


def output_replaced(command, path):
    place = command.index("-o") + 1
    return command[:place] + [path] + command[place + 1:]


def run(command):
    subprocess.run(command, cwd=build, check=True)


def compile_mutant(object_file):
    with open(os.path.join(build, "compile_commands.json")) as file:
        entry = next(e for e in json.load(file) if os.path.realpath(os.path.join(e["directory"], e["file"])) == original)
    command = output_replaced(shlex.split(entry["command"]), object_file)
    command[command.index("-MF") + 1] = object_file + ".d"
    command[command.index("-MQ") + 1] = object_file
    # A mutant may leave something unused.
    run([mutant if word == entry["file"] else word for word in command] + ["-Wno-error"])


def link_program(object_file):
    commands = subprocess.run(["ninja", "-t", "commands", "src/vloop"], cwd=build, check=True, capture_output=True, text=True)
    command = output_replaced(shlex.split(commands.stdout.splitlines()[-1]), program)
    run(command[:1] + [object_file, "-Wl,--allow-multiple-definition"] + command[1:])


compile_mutant(program + ".o")
link_program(program + ".o")
