"""Every rule of tidy finds what it is for, and leaves a tidy tree alone."""

import pathlib
import tempfile
import unittest

import source
import tidy

HEADER = "// A thing.\n#pragma once\n"
TIDY_TREE = {
    "src/CMakeLists.txt": "room(base FLOOR 0)\nprogram(one SOURCE apps/one.cc USES base)\n",
    "src/base/thing.h": HEADER + "#include <string>\nint thing(int x);\n",
    "src/base/thing.cc": '#include "base/thing.h"\n// Returns what it got, for the reason given here;\nint thing(int x) { return x; }\n',
    "src/apps/one.cc": '#include "base/thing.h"\nint main() { return thing(1\'000); }  // why = because;\n',
    "README.md": "[the code](src/base/thing.h), [elsewhere](https://example.org/x#y), [here](#there)\n",
}


def lines(count):
    return "int x;\n" * count


def function(length):
    return "int f(int x) {\n" + "  ++x;\n" * (length - 2) + "}\n"


# rule -> trees that it must find something in, each added to the tidy tree.
BAD = {
    "long_files": [{"src/base/a.cc": lines(501)}, {"tests/a.py": "x = 1\n" * 501 + "# a\n"}],
    "long_functions": [
        {"src/base/a.cc": function(61)},
        {"src/base/a.cc": "namespace a {\nclass B final {\n public:\n  B() : x_(1) {\n" + "\n" * 60 + "  }\n};\n}\n"},
        {"src/base/a.cc": 'TEST(A, B) {\n  const char* s = "}";  // }\n' + "\n" * 60 + "}\n"},
        {"tests/test_a.py": "def f():\n" + "    x = 1\n" * 60},
        {"run": "#!/bin/sh\nf() {\n" + "  true\n" * 60 + "}\n"},
    ],
    "empty_names": [
        {"src/base/string_util.cc": ""},
        {"src/helpers/a.md": ""},
        {"src/base/common.md": ""},
        {"src/base/node-manager.md": ""},
    ],
    "banned_calls": [
        {"src/base/a.cc": f"void f() {{ {call} }}\n"}
        for call in (
            "if (fork() == 0) g();",
            "::vfork();",
            'std::system("ls");',
            'popen("ls", "r");',
            "strcpy(a, b);",
            'sprintf(a, "b");',
            "atoi(a);",
            "rand();",
            "usleep(1);",
            "localtime(&t);",
            "std::this_thread::sleep_for(1s);",
            "std::thread(g).detach();",
            'std::regex r("a");',
            "std::async(g);",
            "std::cout << std::endl;",
            "using namespace std;",
        )
    ],
    "unfinished": [{"src/base/a.cc": "// TODO: more\n"}, {"a.md": "FIXME\n"}, {"run": "#!/bin/sh\n# XXX\n"}],
    "code_in_comments": [
        {"src/base/a.cc": f"// {code}\n"}
        for code in (
            "const auto x = f(y);",
            "x = y;",
            "return x;",
            "co_await g(x, y);",
            "if (x) {",
            "for (auto x : y) g(x);",
            "} else {",
            "#include <string>",
        )
    ],
    "places": [
        {"src/base/a.cc": 'auto path = "/home/ada/faas";\n'},
        {"src/base/a.cc": 'auto path = "/home/apple";\n'},
        {"run": "#!/bin/sh\ncd /Users/ada\n"},
        {"src/base/a.cc": 'auto image = "ghcr.io/x/y";\n'},
        {"run": "#!/bin/sh\ncurl https://registry.npmjs.org/x\n"},
    ],
    "asio_inside": [{"src/base/a.cc": "#include <boost/asio/post.hpp>\n"}, {"src/apps/one.cc": "#include <boost/beast.hpp>\n"}],
    "includes": [
        {"src/base/a.cc": '#include "thing.h"\n'},
        {"src/base/a.cc": '#include "../base/thing.h"\n'},
        {"src/base/a.cc": "#include <base/thing.h>\n"},
    ],
    "headers": [
        {"src/base/thing.h": "#pragma once\n"},
        {"src/base/thing.h": "// A thing.\n#ifndef THING\n#endif\n"},
    ],
    "dead_files": [
        {"src/attic/a.cc": ""},
        {"src/apps/two.cc": ""},
        {"bench/CMakeLists.txt": "add_executable(b b.cc)\n", "bench/a.cc": ""},
        {"src/base/unused.h": HEADER},
        {"tests/forgotten.py": ""},
        {"docs/lonely.md": "A page.\n"},
    ],
    "white_space": [{"a.md": "end \n"}, {"a.md": "no end"}],
    "links": [{"a.md": "[gone](docs/gone.md)\n"}, {"docs/a.md": "[up](../nothing.md#part)\n", "b.md": "[a](docs/a.md)\n"}],
}

