"""The arithmetic behind the benchmark's table."""

import unittest

import syscalls
import transfers
from figures import Memory, Row, cpu_table, evaluate, evaluate_memory, missed, table
from procfs import TICK_NS, cpu_between_ns

BASE = Row("nginx", "nginx", ("nginx",))
PAIR = Row("gateway + watchdog", "gateway", ("gateway", "watchdog"), target=1.15)


def sample(errors=(), **cpu_us):
    parts = {part: {"cpu_us": us, "idle_kib": 1000, "loaded_kib": 2000} for part, us in cpu_us.items()}
    return {"rps": 100.0, "errors": list(errors), "parts": parts}


class Figures(unittest.TestCase):
    def test_a_row_adds_up_the_cpu_time_of_its_parts(self):
        samples = {"nginx": [sample(nginx=20.0)], "gateway": [sample(gateway=10.0, watchdog=12.0)]}
        line = evaluate(PAIR, BASE, samples, {})
        self.assertEqual((line["cpu_us"], line["ratio"], line["holds"]), (22.0, 1.1, True))

    def test_a_ratio_compares_within_a_round_so_that_a_slow_moment_cancels(self):
        samples = {
            "nginx": [sample(nginx=20.0), sample(nginx=40.0), sample(nginx=20.0)],
            "gateway": [sample(gateway=15.0, watchdog=15.0), sample(gateway=30.0, watchdog=30.0),
                        sample(gateway=15.0, watchdog=15.0)],
        }
        line = evaluate(PAIR, BASE, samples, {})
        self.assertEqual((line["ratio"], line["holds"]), (1.5, False))
        self.assertEqual(missed([line]), ["gateway + watchdog"])

    def test_a_round_with_errors_counts_for_nothing_and_is_told(self):
        samples = {"nginx": [sample(nginx=20.0)] * 2,
                   "gateway": [sample(["3 wrong answers"], gateway=1.0, watchdog=1.0),
                               sample(gateway=10.0, watchdog=10.0)]}
        line = evaluate(PAIR, BASE, samples, {})
        self.assertEqual((line["cpu_us"], line["errors"]), (20.0, ["3 wrong answers"]))
        self.assertIn("ERRORS", cpu_table([line], "nginx"))

    def test_a_row_of_which_nothing_was_measured_holds_nothing(self):
        line = evaluate(PAIR, BASE, {"nginx": [sample(nginx=20.0)]}, {"gateway": "not built"})
        self.assertNotIn("holds", line)
        self.assertIn("not built", cpu_table([line], "nginx"))

    def test_without_the_base_there_are_figures_and_no_ratio(self):
        line = evaluate(PAIR, BASE, {"gateway": [sample(gateway=10.0, watchdog=10.0)]}, {})
        self.assertEqual((line["cpu_us"], line["ratio"]), (20.0, None))
        self.assertIn("not measured", cpu_table([line], "nginx"))

    def test_idle_memory_is_held_against_its_target(self):
        row = Memory("gateway", "gateway", "gateway", target_kib=999)
        line = evaluate_memory(row, {"gateway": [sample(gateway=1.0)]}, {})
        self.assertEqual((line["idle_kib"], line["holds"]), (1000, False))

    def test_the_table_is_markdown(self):
        self.assertEqual(table(["row", "n"], [["a", "10"]]).splitlines(),
                         ["| row |  n |", "|-----|---:|", "| a   | 10 |"])


class CpuTime(unittest.TestCase):
    def test_is_exact_while_the_threads_live(self):
        before = {"threads": {"1": 100, "2": 50}, "ticks": 0}
        self.assertEqual(cpu_between_ns(before, {"threads": {"1": 130, "2": 70}, "ticks": 9}), 50)

    def test_is_the_processs_when_a_thread_ended_or_began(self):
        before = {"threads": {"1": 100, "2": 50}, "ticks": 3}
        self.assertEqual(cpu_between_ns(before, {"threads": {"1": 130, "3": 7}, "ticks": 9}), 6 * TICK_NS)


class Transfers(unittest.TestCase):
    ROW = transfers.Transfer("ours", "transfer", "", {}, cpu_seconds_max=0.5, peak_mib_max=8, reference="theirs",
                             speedup_min=2.0)

    @staticmethod
    def round(cpu_s, gib_per_s, mib=2):
        return {"cpu_s": cpu_s, "gib_per_s": gib_per_s, "peak_kib": mib * 1024}

    def holds(self, ours, theirs=()):
        return transfers.evaluate(self.ROW, {"ours": ours, "theirs": list(theirs)}).get("holds")

    def test_hold_when_each_target_does(self):
        self.assertTrue(self.holds([self.round(0.5, 1.0, 8)], [self.round(1.9, 0.5)]))

    def test_are_missed_by_any_of_them(self):
        theirs = [self.round(1.9, 0.5)]
        self.assertFalse(self.holds([self.round(0.51, 1.0)], theirs))
        self.assertFalse(self.holds([self.round(0.4, 0.9)], theirs))
        self.assertFalse(self.holds([self.round(0.4, 1.0), self.round(0.4, 1.0, 9)], theirs * 2))

    def test_without_the_reference_the_others_decide(self):
        self.assertTrue(self.holds([self.round(0.4, 0.1)]))

    def test_that_failed_hold_nothing_and_are_told(self):
        line = transfers.evaluate(self.ROW, {"ours": [{"error": "curl ended with 56"}]})
        self.assertNotIn("holds", line)
        self.assertIn("ERRORS", transfers.table([line]))


class SystemCalls(unittest.TestCase):
    def test_of_a_child_count_until_it_has_become_a_program(self):
        text = "\n".join([
            "10 read(3, ...) = 5", "10 vfork( <unfinished ...>", "11 dup2(4, 0) = 0",
            '11 execve("/bin/cat", ...) = -1 ENOENT', '11 execve("/usr/bin/cat", ...) = 0', "11 brk(NULL) = 0",
            "10 <... vfork resumed>) = 11", "11 +++ exited with 0 +++",
        ])
        self.assertEqual(syscalls.count_lines(text, {10}), 5)


if __name__ == "__main__":
    unittest.main()
