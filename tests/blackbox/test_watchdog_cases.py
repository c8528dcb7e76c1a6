# That every case of the list is shown by a test, and that the page says so.
import os

import watchdog_cases


def test_every_case_of_the_list_is_shown():
    known = watchdog_cases.cases()
    assert sorted(known) == list(range(1, 141))
    shown = {number for mark in watchdog_cases.marks() for number in mark.numbers}
    assert set(known) - shown == set()


def test_a_deviation_says_why_in_one_sentence():
    for mark in watchdog_cases.marks():
        if mark.deviation is not None:
            assert len(mark.deviation) > 10 and "\n" not in mark.deviation and "|" not in mark.deviation, mark.test
            assert not mark.deviation.endswith("."), mark.test


def test_the_page_says_what_the_marks_say():
    page = watchdog_cases.page()
    if "FAAS_WRITE_DOCS" in os.environ:
        watchdog_cases.PAGE.write_text(page)
    assert watchdog_cases.PAGE.read_text() == page
