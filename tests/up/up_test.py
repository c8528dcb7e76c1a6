"""`./dev up` as a newcomer meets it: what it prints works when pasted, and Ctrl-C leaves nothing behind.

usage: up_test.py SOURCE_ROOT. The programs must be built; ./dev up finds nothing left to build.
"""

import ctypes
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = None  # from the command line
READY_SECONDS = 120
END_SECONDS = 40
PR_SET_CHILD_SUBREAPER = 36


def free_port():
    """A port that is free together with the second one after it, where the metrics go."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 2))
                return port
            except (OSError, OverflowError):
                continue


def orphans():
    """Processes that outlived their parents: as their subreaper, this process has inherited them."""
    children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    left = []
    for pid in children:
        if os.waitpid(int(pid), os.WNOHANG) == (0, 0):
            left.append(pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return left


def traces():
    """What a gateway could forget to clean: mounts, and files outside its folder."""
    mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    files = [path for place in ("/tmp", "/run", "/var/tmp", "/dev/shm") for path in glob.glob(f"{place}/*")]
    return {trace for trace in mounts + files if "faas" in trace}


class UpTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="up-test-", dir=os.path.join(SOURCE, "build"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = os.path.join(self.folder, "state")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.traces_before = traces()

    def dev(self, *arguments, state=None):
        environment = dict(os.environ, FAAS_STATE=state or self.state)
        return subprocess.run(
            [os.path.join(SOURCE, "dev"), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=READY_SECONDS,
        )

    def start(self, *arguments):
        """./dev up in the foreground, as a terminal runs it; returns once it says that it is ready."""
        log = open(os.path.join(self.folder, "output"), "w+", encoding="utf-8")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [os.path.join(SOURCE, "dev"), "up", "--port", str(self.port), *arguments],
            env=dict(os.environ, FAAS_STATE=self.state),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.addCleanup(self.end, process)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            output = pathlib.Path(log.name).read_text(encoding="utf-8")
            if "Ctrl-C stops everything" in output:
                return process, output
            self.assertIsNone(process.poll(), output)
            self.assertLess(time.monotonic(), deadline, output)
            time.sleep(0.05)

    def end(self, process):
        """Ctrl-C: the terminal signals the whole foreground group."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        return process.wait(timeout=END_SECONDS)

    def paste(self, line):
        """Runs a printed line; curl is told to fail where the answer says so."""
        done = subprocess.run(
            ["bash", "-c", line.replace("curl ", "curl -fsS --noproxy '*' ", 1)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
        return done.stdout

    def upper_answers(self):
        """The status of a deployment is eventual: the call waits until the function is ready, or fails clearly."""
        deadline = time.monotonic() + 20
        while True:
            call = f"curl -d hello {self.url}/function/upper"
            done = subprocess.run(["bash", "-c", call], capture_output=True, text=True, timeout=30)
            if done.stdout == "HELLO":
                return True
            if time.monotonic() > deadline:
                self.fail(f"{call}: {done.stdout} {done.stderr}")
            time.sleep(0.1)

    def test_what_it_prints_works_and_ctrl_c_leaves_nothing(self):
        process, output = self.start()
        lines = re.findall(r"^  (curl (?:.*\\\n)*.*)$", output, re.MULTILINE)
        self.assertGreaterEqual(len(lines), 7, output)
        for line in lines:
            if "/function/upper" not in line:
                with self.subTest(line=line):
                    self.paste(line)
        self.assertTrue(self.upper_answers())
        self.assertEqual(self.paste(f"curl -d 'a cat' {self.url}/function/cat"), "a cat")
        password = os.stat(os.path.join(self.state, "basic-auth-password"))
        self.assertEqual(password.st_mode & 0o777, 0o600)

        with self.subTest("a second one, same folder"):
            again = self.dev("up", "--port", str(self.port))
            self.assertEqual(again.returncode, 1, again.stdout)
            self.assertRegex(again.stdout, r"already runs here \(pid \d+\): ./dev down stops it")
        with self.subTest("a second one, same port"):
            other = self.dev("up", "--port", str(self.port), state=os.path.join(self.folder, "other"))
            self.assertEqual(other.returncode, 1, other.stdout)
            self.assertRegex(other.stdout, rf"port {self.port} .* is taken: ")

        self.assertEqual(self.end(process), 0)
        self.assertEqual(orphans(), [])
        self.assertEqual(traces() - self.traces_before, set())
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", self.port))

    def test_detached_it_goes_on_until_down_and_remembers_its_functions(self):
        up = self.dev("up", "--detach", "--port", str(self.port))
        self.addCleanup(self.dev, "down")
        self.assertEqual(up.returncode, 0, up.stdout)
        deploy = re.search(r"^  (curl .*\\\n.*upper.*)$", up.stdout, re.MULTILINE)
        self.paste(deploy.group(1))
        self.assertTrue(self.upper_answers())

        down = self.dev("down")
        self.assertEqual((down.returncode, orphans()), (0, []), down.stdout)
        again = self.dev("up", "--detach", f"--port={self.port}")
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertTrue(self.upper_answers())

        self.assertEqual(self.dev("down").returncode, 0)
        self.assertEqual(orphans(), [])
        nothing = self.dev("down")
        self.assertEqual(nothing.returncode, 0)
        self.assertIn("nothing runs here", nothing.stdout)

    def test_a_wrong_argument_is_named(self):
        for arguments in (("up", "--port"), ("up", "--port", "x"), ("up", "--port", "70000"), ("up", "--prot"), ("upp",)):
            with self.subTest(arguments=arguments):
                done = self.dev(*arguments)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)

    def test_a_gateway_that_cannot_start_says_why(self):
        os.mkdir(self.state)
        os.mkdir(os.path.join(self.state, "basic-auth-password"))  # no file can be written there
        done = self.dev("up", "--port", str(self.port))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"the gateway ended at its start: .*basic-auth-password")
        self.assertEqual(orphans(), [])


if __name__ == "__main__":
    SOURCE = os.path.abspath(sys.argv[1])
    # Whatever outlives ./dev becomes a child of this process instead of init's.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    unittest.main(argv=sys.argv[:1])
