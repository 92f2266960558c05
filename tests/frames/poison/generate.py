"""Writes random coroutines for the poison test. The same seed gives the same text.

Each coroutine returns an int that depends on what it has kept over its awaits. Nothing in it is undefined, and nothing
depends on an address, so all compilers must agree on the result.
"""

import random

SCALARS = ("int", "text", "numbers", "list", "box", "noisy", "thing", "maybe")
PARAMETERS = ("int", "text", "numbers", "list", "box", "thing")


class Variable:
    def __init__(self, name, kind, size=0, pointer=False):
        self.name = name
        self.kind = kind
        self.size = size
        self.pointer = pointer

    def __str__(self):
        return f"(*{self.name})" if self.pointer else self.name


class Body:
    """The statements of one coroutine."""

    def __init__(self, rng, children, generators, is_generator=False):
        self.rng = rng
        self.children = children
        self.generators = generators
        self.is_generator = is_generator
        self.lines = []
        self.scopes = [[]]
        self.count = 0
        self.depth = 0
        self.loops = 0
        self.indent = 1

    # -- names and expressions ---------------------------------------------------------------------------------------

    def emit(self, line):
        self.lines.append("  " * self.indent + line)

    def name(self, stem="v"):
        self.count += 1
        return f"{stem}{self.count}"

    def visible(self, *kinds):
        return [one for scope in self.scopes for one in scope if not kinds or one.kind in kinds]

    def pick(self, *kinds):
        found = self.visible(*kinds)
        return self.rng.choice(found) if found else None

    def number(self):
        """An int from a variable or a literal."""
        one = self.pick("int")
        choice = self.rng.random()
        if one is not None and choice < 0.5:
            return str(one)
        if choice < 0.75:
            return str(self.rng.randrange(1, 500))
        if choice < 0.9:
            return f"opaque({self.rng.randrange(1, 100)})"
        return f"mix(acc, {self.rng.randrange(1, 500)})"

    def use(self, one):
        """An int that depends on all or part of a variable."""
        n = str(one)
        rng = self.rng
        if one.kind == "int":
            return n
        if one.kind == "text":
            return rng.choice([f"sum({n})", f"static_cast<int>({n}.size())", f"({n}.empty() ? 3 : {n}[0])"])
        if one.kind == "numbers":
            index = rng.randrange(one.size)
            return rng.choice([f"sum({n}.data(), {n}.size())", f"{n}[{index}]", f"total({n})",
                               f"{n}[static_cast<std::size_t>(opaque({index}))]", f"{n}.back()"])
        if one.kind == "list":
            return rng.choice([f"total({n})", f"({n}.empty() ? 9 : {n}.front())", f"sum({n}.data(), {n}.size())"])
        if one.kind == "box":
            return f"({n} ? *{n} : 11)"
        if one.kind == "noisy":
            return f"{n}.number"
        if one.kind == "thing":
            return rng.choice([f"{n}.first", f"sum({n}.text)", f"{n}.numbers[{rng.randrange(3)}]", f"{n}.last",
                               f"sum({n}.numbers, 3)"])
        return f"({n} ? sum(*{n}) : 17)"

    def declare(self, kind, from_number=None):
        """A new variable, as text to put behind its type; also a temporary of a call."""
        n = from_number or self.number()
        if kind == "int":
            return "int", n
        if kind == "text":
            length = self.rng.choice(["3", "40", f"static_cast<std::size_t>({n} & 31)"])
            return "std::string", f"std::string({length}, static_cast<char>('a' + ({n} & 15)))"
        if kind == "list":
            return "std::vector<int>", f"list({n}, {self.number()}, {self.rng.randrange(99)})"
        if kind == "box":
            return "std::unique_ptr<int>", f"std::make_unique<int>({n})"
        if kind == "noisy":
            return "noisy", f"noisy({n})"
        if kind == "thing":
            return "thing", f"thing({n})"
        return ("std::optional<std::string>",
                f"std::optional<std::string>(std::string(5, static_cast<char>('a' + ({n} & 15))))")

    # -- statements --------------------------------------------------------------------------------------------------

    def add_variable(self):
        kind = self.rng.choice(SCALARS)
        name = self.name()
        size = 0
        if kind == "numbers":
            size = self.rng.choice([2, 5, 9, 16])
            extra = f"{self.number()}, {self.number()}"
            self.emit(f"std::array<int, {size}> {name}{{{extra}}};" if self.rng.random() < 0.7 else
                      f"std::array<int, {size}> {name}; {name}.fill({self.number()});")
        else:
            spelled, value = self.declare(kind)
            same = [one for one in self.visible(kind) if kind in ("text", "list", "box")]
            if same and self.rng.random() < 0.3:
                value = f"std::move({self.rng.choice(same)})"
            elif kind == "thing" and self.visible("thing") and self.rng.random() < 0.4:
                value = str(self.pick("thing"))
            self.emit(f"{spelled} {name} = {value};" if kind != "noisy" else f"noisy {name}({self.number()});")
        self.scopes[-1].append(Variable(name, kind, size))

    def add_reference(self):
        one = self.pick()
        if one is None:
            return
        name = self.name("r")
        if self.rng.random() < 0.5:
            self.emit(f"auto& {name} = {one};")
            self.scopes[-1].append(Variable(name, one.kind, one.size))
        else:
            same = [other for other in self.visible(one.kind) if other.size == one.size]
            other = self.rng.choice(same)
            choice = self.rng.random()
            value = f"&{one}" if choice < 0.5 else f"(opaque({self.rng.randrange(2)}) != 0 ? &{one} : &{other})"
            self.emit(f"auto* {name} = {value};")
            self.scopes[-1].append(Variable(name, one.kind, one.size, pointer=True))

    def change(self):
        one = self.pick()
        if one is None:
            return
        n = str(one)
        new = self.number()
        if one.kind == "int":
            self.emit(f"{n} = mix({n}, {new});")
        elif one.kind == "text":
            self.emit(self.rng.choice([f"{n} += static_cast<char>('a' + ({new} & 15));",
                                       f"{n} = std::string(20, 'q');"]))
        elif one.kind == "numbers":
            at = self.rng.randrange(one.size)
            self.emit(self.rng.choice([f"{n}[static_cast<std::size_t>(opaque({at}))] = {new};",
                                       f"scramble({n}.data(), {n}.size(), {new});", f"{n}[0] = {new};",
                                       f"{n}.fill({new});", f"for (int& one : {n}) one = mix(one, {new});"]))
        elif one.kind == "list":
            self.emit(f"{n}.push_back({new});")
        elif one.kind == "box":
            self.emit(self.rng.choice([f"if ({n}) *{n} = {new};", f"{n} = std::make_unique<int>({new});",
                                       f"{n}.reset();"]))
        elif one.kind == "thing":
            self.emit(self.rng.choice([f"{n}.last = {new};", f"{n}.text += 'z';", f"scramble({n}.numbers, 3, {new});",
                                       f"{n} = thing({new});"]))
        elif one.kind == "maybe":
            self.emit(self.rng.choice([f"{n}.reset();", f"{n} = std::string(3, 'm');"]))
        elif one.kind == "noisy":
            self.emit(f"{n}.number = mix({n}.number, {new});")

    def look(self):
        one = self.pick()
        if one is not None:
            self.emit(f"acc = mix(acc, {self.use(one)});")

    def wait(self):
        if self.is_generator:
            self.emit(f"co_yield {self.number()};")
            return
        choice = self.rng.random()
        numbers = self.pick("numbers")
        if choice < 0.25 or (numbers is None and choice < 0.5):
            self.emit("co_await step{};")
        elif choice < 0.5:
            size = f"{numbers}.size()"
            self.emit(f"acc = mix(acc, co_await fill{{{numbers}.data(), {size}}});" if self.rng.random() < 0.5 else
                      f"co_await drain{{{numbers}.data(), {size}}};")
        elif choice < 0.7:
            self.emit(f"acc = mix(acc, co_await give{{{self.number()}}});")
        elif choice < 0.8:
            self.emit(f"acc = mix(acc, co_await maybe{{opaque({self.rng.randrange(8)})}});")
        else:
            self.call_child()

    def call_child(self):
        if not self.children:
            self.emit("co_await step{};")
            return
        name, parameters = self.rng.choice(self.children)
        arguments = []
        for kind, size in parameters:
            arguments.append(self.argument(kind, size))
        self.emit(f"acc = mix(acc, co_await {name}({', '.join(arguments)}));")

    def argument(self, kind, size):
        by_reference = kind.endswith("&")
        kind = kind.rstrip("&")
        same = [one for one in self.visible(kind) if one.size == size]
        if by_reference:
            if not same:
                name = self.name()
                kept = self.scopes[-1]
                if kind == "numbers":
                    self.emit(f"std::array<int, {size}> {name}{{{self.number()}}};")
                else:
                    spelled, value = self.declare(kind)
                    self.emit(f"{spelled} {name} = {value};")
                kept.append(Variable(name, kind, size))
                same = [kept[-1]]
            return str(self.rng.choice(same))
        if kind == "numbers":
            return str(self.rng.choice(same)) if same else f"row<{size}>({self.number()})"
        if same and self.rng.random() < 0.5 and kind != "box":
            one = self.rng.choice(same)
            return f"std::move({one})" if kind in ("text", "list") and self.rng.random() < 0.4 else str(one)
        return self.declare(kind)[1]

    def block(self, head, tail="}", statements=None):
        self.emit(head)
        self.scopes.append([])
        self.indent += 1
        self.depth += 1
        self.statements(statements or self.rng.randrange(1, 5))
        self.depth -= 1
        self.indent -= 1
        self.scopes.pop()
        self.emit(tail)

    def branch(self):
        condition = f"({self.number()} + opaque({self.rng.randrange(2)})) % 2 == 0"
        if not self.is_generator and self.rng.random() < 0.25:
            condition = f"co_await give{{{self.number()}}} > {self.rng.randrange(300)}"
        if self.rng.random() < 0.5:
            self.block(f"if ({condition}) {{")
        else:
            self.block(f"if ({condition}) {{", "} else {")
            self.block("{", "}")
            self.lines.pop()
            self.emit("}}")

    def choose(self):
        self.emit(f"switch (opaque({self.rng.randrange(4)})) {{")
        self.indent += 1
        for label in ("case 0:", "case 1:", "default:"):
            self.block(f"{label} {{", "} break;")
        self.indent -= 1
        self.emit("}")

    def loop(self):
        if self.loops >= 2:
            return self.look()
        self.loops += 1
        counter = self.name("i")
        numbers = self.pick("numbers", "list")
        text = self.pick("text")
        choice = self.rng.random()
        if choice < 0.35 or (numbers is None and text is None):
            self.block(f"for (int {counter} = 0; {counter} < opaque({self.rng.randrange(1, 4)}); ++{counter}) {{")
        elif choice < 0.6 and numbers is not None:
            # Adding to the list inside the loop would move its elements during the loop.
            copy = self.name("copy")
            if numbers.kind == "list":
                self.emit(f"const auto {copy} = {numbers};")
            over = copy if numbers.kind == "list" else numbers
            self.block(f"for (const int {counter} : {over}) {{ if (noise % 5 == 0) break; acc = mix(acc, {counter});")
        elif choice < 0.75 and not self.is_generator:
            self.emit(f"int {counter} = 3;")
            self.block(f"while (co_await give{{{counter}}} > {self.rng.randrange(1, 3)}) {{ --{counter};")
        elif self.generators and choice < 0.9 and not self.is_generator:
            self.emit(f"auto {counter} = {self.rng.choice(self.generators)}({self.number()}, std::string(20, 'g'));")
            self.block(f"while ({counter}.next()) {{ acc = mix(acc, {counter}.value());")
        else:
            self.emit(f"int {counter} = opaque(3);")
            self.block(f"do {{ if ({counter} == opaque(2)) {{ --{counter}; continue; }}",
                       f"}} while (--{counter} > 0);")
        self.loops -= 1

    def attempt(self):
        if self.is_generator:
            return self.look()
        self.emit("try {")
        self.scopes.append([])
        self.indent += 1
        self.depth += 1
        self.statements(self.rng.randrange(1, 4))
        if self.rng.random() < 0.7:
            self.emit(f"acc = mix(acc, co_await fail{{{self.number()}}});" if self.rng.random() < 0.5 else
                      f"if (opaque({self.rng.randrange(3)}) == 0) throw {self.rng.randrange(50)};")
        self.statements(1)
        self.depth -= 1
        self.indent -= 1
        self.scopes.pop()
        self.emit("} catch (int problem) { acc = mix(acc, problem); }")
        return None

    def capture(self):
        one = self.pick("int", "numbers", "text", "list")
        if one is None:
            return
        name = self.name("f")
        how = "&" if self.rng.random() < 0.6 else "="
        self.emit(f"auto {name} = [{how}] {{ return {self.use(one)}; }};")
        self.wait()
        self.emit(f"acc = mix(acc, {name}());")

    def leave(self):
        self.emit(f"if (acc % {self.rng.randrange(7, 60)} == 0) co_return{'' if self.is_generator else ' acc'};")

    def statements(self, count):
        choices = [(self.wait, 10), (self.add_variable, 8), (self.look, 7), (self.change, 6), (self.add_reference, 3),
                   (self.capture, 1), (self.leave, 1)]
        if self.depth < 3:
            choices += [(self.branch, 3), (self.loop, 4), (self.attempt, 3), (self.choose, 1),
                        (lambda: self.block("{"), 2)]
        weights = [weight for _, weight in choices]
        for _ in range(count):
            self.rng.choices([what for what, _ in choices], weights)[0]()


