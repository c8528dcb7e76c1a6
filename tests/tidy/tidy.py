"""A test of the source itself: sizes, names, banned calls, dead files, links. `tidy.py ROOT` prints what it finds.

A rule is a function of the tree that yields (file, line, sentence); each has a case in tidy_test.py that
proves it can fail. What a rule forbids, it says what to write instead.
"""

import pathlib
import posixpath
import re
import sys

from source import code_of, comments_of, functions_of, read_tree

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}

# What C++ calls here, and what to call instead. Members (x.system()) and longer names (mode_fork()) are others.
CALL = r"(?<![\w.>]){}\s*\("
FORK = CALL.format(r"v?fork")
BANNED_CALLS = [
    (FORK, "process::spawn: fork from a large server takes milliseconds"),
    (CALL.format(r"(?:system|popen)"), "process::spawn, or std::filesystem for files: no shell, no waiting thread"),
    (CALL.format(r"str(?:cpy|cat|ncpy|ncat|tok)"), "std::string"),
    (CALL.format(r"v?sprintf"), "fmt::format"),
    (CALL.format(r"ato(?:i|l|ll|f)"), "std::from_chars: atoi takes what is no number for 0"),
    (CALL.format(r"s?rand"), "std::random_device or getrandom"),
    (CALL.format(r"(?:sleep|usleep|nanosleep)"), "net::sleep_for: a core never blocks"),
    (CALL.format(r"(?:localtime|gmtime|getpwnam|getpwuid|gethostbyname)"), "its _r form: the answer is shared"),
    (r"std::this_thread::sleep_", "net::sleep_for, or in a test the event that is waited for"),
    (r"\.detach\s*\(\s*\)", "an owner that joins: a detached thread outlives what it uses"),
    (r"std::regex\b", "a parser: std::regex is slow and overflows the stack"),
    (r"std::async\b", "a task on a core"),
    (r"std::endl\b", "'\\n': endl flushes"),
    (r"\busing\s+namespace\s+std\s*;", "std:: where it is meant"),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
LIKE_CODE = re.compile(
    r"""^(?:
        (?:[\w:<>,*&]+\s+)+[\w.\[\]]+\s*=\s*\S.*;      # const auto x = y;
      | [\w.\[\]>-]+\s*(?:[-+*/|&]?=)\s*\S+;            # x = y;
      | (?:co_await\s+)?[\w:.>-]+\(.*\);                # f(x);
      | (?:return|co_return)\s+\S+;                     # return x;
      | (?:if|for|while|switch)\s*\(.*\)\s*(?:\{|.*;)   # if (x) {
      | \}\s*(?:else\b.*)?                              # }
      | \#\s*(?:include|define|if|ifdef|endif)\b.*
    )$""",
    re.VERBOSE,
)
# /home/app is a place in OpenFaaS's images, not on a machine.
A_MACHINE = re.compile(r"/home/(?!app\b)\w+|/Users/\w+|/root/|/work/|[A-Z]:\\\\?Users|\.pyenv|\.nvm\b")
A_REGISTRY = re.compile(
    r"\b(?:[\w-]+\.)*(?:docker\.(?:io|com)/|ghcr\.io|gcr\.io|quay\.io|npmjs\.(?:org|com)|pypi\.org|pythonhosted\.org"
    r"|crates\.io|proxy\.golang\.org|jfrog\.io|artifactory\.)"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def is_tidy(file):
    return file.path.parts[:2] == ("tests", "tidy")  # it names what it forbids


def long_files(files):
    for file in files:
        if file.is_program and len(file.lines) > FILE_LINES_MAX:
            yield file, len(file.lines), f"{len(file.lines)} lines, at most {FILE_LINES_MAX}: give a part of it its own file"


def long_functions(files):
    for file in files:
        for name, line, length in functions_of(file):
            if length > FUNCTION_LINES_MAX:
                yield file, line, f"{name} has {length} lines, at most {FUNCTION_LINES_MAX}: name its steps"


def empty_names(files):
    for file in files:
        for part in file.path.parts:
            words = set(re.split(r"[\W_]+", part.lower()))
            for word in sorted(words & EMPTY_NAMES):
                yield file, 1, f"the name says '{word}', which says nothing: name what is in it"


def banned_calls(files):
    for file in files:
        if not file.is_cpp or is_tidy(file):
            continue
        code = code_of(file.text)
        for pattern, instead in BANNED_CALLS:
            if pattern == FORK and file.path.stem.endswith("_test"):
                continue  # a test is small, and some kill a copy of themselves
            for match in re.finditer(pattern, code):
                words = match.group().strip(" (")
                yield file, line_of(code, match.start()), f"{words} is not used here, but {instead}"


def unfinished(files):
    for file in files:
        if is_tidy(file) or not (file.is_program or file.path.suffix in {".md", ".json"}):
            continue
        for number, line in enumerate(file.lines, 1):
            if UNFINISHED.search(line):
                yield file, number, "finish it now, or write an issue"


def code_in_comments(files):
    for file in files:
        if not file.is_cpp:
            continue
        for number, words in comments_of(file.text):
            if LIKE_CODE.match(words):
                yield file, number, "this comment is code: git remembers what was removed"


def places(files):
    for file in files:
        if not file.is_program or is_tidy(file):
            continue
        for number, line in enumerate(file.lines, 1):
            if A_MACHINE.search(line):
                yield file, number, "a path of one machine: take it from an argument or from where the program is"
            if A_REGISTRY.search(line):
                yield file, number, "the name of a registry: whoever deploys chooses where things come from"


def asio_inside(files):
    allowed = {("src", "net"), ("src", "http")}
    for file in files:
        if file.path.parts[0] != "src" or file.path.parts[:2] in allowed:
            continue
        for match in INCLUDE.finditer(file.text):
            if re.match(r"boost/(asio|beast)\b", match.group(2)):
                yield file, line_of(file.text, match.start()), "Asio and Beast stay behind src/net and src/http"


def includes(files):
    """Quotes name a file from src/ (or one beside it), so that CMake can see which room is meant."""
    paths = {str(file.path) for file in files}
    for file in files:
        if file.path.parts[0] != "src" or not file.is_cpp:
            continue
        for match in INCLUDE.finditer(file.text):
            ours = f"src/{match.group(2)}" in paths
            line = line_of(file.text, match.start())
            if match.group(1) == '"' and not ours:
                yield file, line, f"{match.group(2)} is not a file of src/: name it from there, and others' with <>"
            if match.group(1) == "<" and ours and "/" in match.group(2):
                yield file, line, f"{match.group(2)} is ours: name it with quotes"


def headers(files):
    for file in files:
        if file.path.suffix != ".h":
            continue
        if not file.text.startswith("//"):
            yield file, 1, "a header opens with a comment that says what the thing is"
        if not re.search(r"^#pragma once$", file.text, re.MULTILINE):
            yield file, 1, "#pragma once is missing"


def dead_files(files):
    """C++ that no CMakeLists.txt builds, headers nobody includes, Python that nothing names, unlinked pages."""
    cmake = {file.path.parent: file.text for file in files if file.path.name == "CMakeLists.txt"}
    rooms = set(re.findall(r"^room\((\w+)", cmake.get(pathlib.PurePosixPath("src"), ""), re.MULTILINE))
    linked = {page for file in files for _, target in links_of(file) for page in (target, f"{target}/README.md")}
    included = {posixpath.basename(m.group(2)) for f in files if f.is_cpp for m in INCLUDE.finditer(f.text)}
    for file in files:
        suffix, name = file.path.suffix, file.path.name
        if suffix == ".cc" and not (file.path.parts[0] == "src" and file.path.parts[1] in rooms):
            if not any(is_built(file.path, folder, text) for folder, text in cmake.items()):
                yield file, 1, "no CMakeLists.txt builds it"
        elif suffix == ".h" and name not in included:
            yield file, 1, "no file includes it"
        elif suffix == ".py" and not re.match(r"test_|conftest", name):
            if not any(file.path.stem in other.text for other in files if other is not file):
                yield file, 1, "nothing names it"
        elif suffix == ".md" and file.path.parts[0] == "docs" and str(file.path) not in linked:
            yield file, 1, "no page links to it"


def is_built(path, folder, text):
    if folder not in path.parents:
        return False
    relative = path.relative_to(folder)
    globbed = any(relative.match(pattern) for pattern in re.findall(r"[\w./-]*\*[\w.*-]*", text.replace("}/", " ")))
    return globbed or str(relative) in text


def white_space(files):
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                yield file, number, "white space at the end of the line"
        if file.text and not file.text.endswith("\n"):
            yield file, len(file.lines), "the last line does not end"


def links_of(page):
    """(offset, path from the root) of every link of a page to a file."""
    if page.path.suffix != ".md":
        return
    for match in re.finditer(r"\]\(([^)#\s]+)[^)]*\)", page.text):
        if not re.match(r"\w+:", match.group(1)):
            target = posixpath.normpath(posixpath.join(str(page.path.parent), match.group(1)))
            yield match.start(), target


def links(files):
    """Every link inside a page leads to a file that exists."""
    paths = {str(file.path) for file in files}
    folders = {str(parent) for file in files for parent in file.path.parents}
    for file in files:
        for offset, target in links_of(file):
            if target not in paths | folders:
                yield file, line_of(file.text, offset), f"the link to {target} leads nowhere"


RULES = [
    long_files,
    long_functions,
    empty_names,
    banned_calls,
    unfinished,
    code_in_comments,
    places,
    asio_inside,
    includes,
    headers,
    dead_files,
    white_space,
    links,
]


def check(root):
    """(rule, path, line, sentence) of everything found, in the order of the rules."""
    files = read_tree(root)
    return [(rule.__name__, str(file.path), line, why) for rule in RULES for file, line, why in rule(files)]


def main():
    if len(sys.argv) != 2 or not pathlib.Path(sys.argv[1]).is_dir():
        sys.exit("usage: tidy.py ROOT")
    found = check(sys.argv[1])
    for rule, path, line, why in found:
        print(f"{path}:{line}: {why} [{rule}]")
    if found:
        print(f"tidy: {len(found)} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
