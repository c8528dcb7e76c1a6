// A Spool keeps bytes that have to be whole before they are used: few in memory, many in a file without a
// name in TMPDIR, so that a body of any size costs the watchdog the same memory.
//
// Threads:  one core. The file is read and written without waiting for the disk: it lives in the page cache.
// Lifetime: the file goes with the spool and with the processes that were given it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/exchange.h"
#include "net/stream.h"

namespace faas::watchdog {

class Spool final {
 public:
  /// What is kept in memory: most bodies, and little beside a program's own size.
  static constexpr std::size_t kMemoryBytesMax = 1024 * 1024;
  /// One step of reading the file.
  static constexpr std::size_t kPieceBytes = 64 * 1024;

  /// `folder` outlives it.
  explicit Spool(std::string_view folder) : folder_(folder) {}
  Spool(Spool&&) = default;
  Spool& operator=(Spool&&) = default;

  /// Errors (origin machine): too_large: the disk is full; failed: no file can be made. Both name the folder.
  [[nodiscard]] Result<void> append(std::string_view piece);

  [[nodiscard]] std::uint64_t size() const { return file_ ? file_bytes_ : text_.size(); }
  /// All of it, when it is in memory; empty when it is in the file.
  [[nodiscard]] std::string_view text() const { return text_; }
  /// The file, at its beginning: fit to be a process's standard input. -1: it is in memory.
  [[nodiscard]] int file() const { return file_.get(); }
  /// Bytes from `offset` on, as many as there are room and bytes for; 0 at the end.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<char> room) const;

 private:
  Result<void> append_to_file(std::string_view piece);
  [[nodiscard]] Error failure(std::string_view what, int number) const;

  std::string_view folder_;
  std::string text_;
  net::Fd file_;
  std::uint64_t file_bytes_ = 0;
};

/// Reads a request's body to its end: `begun` is what has been taken of it.
/// Errors: those of Exchange::read_body() and Spool::append().
[[nodiscard]] Task<Result<void>> spool_body(http::Exchange& exchange, std::string_view begun, Spool& spool);

/// Ends an answer whose head has been begun with `first` and what was spooled, its length known.
[[nodiscard]] Task<Result<void>> send_spooled(http::Exchange& exchange, std::string_view first,
                                              const Spool& spool);

/// Up to `bytes_max` of the beginning, for whoever looks at content.
[[nodiscard]] std::string beginning_of(const Spool& spool, std::size_t bytes_max);

/// 413 for a client that sent too much, 507 for a disk that is full, 500 for one that cannot be written, else
/// `otherwise`.
[[nodiscard]] int status_of(const Error& error, int otherwise);

}  // namespace faas::watchdog
