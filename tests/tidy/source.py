"""How tidy reads the tree: which files there are, C++ without its comments and strings, where functions end."""

import ast
import dataclasses
import pathlib
import re

# A fuzzer's corpus is bytes, whatever it looks like.
NOT_OURS = {".git", ".faas", "node_modules", "__pycache__", ".pytest_cache", "results", "corpus"}
CPP = {".cc", ".h"}
PROGRAM_TEXT = CPP | {".py", ".sh", ".js", ".ts", ".lua", ".cmake"}


@dataclasses.dataclass(frozen=True)
class File:
    path: pathlib.PurePosixPath  # from the root of the tree
    text: str

    @property
    def lines(self):
        return self.text.splitlines()

    @property
    def is_cpp(self):
        return self.path.suffix in CPP

    @property
    def is_program(self):
        """Whether people wrote it for a machine to run: scripts without a suffix open with #!."""
        return (
            self.path.suffix in PROGRAM_TEXT
            or self.path.name == "CMakeLists.txt"
            or (not self.path.suffix and self.text.startswith("#!"))
        )


def read_tree(root):
    files = []
    for path in sorted(pathlib.Path(root).rglob("*")):
        relative = path.relative_to(root)
        if not path.is_file() or path.is_symlink() or is_not_ours(relative):
            continue
        try:
            files.append(File(pathlib.PurePosixPath(relative), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # an image
    return files


def is_not_ours(relative):
    return bool(NOT_OURS & set(relative.parts)) or relative.parts[0].startswith("build")


CPP_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)")
      | (?P<include>^[ \t]*\#[ \t]*include[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>\b\d[\w.']*)
      | (?P<char>'(?:\\.|[^'\\\n])+')""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def code_of(text):
    """C++ with comments, strings and character literals emptied, line by line where it was."""

    def blank(match):
        if match.lastgroup in ("include", "number"):
            return match.group()
        return '""' * (match.lastgroup == "string") + "\n" * match.group().count("\n")

    return CPP_TOKEN.sub(blank, text)


def comments_of(text):
    """(line number, words) of every // comment that stands on its own line."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\s*//+<?\s?(.*)$", line)
        if match:
            yield number, match.group(1).strip()


NOT_A_FUNCTION = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^()=]*$|=\s*$")


def cpp_functions(text):
    """(name, first line, length) of the outermost functions of a C++ file."""
    code = code_of(text)
    depth, start, inside, head_at = 0, 0, None, 0
    for match in re.finditer(r"[{};]", code):
        here = match.start()
        if match.group() == "{":
            head = code[head_at:here]
            if inside is None and "(" in head and not NOT_A_FUNCTION.search(head):
                inside, start = depth, head_at + len(head) - len(head.lstrip())
            depth += 1
        elif match.group() == "}":
            depth -= 1
            if inside == depth:
                first = code.count("\n", 0, start) + 1
                yield function_name(code[start:here]), first, code.count("\n", start, here) + 1
                inside = None
        head_at = here + 1


def function_name(head):
    match = re.search(r"([\w:~]+)\s*\(([^),]*,?\s*\w*)", head)
    if match is None:
        return "?"
    return f"{match.group(1)}({match.group(2)})" if match.group(1) == "TEST" else match.group(1)


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def shell_functions(text):
    name, start = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"([\w-]+)\(\) \{$", line)
        if match:
            name, start = match.group(1), number
        elif line == "}" and name:
            yield name, start, number - start + 1
            name = None


def functions_of(file):
    if file.is_cpp:
        return list(cpp_functions(file.text))
    if file.path.suffix == ".py":
        return list(python_functions(file.text))
    if file.path.suffix == ".sh" or (not file.path.suffix and file.text.startswith("#!")):
        return list(shell_functions(file.text))
    return []
