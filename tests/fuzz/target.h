// What fuzz targets share: bytes as text, places to cut it, and a property that ends the program where it
// does not hold. A target is one file with LLVMFuzzerTestOneInput (docs/testing.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace faas::fuzz {

/// Ends the process: the fuzzer keeps the input, the replay names its file.
[[noreturn]] void broken(const char* property, const char* file, int line);

[[nodiscard]] inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Takes the first line off the front, without its '\n'; everything where there is none.
[[nodiscard]] inline std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return line;
}

/// Sizes of slices that look random, and are the same whenever the same input comes again.
class Slices final {
 public:
  /// Two seeds cut one input in two ways.
  Slices(std::string_view input, std::uint64_t seed) : state_(0xcbf29ce484222325U ^ seed) {
    for (const char c : input) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  /// 1 to `most`, mostly few: that is where a parser waits in the middle of something.
  [[nodiscard]] std::size_t next(std::size_t most) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    const std::size_t wanted = state_ % 4 == 0 ? (state_ >> 8U) % 512 : (state_ >> 8U) % 8;
    return wanted < most ? wanted + 1 : most;
  }

 private:
  std::uint64_t state_;
};

}  // namespace faas::fuzz

// HOLDS(condition): what must be true of every input.
#define HOLDS(...) \
  (static_cast<bool>(__VA_ARGS__) ? void() : ::faas::fuzz::broken(#__VA_ARGS__, __FILE__, __LINE__))

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
