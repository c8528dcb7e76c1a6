#include "watchdog/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace faas::watchdog {
namespace {

// A file that has no name from its first moment; where the file system cannot do that, it loses its name at
// once.
net::Fd make_file(const std::string& folder) {
  net::Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600));
  if (file) return file;
  auto path = folder + "/faas-spool-XXXXXX";
  file = net::Fd(::mkostemp(path.data(), O_CLOEXEC));
  if (file) ::unlink(path.c_str());
  return file;
}

bool is_full(int number) {
  return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

}  // namespace

Error Spool::failure(std::string_view what, int number) const {
  const auto code = is_full(number) ? Code::too_large : Code::failed;
  return system_error(what, number, code).within("TMPDIR (" + std::string(folder_) + ")");
}

Result<void> Spool::append(std::string_view piece) {
  if (!file_ && text_.size() + piece.size() <= kMemoryBytesMax) {
    text_.append(piece);
    return {};
  }
  if (!file_) {
    file_ = make_file(std::string(folder_));
    if (!file_) return failure("make a temporary file", errno);
    TRY(append_to_file(text_));
    text_ = std::string();  // its memory as well
  }
  return append_to_file(piece);
}

// The file's own offset stays at its beginning, where a process given the file starts to read.
Result<void> Spool::append_to_file(std::string_view piece) {
  while (!piece.empty()) {
    const auto n = ::pwrite(file_.get(), piece.data(), piece.size(), static_cast<off_t>(file_bytes_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("write to a temporary file", errno);
    file_bytes_ += static_cast<std::uint64_t>(n);
    piece.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t> Spool::read(std::uint64_t offset, std::span<char> room) const {
  if (!file_) {
    const auto rest = std::string_view(text_).substr(std::min<std::size_t>(offset, text_.size()));
    return rest.copy(room.data(), room.size());
  }
  while (true) {
    const auto n = ::pread(file_.get(), room.data(), room.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("read a temporary file", errno);
    return static_cast<std::size_t>(n);
  }
}

Task<Result<void>> spool_body(http::Exchange& exchange, std::string_view begun, Spool& spool) {
  auto kept = spool.append(begun);
  while (kept) {
    const auto piece = co_await exchange.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Result<void>();
    kept = spool.append(*piece);
  }
  co_return kept;
}

Task<Result<void>> send_spooled(http::Exchange& exchange, std::string_view first, const Spool& spool) {
  if (spool.file() < 0) {
    std::string joined;
    auto body = spool.text();
    if (!first.empty()) {
      joined.append(first).append(body);
      body = joined;
    }
    auto sent = co_await exchange.send(body);
    co_return sent;
  }
  exchange.length(first.size() + spool.size());
  auto sent = co_await exchange.write(first);
  if (sent) {
    const net::Source whole{.fd = spool.file(), .bytes = spool.size(), .offset = 0};
    sent = co_await exchange.pass(whole);
  }
  if (!sent) co_return sent;
  auto ended = co_await exchange.finish();
  co_return ended;
}

std::string beginning_of(const Spool& spool, std::size_t bytes_max) {
  std::string text(std::min<std::uint64_t>(bytes_max, spool.size()), '\0');
  const auto n = spool.read(0, text);
  text.resize(n ? *n : 0);
  return text;
}

int status_of(const Error& error, int otherwise) {
  if (error.code == Code::failed && error.origin == Origin::machine) return 500;
  if (error.code != Code::too_large) return otherwise;
  if (error.origin == Origin::client) return 413;
  return error.origin == Origin::machine ? 507 : otherwise;
}

}  // namespace faas::watchdog
