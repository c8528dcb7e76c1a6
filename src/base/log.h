// The log: one line a record, "YYYY/MM/DD HH:MM:SS text" in local time, on standard error.
//
// A thread collects its lines and hands them to the kernel in one write at the end of its loop's turn
// (net::Core arranges it; elsewhere each line is written at once), so that a busy core pays one system call
// for many lines and an idle one loses no time. Control characters inside a record are escaped, so that no
// input can forge a line.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace faas::log {

/// Appends one record. Never throws; a line longer than 64 KiB is cut.
void line(std::string_view text);

template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  fmt::memory_buffer buffer;
  fmt::format_to(std::back_inserter(buffer), format, std::forward<Args>(args)...);
  line({buffer.data(), buffer.size()});
}

/// Appends bytes as they are to standard error (fd 2) or standard output (fd 1): a function's own output.
void raw(int fd, std::string_view bytes);

/// "YYYY/MM/DD HH:MM:SS " for now, cached per second and thread.
std::string_view timestamp();

/// Writes out what this thread has collected.
void flush();

/// Called (once) when this thread's buffer stops being empty; null: every line is written at once.
void set_flush_hook(void (*hook)(void*), void* argument);

}  // namespace faas::log
