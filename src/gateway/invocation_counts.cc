#include "gateway/invocation_counts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>
#include <utility>

#include "net/stream.h"

namespace faas::gateway {
namespace {

constexpr std::string_view kFirstLine = "faas invocations 1";
// Without it, the file was cut off.
constexpr std::string_view kLastLine = "end";

std::optional<Invocations> parse(const std::string& text) {
  Invocations counts;
  std::string_view rest = text;
  bool first = true;
  while (true) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (std::exchange(first, false)) {
      if (line != kFirstLine) return std::nullopt;
      continue;
    }
    if (line == kLastLine) return counts;
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto count = parse_integer(line.substr(space + 1));
    if (!count || *count < 0) return std::nullopt;
    counts.emplace(line.substr(0, space), static_cast<std::uint64_t>(*count));
  }
}

std::string print(const Invocations& counts) {
  std::string text(kFirstLine);
  for (const auto& [function, count] : counts) {
    fmt::format_to(std::back_inserter(text), "\n{} {}", function, count);
  }
  return text.append("\n").append(kLastLine).append("\n");
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const auto half = path + ".new";
  const net::Fd file(::open(half.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_error("open " + half, errno);
  while (!text.empty()) {
    const auto n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write " + half, errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  // Otherwise a power failure could leave the new name with nothing behind it.
  if (::fdatasync(file.get()) != 0) return system_error("write " + half, errno);
  if (::rename(half.c_str(), path.c_str()) != 0) return system_error("rename " + half, errno);
  return {};
}

}  // namespace

Result<void> InvocationCounts::load() {
  std::ifstream file(path_, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return {};
    return system_error("open " + path_, errno);
  }
  std::string text((std::istreambuf_iterator<char>(file)), {});
  auto counts = parse(text);
  if (!counts) {
    return Error{.code = Code::malformed, .text = path_ + " is damaged: invocation counts begin at 0 again"};
  }
  before_ = std::move(*counts);
  written_ = std::move(text);
  return {};
}

std::uint64_t InvocationCounts::before(std::string_view function) const {
  const auto found = before_.find(function);
  return found == before_.end() ? 0 : found->second;
}

void InvocationCounts::add_to(Invocations& counted) const {
  for (const auto& [function, count] : before_) counted[function] += count;
}

void InvocationCounts::forget_if(const std::function<bool(const std::string&)>& gone) {
  std::erase_if(before_, [&gone](const auto& item) { return gone(item.first); });
}

Result<void> InvocationCounts::save(const Invocations& counted) {
  auto all = counted;
  add_to(all);
  auto text = print(all);
  if (text == written_ || (written_.empty() && all.empty())) return {};
  TRY(replace_file(path_, text));
  written_ = std::move(text);
  return {};
}

}  // namespace faas::gateway