# What looks alike and is not meant.
GOOD = [
    {"src/base/a.cc": lines(500)},
    {"src/base/a.cc": function(60)},
    {"src/base/a.cc": "namespace a {\n" + function(60) + function(60) + "}\n"},
    {"src/base/a.cc": "struct A {\n" + "  int f(int x) { return x; }\n" * 100 + "};\n"},
    {"src/base/a.cc": 'const char* kText = R"(\nfork() {\n)";\n'},
    {"src/base/a.cc": "// fork() costs too much.\nint mode_fork();\nvoid f(P& p) { p.system(); mode_fork(); }\n"},
    {"src/base/a_test.cc": "void f() { fork(); }\n"},
    {"src/base/a.cc": "using namespace std::chrono_literals;\n"},
    {"src/base/a.cc": "// Threads: any; the caller waits (see run());\n// if (and only if) it ends, all ends.\n"},
    {"src/base/a.cc": 'auto name = "/tmp/faas-XXXXXX";\n'},
    {"bench/CMakeLists.txt": "file(GLOB all *.cc)\n", "bench/a.cc": ""},
    {"samples/CMakeLists.txt": "add_executable(b cpp/b.cc)\n", "samples/cpp/b.cc": ""},
    {"src/net/CMakeLists.txt": "x.cc\n", "src/net/x.cc": "#include <boost/asio.hpp>\n"},
    {"build-asan/util.cc": "// TODO\n", ".faas/x.h": ""},
]


def findings(change):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**TIDY_TREE, **change}.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tidy.check(root)


class TidyTest(unittest.TestCase):
    def test_a_tidy_tree_has_no_findings(self):
        self.assertEqual(findings({}), [])

    def test_every_rule_has_a_tree_that_breaks_it(self):
        self.assertEqual(set(BAD), {rule.__name__ for rule in tidy.RULES})

    def test_every_rule_finds_what_it_is_for(self):
        for rule, trees in BAD.items():
            for tree in trees:
                with self.subTest(rule=rule, tree={path: text[:60] for path, text in tree.items()}):
                    self.assertEqual({found[0] for found in findings(tree)}, {rule})

    def test_what_only_looks_alike_is_left_alone(self):
        for tree in GOOD:
            with self.subTest(tree={path: text[:60] for path, text in tree.items()}):
                self.assertEqual(findings(tree), [])

    def test_every_banned_call_is_in_the_cases(self):
        code = "\n".join(source.code_of(text) for tree in BAD["banned_calls"] for text in tree.values())
        for pattern, _ in tidy.BANNED_CALLS:
            self.assertRegex(code, pattern)

    def test_a_finding_names_the_line(self):
        found = findings({"src/base/a.cc": '// why\nconst char* kText = "\\"{";\nvoid f() {\n  rand();\n}\n'})
        self.assertEqual([(path, line) for _, path, line, _ in found], [("src/base/a.cc", 4)])


if __name__ == "__main__":
    unittest.main()
