#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The house rule on coroutines. GCC 12 miscompiles more than the simplest statements: double destruction, heap
corruption, without a warning. So:

  one co_await per statement, with its result named. Accepted are
      co_await f(a);
      auto v = co_await f(a);          (any declaration or plain assignment)
      co_return co_await f(a);
      while (auto r = co_await q.next())
  and in such a statement no braced temporary, no lambda, no ?:, no && or || around the co_await
  a coroutine lambda captures nothing
  no alignas in a coroutine (its frame is not aligned to it)
  an awaiter has a user-written constructor
  await_suspend returns no coroutine handle (symmetric transfer overflows the stack in debug and sanitizer builds)

It reads C++ as tokens and brackets, which is enough for code in the project's format.

usage: co_await_rule.py FILE-OR-FOLDER...   reports what breaks the rule; status 1 if anything does
       co_await_rule.py --self-test FILE... each line that ends in `// reject` must be reported, and no other
"""
import os
import re
import sys

TOKEN = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*)'
    r'|(?P<raw>(?:u8|[uUL])?R"(?P<delim>[^()\s\\]{0,16})\(.*?\)(?P=delim)")'
    r'|(?P<text>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"|(?:u8|[uUL])?\'(?:[^\'\\\n]|\\.)+\')'
    r"|(?P<number>\.?\d(?:[eEpP][+-]|'\w|[\w.])*)"
    r'|(?P<word>[A-Za-z_]\w*)'
    r'|(?P<mark>::|->|&&|\|\||[=!<>+\-*/%&|^]=|\+\+|--|.)',
    re.S | re.M)

CLOSING = {"(": ")", "[": "]", "{": "}"}
CORO = {"co_await", "co_return", "co_yield"}
TYPE_WORDS = {"namespace", "class", "struct", "union", "enum", "extern"}
BLOCK_AFTER_WORD = {"else", "do", "try", "const", "noexcept", "override", "final", "mutable", "constexpr", "consteval"}


class Token:
    def __init__(self, text, line):
        self.text, self.line = text, line


class Group:
    """A bracketed list. `block`: braces that hold statements or members rather than initialisers."""

    def __init__(self, kind, line):
        self.text, self.line, self.items, self.block, self.attribute = kind, line, [], False, False


def tokens_of(source):
    line = 1
    for match in TOKEN.finditer(source):
        text = match.group()
        if match.lastgroup in ("text", "raw"):
            yield Token('""', line)
        elif match.lastgroup != "skip":
            yield Token(text, line)
        line += text.count("\n")


def tree_of(source, name):
    root = Group("{", 1)
    root.block = True
    stack = [root]
    before = None
    for token in tokens_of(source):
        if before == "operator" and token.text == "co_await":
            token.text = "operator_co_await"  # a name, not an expression
        before = token.text
        if token.text in CLOSING:
            group = Group(token.text, token.line)
            stack[-1].items.append(group)
            stack.append(group)
        elif token.text in (")", "]", "}"):
            if len(stack) == 1 or CLOSING[stack[-1].text] != token.text:
                raise SystemExit(f"{name}:{token.line}: brackets don't match: cannot check this file")
            done = stack.pop()
            if done.text == "[" and len(done.items) == 1 and done.items[0].text == "[":
                stack[-1].items.pop()  # an [[attribute]]
        else:
            stack[-1].items.append(token)
    if len(stack) != 1:
        raise SystemExit(f"{name}:{stack[-1].line}: unclosed bracket: cannot check this file")
    return root


def is_group(item, kind):
    return isinstance(item, Group) and item.text == kind


def is_word(item):
    return isinstance(item, Token) and re.match(r"[A-Za-z_]", item.text) is not None


def is_lambda_start(items, i):
    if not is_group(items[i], "["):
        return False
    before = items[i - 1] if i > 0 else None
    indexing = before is not None and ((is_word(before) and before.text not in ("return", "co_return", "co_await"))
                                       or is_group(before, "(") or is_group(before, "[") or before.text == '""')
    return not indexing


def starts_block(statement, brace_at, items):
    """Whether the braces at items[brace_at] hold statements; `statement` is what precedes them in theirs."""
    last = statement[-1]
    if is_group(last, "("):
        return True
    if is_group(last, "["):
        return is_lambda_start(items, brace_at - 1)
    if is_group(last, "{"):
        return not any(i.text == "=" for i in statement if isinstance(i, Token))
    if last.text in BLOCK_AFTER_WORD or last.text == ":":
        return True
    words = [i.text for i in statement if is_word(i)]
    if any(word in TYPE_WORDS for word in words) and not any(is_group(i, "(") for i in statement):
        return True
    # a trailing return type: -> task<void> {
    texts = [i.text for i in statement]
    if "->" in texts:
        after = statement[len(texts) - texts[::-1].index("->"):]
        return all(isinstance(i, Token) and re.fullmatch(r"\w+|::|<|>|,|\*|&|&&", i.text) for i in after)
    return False


def split(group):
    """The statements of a block: lists of items. Marks which braces are blocks, in all depths."""
    result, statement = [], []
    for at, item in enumerate(group.items):
        if is_group(item, "{"):
            item.block = starts_block(statement, at, group.items) if statement else group.block
            statement.append(item)
            in_lambda = any(is_lambda_start(statement, i) for i in range(len(statement)))
            if item.block and not in_lambda and group.block:
                result.append(statement)
                statement = []
        elif item.text == ";" and isinstance(item, Token):
            result.append(statement)
            statement = []
        else:
            statement.append(item)
    if statement:
        result.append(statement)
    return result


def flat(items, into_blocks=False):
    """All tokens of `items`, without the contents of blocks (other statements)."""
    for item in items:
        if isinstance(item, Token):
            yield item
            continue
        yield item
        if not (item.block and not into_blocks):
            yield from flat(item.items, into_blocks)


class Checker:
    def __init__(self, name):
        self.name, self.findings = name, []

    def report(self, line, why):
        self.findings.append((line, why))

    def check(self, source):
        self.block(tree_of(source, self.name))
        return self.findings

    def block(self, group):
        for statement in split(group):
            self.statement(statement)

    def nested(self, items):
        """Goes into every bracket of a statement: lambdas in arguments, bodies."""
        for i, item in enumerate(items):
            if not isinstance(item, Group):
                continue
            if is_lambda_start(items, i):
                self.coroutine_lambda(items, i)
            if item.block:
                self.block(item)
            else:
                split(item)  # marks the lambda bodies in it
                self.nested(item.items)

    def statement(self, items):
        self.classes(items)
        self.nested(items)
        self.function(items)
        rest = self.without_heads(items)
        if rest and isinstance(rest[-1], Group) and rest[-1].block and not any(
                is_lambda_start(rest, i) for i in range(len(rest))):
            rest = rest[:-1]
        self.shape(rest)

    def without_heads(self, items):
        """Strips labels and the heads of control statements, checking these."""
        items = list(items)
        while items:
            first = items[0]
            if is_word(first) and first.text in ("else", "do"):
                items = items[1:]
            elif is_word(first) and first.text in ("if", "for", "while", "switch"):
                at = next((i for i, item in enumerate(items) if is_group(item, "(")), None)
                if at is None:
                    return items
                self.head(first.text, items[at])
                items = items[at + 1:]
            elif is_word(first) and first.text in ("case", "default", "public", "private", "protected"):
                at = next((i for i, item in enumerate(items) if item.text == ":"), None)
                if at is None:
                    return items
                items = items[at + 1:]
            else:
                return items
        return items

    def head(self, keyword, group):
        awaits = [t for t in flat(group.items) if t.text == "co_await"]
        if not awaits:
            return
        texts = [i.text for i in group.items]
        declares = texts[:1] == ["auto"] or texts[:2] == ["const", "auto"]
        if keyword != "while" or not declares or "=" not in texts:
            self.report(awaits[0].line, f"co_await in the head of a {keyword}: name the result before it")
            return
        self.shape(group.items)

    def shape(self, items):
        everything = list(flat(items))
        awaits = [t for t in everything if t.text == "co_await"]
        if not awaits:
            return
        line = awaits[0].line
        if len(awaits) > 1:
            self.report(awaits[1].line, "more than one co_await in a statement")
            return
        at = next((i for i, item in enumerate(items) if item is awaits[0]), None)
        if at is None:
            self.report(line, "co_await inside another expression: name its result in a statement of its own")
            return
        before = items[at - 1].text if at > 0 else None
        if before not in (None, "=", "co_return"):
            self.report(line, f"co_await after '{before}': name its result in a statement of its own")
        if any(mark.text == "?" for mark in everything if isinstance(mark, Token)):
            self.report(line, "?: in a statement with co_await")
        if any(mark in ("&&", "||") for mark in [i.text for i in items[at:] if isinstance(i, Token)]):
            self.report(line, "&& or || in a statement with co_await")
        if any(is_group(item, "{") and not item.block for item in everything):
            self.report(line, "a braced temporary in a statement with co_await: name it before")
        if has_lambda(items):
            self.report(line, "a lambda in a statement with co_await: name it before")

    def coroutine_lambda(self, items, at):
        if not items[at].items:
            return
        body = next((i for i in items[at + 1:] if is_group(i, "{")), None)
        if body is not None and own_keywords(body):
            self.report(items[at].line, "a coroutine lambda captures: give it parameters, the captures die before it")

    def function(self, items):
        """alignas in a coroutine's body."""
        if not items or not is_group(items[-1], "{") or not items[-1].block:
            return
        if any(i.text in TYPE_WORDS for i in items if is_word(i)):
            return
        body = items[-1]
        if own_keywords(body):
            for token in own_tokens(body):
                if token.text == "alignas":
                    self.report(token.line, "alignas in a coroutine: its frame is not aligned to it")

    def classes(self, items):
        keyword = next((i for i, item in enumerate(items) if is_word(item) and item.text in ("class", "struct")), None)
        if keyword is None or not is_group(items[-1], "{"):
            return
        if any(is_group(item, "(") for item in items[keyword:]):
            return
        # class NAME final : ..., class outer::NAME
        name = None
        for item in items[keyword + 1:]:
            if is_word(item) and item.text != "final":
                name = item.text
            elif item.text != "::":
                break
        members = items[-1].items
        suspend = next((i for i, m in enumerate(members)
                        if m.text == "await_suspend" and i + 1 < len(members) and is_group(members[i + 1], "(")), None)
        if suspend is None:
            return
        constructs = any(m.text == name and i + 1 < len(members) and is_group(members[i + 1], "(")
                         and (i == 0 or members[i - 1].text not in ("~", "return"))
                         for i, m in enumerate(members))
        if not constructs:
            self.report(members[suspend].line, f"the awaiter {name} has no user-written constructor")
        start = suspend
        while start > 0 and not (members[start - 1].text in (";", ":", "{")):
            start -= 1
        end = suspend + 2
        while end < len(members) and not is_group(members[end], "{") and members[end].text != ";":
            end += 1
        signature = members[start:suspend] + members[suspend + 2:end]
        if any(item.text == "coroutine_handle" for item in signature):
            self.report(members[suspend].line, "await_suspend returns a coroutine handle: resume it and return bool")