SPELLED = {"int": "int", "text": "std::string", "list": "std::vector<int>", "box": "std::unique_ptr<int>",
           "thing": "thing"}


def parameter_list(rng):
    kinds = []
    for _ in range(rng.randrange(4)):
        kind = rng.choice(PARAMETERS)
        size = rng.choice([5, 9]) if kind == "numbers" else 0
        if kind != "box" and rng.random() < 0.3:
            kind += "&"
        kinds.append((kind, size))
    return kinds


def spelled(kind, size, name):
    base = kind.rstrip("&")
    what = f"std::array<int, {size}>" if base == "numbers" else SPELLED[base]
    return f"{what}{'&' if kind.endswith('&') else ''} {name}"


def coroutine(rng, name, children, generators):
    parameters = parameter_list(rng)
    body = Body(rng, children, generators)
    body.scopes[0] = [Variable(f"p{i}", kind.rstrip("&"), size) for i, (kind, size) in enumerate(parameters)]
    body.scopes[0].append(Variable("acc", "int"))
    body.statements(rng.choice([2, 3, 4, 6, 9, 12]))
    for one in body.visible():
        if rng.random() < 0.5:
            body.emit(f"acc = mix(acc, {body.use(one)});")
    declared = ", ".join(spelled(kind, size, f"p{i}") for i, (kind, size) in enumerate(parameters))
    text = f"task {name}({declared}) {{\n  int acc = {rng.randrange(9)};\n"
    text += "\n".join(body.lines) + "\n  co_return acc;\n}\n"
    return text, parameters, body


