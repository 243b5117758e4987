#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages hold what they promise: a link leads to a file of this tree, and a program in a page that has a main()
compiles with the public headers.
usage: pages.py TREE GENERATED_INCLUDE_DIRECTORY COMPILER...
"""
import pathlib
import re
import subprocess
import sys


def pages(tree):
    for folder in (tree, tree / "docs", tree / "module", tree / "packaging"):
        yield from sorted(folder.glob("*.md"))


def dead_links(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target and not (page.parent / target).exists():
            yield f"{page}: {target} does not exist"


def programs(page):
    for block in re.findall(r"^```cpp\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M):
        if "int main(" in block:
            yield block


def main(tree, generated, compiler):
    wrong = []
    count = compiled = 0
    options = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{tree / 'include'}", f"-I{generated}"]
    for page in pages(tree):
        count += 1
        wrong += dead_links(page)
        for program in programs(page):
            compiled += 1
            done = subprocess.run(
                [*compiler, *options, "-x", "c++", "-"], input=program, text=True, capture_output=True, timeout=100
            )
            if done.returncode != 0:
                wrong.append(f"{page}: a program does not compile:\n{done.stderr}")
    print(f"{count} pages, {compiled} programs, {len(wrong)} wrong")
    for line in wrong:
        print(line)
    return 1 if wrong or compiled == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