def has_lambda(items):
    for i, item in enumerate(items):
        if is_lambda_start(items, i):
            return True
        if isinstance(item, Group) and not item.block and has_lambda(item.items):
            return True
    return False


def own_tokens(body):
    """Tokens of a function's body without those of lambdas in it."""
    items = body.items
    skip = False
    for i, item in enumerate(items):
        if is_lambda_start(items, i):
            skip = True
        if isinstance(item, Token):
            if item.text in (";", ","):
                skip = False
            yield item
        elif skip and item.text == "{":
            skip = False
        else:
            yield from own_tokens(item)


def own_keywords(body):
    return any(token.text in CORO for token in own_tokens(body))


def files_of(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(f for f in folders if f != "fixtures" and not f.startswith("."))
            for name in sorted(names):
                if name.endswith((".cpp", ".hpp", ".h")):
                    yield os.path.join(folder, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def self_test(paths):
    wrong = 0
    cases = 0
    for path in paths:
        source = read(path)
        expected = {n for n, line in enumerate(source.split("\n"), 1) if line.rstrip().endswith("// reject")}
        found = {}
        for line, why in Checker(path).check(source):
            found.setdefault(line, why)
        for line in sorted(expected - set(found)):
            print(f"{path}:{line}: should have been rejected")
            wrong += 1
        for line in sorted(set(found) - expected):
            print(f"{path}:{line}: should have been accepted: {found[line]}")
            wrong += 1
        cases += len(expected)
    print(f"{cases} lines to be rejected, {wrong} wrong")
    return 1 if wrong or cases == 0 else 0


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        return self_test(arguments[1:])
    findings = files = 0
    for path in files_of(arguments):
        files += 1
        for line, why in sorted(Checker(path).check(read(path))):
            print(f"{path}:{line}: {why}")
            findings += 1
    print(f"{files} files, {findings} findings")
    return 1 if findings or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
