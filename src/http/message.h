// HTTP/1.1 messages as a proxy sees them: heads whose texts are views into the bytes that came, and how
// the body is framed (RFC 9112 section 6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace faas::http {

enum class Method : std::uint8_t { other, get, head, post, put, del, options, patch, connect, trace };

/// The fields a server or proxy acts on; every other name is `other`.
enum class FieldId : std::uint8_t {
  other,
  host,
  connection,
  keep_alive,
  proxy_connection,
  proxy_authenticate,
  proxy_authorization,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  content_length,
  content_type,
  expect,
  date,
  authorization,
  user_agent,
  x_call_id,
  x_start_time,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_function,
  x_duration_seconds,
};

/// One header line. The views live as long as the head they came with.
struct Field {
  FieldId id = FieldId::other;
  std::string_view name;
  std::string_view value;
};

/// How long a body is: absent, known, chunked, or until the connection closes (answers only).
struct Framing {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  ///< for Kind::length
};

struct Head {
  int minor = 1;  ///< HTTP/1.minor: 0 or 1
  std::vector<Field> fields;
  Framing body;
  bool keep_alive = true;          ///< the sender wants the connection kept
  bool upgrade = false;            ///< "Connection: upgrade" and an Upgrade field
  bool connection_tokens = false;  ///< Connection names fields beyond close, keep-alive and upgrade

  /// The first value of a field; empty when there is none. `id` must not be `other`.
  [[nodiscard]] std::string_view value(FieldId id) const;
  [[nodiscard]] bool has(FieldId id) const;
  /// The same by name, without regard to case.
  [[nodiscard]] std::string_view value(std::string_view name) const;
};

struct RequestHead : Head {
  Method method = Method::get;
  std::string_view method_text;
  std::string_view target;  ///< exactly as the client wrote it
  std::string_view host;    ///< the Host field, or the authority of an absolute-form target
  bool expect_continue = false;

  /// The target's path (raw) and query (raw, without '?'); an absolute-form target counts from its path.
  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;
};

struct ResponseHead : Head {
  int status = 200;
  std::string_view reason;
};

/// Case-insensitive comparison of ASCII text.
[[nodiscard]] bool same_text(std::string_view a, std::string_view b);
/// Whether a comma-separated list holds `token`.
[[nodiscard]] bool list_holds(std::string_view list, std::string_view token);
/// Whether a field belongs to one connection and is not passed on (RFC 9110 section 7.6.1).
[[nodiscard]] bool is_hop_by_hop(FieldId id);
/// Percent-decodes; "%zz" stays as it is.
[[nodiscard]] std::string percent_decode(std::string_view text);
/// The decoded value of a key in a raw query ("a=1&b=2"); the last one counts; empty when there is none.
[[nodiscard]] std::string query_value(std::string_view query, std::string_view key);
/// "Not Found" for 404; "status code 599" for those without a name.
[[nodiscard]] std::string_view reason_of(int status);
/// The Date field's value for now ("Mon, 23 Nov 2026 02:38:00 GMT"), cached per second and thread.
[[nodiscard]] std::string_view http_date();

/// The line before a chunk of that many bytes: "1f4\r\n" (RFC 9112 section 7.1).
class ChunkSize final {
 public:
  explicit ChunkSize(std::size_t bytes);
  [[nodiscard]] std::string_view line() const { return {text_, size_}; }

 private:
  char text_[24];
  std::size_t size_ = 0;
};

/// Writes a head into a string. Values come from parsed messages or are ours: a control character in one is
/// replaced by a space, so that no value can end its line.
class HeadWriter final {
 public:
  explicit HeadWriter(std::string& out) : out_(out) {}
  /// `prefix` is written right before the target.
  void request_line(std::string_view method, std::string_view target, std::string_view prefix = {});
  void status_line(int status, std::string_view reason = {}, int minor = 1);
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, std::uint64_t value);
  void end() { out_.append("\r\n"); }

 private:
  std::string& out_;
};

}  // namespace faas::http
