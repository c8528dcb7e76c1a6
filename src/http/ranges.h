// Ranges: which bytes of a content a client asks for (RFC 9110 section 14).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace faas::http {

/// Never empty, and within the content.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};

/// A few are asked for by readers of PDF and video; hundreds only by attacks.
inline constexpr std::size_t kRangesMax = 64;

struct Wanted {
  enum class Kind {
    whole,        ///< everything: no Range, or ranges that together are longer than the content
    parts,        ///<
    malformed,    ///< 416 without Content-Range, as the reference answers other units too
    none_inside,  ///< 416 with Content-Range
    too_many,     ///< more than kRangesMax
  };
  Kind kind = Kind::whole;
  std::vector<ByteRange> parts;
};

/// What a Range field's value means for a content of `size` bytes.
[[nodiscard]] Wanted read_range(std::string_view value, std::uint64_t size);

/// "bytes 0-4/11".
[[nodiscard]] std::string content_range(const ByteRange& part, std::uint64_t size);

}  // namespace faas::http
