#include "http/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace faas::http {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_folder(DIR* folder, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat facts {};
  return ::fstatat(::dirfd(folder), entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode);
}

std::string_view without_slash(std::string_view name) {
  if (name.ends_with('/')) name.remove_suffix(1);
  return name;
}

// Also '&' is escaped, though a path may hold it: in an attribute it begins an entity.
bool is_plain(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || std::string_view("-._~$+,=@:;/").find(c) != std::string_view::npos;
}

std::string percent_encoded(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    if (is_plain(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> list_folder(net::Fd folder, std::size_t most) {
  const std::unique_ptr<DIR, CloseFolder> open(::fdopendir(folder.get()));
  if (!open) return system_error("list a folder", errno);
  (void)folder.release();
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const auto* entry = ::readdir(open.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == most) {
      return Error{Code::too_large, Origin::machine,
                   "a folder with more than " + std::to_string(most) + " entries is not listed"};
    }
    if (is_folder(open.get(), *entry)) name.push_back('/');
    names.push_back(std::move(name));
  }
  if (errno != 0) return system_error("list a folder", errno);
  std::sort(names.begin(), names.end(),
            [](std::string_view a, std::string_view b) { return without_slash(a) < without_slash(b); });
  return names;
}

std::string listing_line(std::string_view name) {
  // "a:b" alone would be another scheme.
  const std::string_view here = name.find(':') == name.npos ? "" : "./";
  return fmt::format("<a href=\"{}{}\">{}</a>\n", here, percent_encoded(name), html_escaped(name));
}

}  // namespace faas::http
