// Parsing heads and chunked bodies (Boost.Beast does it; RFC 9112).
//
// A head is parsed once, when it is whole: its views point into the caller's bytes, or, for the rare head
// with bare LF line ends, into a copy the parser keeps until the next one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace faas::http {

/// The size of the head at the beginning of `bytes`, empty line included; 0 while it is not whole. `from` is
/// where an earlier search of the same bytes may be resumed; it is moved on.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t& from);

/// Why a head is refused: the status and the line a client is told.
struct HeadError {
  int status = 400;
  std::string_view text;
};

/// What one step through a chunked body found.
struct ChunkStep {
  std::size_t consumed = 0;
  std::string_view data;  ///< bytes of the body, views into the input
  bool done = false;      ///< the last chunk and the trailers are over
  bool need_more = false;
  bool bad = false;
};

class Parser final {
 public:
  Parser();
  ~Parser();

  /// `bytes` is exactly one head. The version's minor digit may be patched in place (1.2 reads as 1.1).
  [[nodiscard]] std::optional<HeadError> request(char* bytes, std::size_t size, RequestHead& out);
  /// `to_head`: the answer to HEAD, which has no body whatever it says.
  [[nodiscard]] std::optional<HeadError> response(char* bytes, std::size_t size, bool to_head,
                                                  ResponseHead& out);
  /// The next step of the chunked body of the head parsed last.
  [[nodiscard]] ChunkStep chunk(std::string_view bytes);
  /// The trailers of a body that is done, as complete lines; valid until the next head.
  [[nodiscard]] std::string_view trailers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace faas::http
