"""The floors hold: CMake refuses, when it configures, whatever breaks the rules of cmake/rooms.cmake.

Each case is a throwaway project with two or three rooms. usage: floors_test.py SOURCE_ROOT CMAKE CXX
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = CMAKE = CXX = None  # from the command line

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(throwaway LANGUAGES CXX)
set(FAAS_TESTS OFF)
add_library(faas_flags INTERFACE)
include({source}/cmake/rooms.cmake)
{rooms}
"""


def configure(source, folder, *arguments):
    done = subprocess.run(
        [CMAKE, "-G", "Ninja", "-S", source, "-B", folder, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    words = " ".join((done.stdout + done.stderr).split())  # CMake breaks its lines where it likes
    return done.returncode, words


class FloorsTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-floors-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def house(self, rooms, files):
        """What CMake says of a house with these rooms and these files under src/."""
        (self.folder / "CMakeLists.txt").write_text(PROJECT.format(source=SOURCE, rooms=rooms))
        for path, text in files.items():
            file = self.folder / "src" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        # The compiler is known to work: asking again takes longer than everything else here.
        return configure(self.folder, self.folder / "build", f"-DCMAKE_CXX_COMPILER={CXX}", "-DCMAKE_CXX_COMPILER_FORCED=ON")

    def assert_refused(self, answer, *words):
        code, said = answer
        self.assertNotEqual(code, 0, said)
        for word in words:
            self.assertIn(word, said)

    def assert_accepted(self, answer):
        code, said = answer
        self.assertEqual(code, 0, said)

    def test_a_room_may_use_the_rooms_below(self):
        self.assert_accepted(
            self.house(
                "room(low FLOOR 0)\nroom(middle FLOOR 1 USES low)\nroom(high FLOOR 3 USES low middle)",
                {
                    "low/a.h": "#include <sys/types.h>\n",
                    "middle/b.cc": '#include "low/a.h"\n#include "middle/own.h"\n',
                    "high/c.cc": '#include "middle/b.h"\n  #  include "low/a.h"\n',
                },
            )
        )

    def test_using_a_room_above_is_refused(self):
        self.assert_refused(
            self.house("room(high FLOOR 2)\nroom(low FLOOR 1 USES high)", {}),
            "room 'low' on floor 1 uses 'high' on floor 2",
        )

    def test_using_a_room_on_the_same_floor_is_refused(self):
        self.assert_refused(
            self.house("room(left FLOOR 1)\nroom(right FLOOR 1 USES left)", {}),
            "room 'right' on floor 1 uses 'left' on floor 1",
        )

    def test_a_cycle_is_refused(self):
        self.assert_refused(
            self.house("room(first FLOOR 1 USES second)\nroom(second FLOOR 0 USES first)", {}),
            "room 'first' uses 'second', which is not declared before it",
        )

    def test_a_room_that_uses_itself_is_refused(self):
        self.assert_refused(self.house("room(alone FLOOR 1 USES alone)", {}), "'alone'", "not declared before it")

    def test_an_include_that_uses_does_not_name_is_refused(self):
        rooms = "room(low FLOOR 0)\nroom(high FLOOR 1)"
        for name, text in {"a.cc": '#include "low/a.h"\n', "a.h": ' # include "low/a.h"\n', "a_test.cc": '#include "low/a.h"\n'}.items():
            with self.subTest(file=name):
                self.assert_refused(
                    self.house(rooms, {f"high/deep/{name}": text}),
                    f"high/deep/{name}",
                    "room 'high' includes room 'low', which its USES does not name",
                )
                (self.folder / "src/high/deep" / name).unlink()

    def test_an_include_of_a_room_above_is_refused(self):
        self.assert_refused(
            self.house("room(low FLOOR 0)\nroom(high FLOOR 1 USES low)", {"low/a.h": '#include "high/b.h"\n'}),
            "room 'low' includes room 'high'",
        )

    def test_an_include_added_later_is_refused_by_the_next_build(self):
        rooms = "room(low FLOOR 0)\nroom(high FLOOR 1)"
        self.assert_accepted(self.house(rooms, {"high/a.h": "// Nothing yet.\n"}))
        (self.folder / "src/high/a.h").write_text('#include "low/b.h"\n')
        done = subprocess.run(
            [CMAKE, "--build", self.folder / "build"], capture_output=True, text=True, timeout=120
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("'low'", done.stdout + done.stderr)

    def test_a_room_without_a_floor_or_with_unknown_words_is_refused(self):
        self.assert_refused(self.house("room(low USES)", {}), "FLOOR is missing")
        self.assert_refused(self.house("room(low FLOOR 0 NEEDS low)", {}), "unknown: NEEDS")

    @unittest.skipUnless(shutil.which("g++"), "there is no g++ here")
    def test_a_gcc_that_miscompiles_coroutines_is_refused(self):
        version = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True).stdout.strip()
        if int(version.split(".")[0]) >= 13:
            self.skipTest(f"g++ {version} compiles coroutines")
        self.assert_refused(
            configure(SOURCE, self.folder / "build", "-DCMAKE_CXX_COMPILER=g++"),
            f"cannot be built with GCC {version}",
            "miscompiles coroutines",
            "Use Clang",
        )


if __name__ == "__main__":
    SOURCE, CMAKE, CXX = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1])
