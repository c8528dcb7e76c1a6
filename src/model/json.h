// Reading and writing small JSON documents that strangers send: bounded, strict, and every refusal names the
// field. Keys match case-insensitively, as OpenFaaS clients expect of a Go server; null means absent.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace faas {

/// A request body, and with it everything a deployment holds.
inline constexpr std::size_t kJsonBytesMax = 1024 * 1024;
/// Ours are three deep; a stranger's deeper document is an attack on the stack.
inline constexpr std::size_t kJsonDepthMax = 32;

/// The error of a request that is wrong: code invalid, origin client.
[[nodiscard]] Error invalid_request(std::string text);

/// Parses one JSON object.
/// Errors: too_large above kJsonBytesMax; invalid when it is not JSON, nested too deep, not an object, or
/// when one object names a key twice (readers disagree about which one counts). Origin client.
[[nodiscard]] Result<boost::json::object> parse_json_object(std::string_view text);

/// The fields of one object, by name. Errors: invalid, client, and the text names `prefix` + name.
class JsonFields final {
 public:
  using Texts = std::map<std::string, std::string>;

  explicit JsonFields(const boost::json::object& object, std::string prefix = {})
      : object_(object), prefix_(std::move(prefix)) {}

  /// "" when absent. At most `bytes_max` bytes, no NUL.
  [[nodiscard]] Result<std::string> text(std::string_view name, std::size_t bytes_max = kJsonBytesMax) const;
  /// As text(), NUL bytes included.
  [[nodiscard]] Result<std::string> bytes(std::string_view name) const;
  /// false when absent.
  [[nodiscard]] Result<bool> flag(std::string_view name) const;
  /// Absent stays absent. A whole number from 0 to `max`.
  [[nodiscard]] Result<std::optional<std::uint32_t>> count(std::string_view name, std::uint32_t max) const;
  /// Empty when absent.
  [[nodiscard]] Result<std::vector<std::string>> list(std::string_view name) const;
  /// nullptr when absent. Lives as long as the object these fields are of.
  [[nodiscard]] Result<const boost::json::object*> object(std::string_view name) const;
  /// Absent stays absent; the keys inside are taken as they are.
  [[nodiscard]] Result<std::optional<Texts>> texts(std::string_view name) const;

 private:
  [[nodiscard]] Result<const boost::json::value*> find(std::string_view name) const;
  [[nodiscard]] std::string path(std::string_view name) const { return prefix_ + std::string(name); }

  const boost::json::object& object_;
  std::string prefix_;
};

}  // namespace faas