def make_generator(rng, name):
    body = Body(rng, [], [], is_generator=True)
    body.scopes[0] = [Variable("acc", "int"), Variable("p", "text")]
    body.emit("co_yield acc;")
    body.statements(rng.randrange(2, 6))
    body.emit("co_yield sum(p);")
    return f"generator {name}(int acc, std::string p) {{\n" + "\n".join(body.lines) + "\n}\n"


def entry_of(name, parameters):
    """Makes the coroutine: what it takes by reference lives as long as the program."""
    lines = []
    arguments = []
    for i, (kind, size) in enumerate(parameters):
        base = kind.rstrip("&")
        what = f"std::array<int, {size}>" if base == "numbers" else SPELLED[base]
        value = {"int": "opaque(41)", "text": "std::string(30, 't')", "list": "std::vector<int>{4, 5, 6}",
                 "box": "std::make_unique<int>(8)", "thing": "thing(12)", "numbers": f"{what}{{1, 2, 3}}"}[base]
        if kind.endswith("&"):
            lines.append(f"static std::unique_ptr<{what}> a{i}; a{i} = std::make_unique<{what}>({value});")
            arguments.append(f"*a{i}")
        else:
            arguments.append(value)
    return f'      {{"{name}", [] {{ {" ".join(lines)} return {name}({", ".join(arguments)}); }}}},\n'


def program(seed, count):
    rng = random.Random(seed)
    text = '#include "harness.hpp"\n\nnamespace poison {\n'
    generators = []
    for i in range(max(1, count // 10)):
        generators.append(f"g{i}")
        text += make_generator(rng, generators[-1])
    children = []
    entries = ""
    for i in range(count):
        name = f"c{i}"
        # Children of children take many steps, so only coroutines without children are called.
        may_call = i % 3 != 0
        one, parameters, body = coroutine(rng, name, children[-12:] if may_call else [], generators)
        text += one
        if not may_call:
            children.append((name, parameters))
        entries += entry_of(name, parameters)
    return text + "std::vector<entry> entries() {\n  return {\n" + entries + "  };\n}\n}  // namespace poison\n"


if __name__ == "__main__":
    import sys

    print(program(int(sys.argv[1]), int(sys.argv[2])), end="")
