// Any text as a request's target: its path and query are parts of it, a router's match is too, and no path
// opens anything outside a folder.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/message.h"
#include "http/parser.h"
#include "http/root_folder.h"
#include "http/router.h"
#include "target.h"

namespace {

using namespace faas::http;

// A folder with ways out of it.
class Outside final {
 public:
  Outside() {
    namespace fs = std::filesystem;
    auto name = (fs::temp_directory_path() / "faas-fuzz-XXXXXX").string();
    HOLDS(::mkdtemp(name.data()) != nullptr);
    top_ = name;
    fs::create_directories(top_ / "root" / "a" / "b");
    for (const char* file : {"secret", "root/f", "root/a/f", "root/a/b/f"})
      std::ofstream(top_ / file) << file;
    fs::create_symlink("../secret", top_ / "root" / "out");
    fs::create_symlink("..", top_ / "root" / "up");
    fs::create_symlink("/", top_ / "root" / "top");
    fs::create_symlink("a/b", top_ / "root" / "in");
  }
  ~Outside() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  [[nodiscard]] std::string root() const { return (top_ / "root").string(); }

 private:
  std::filesystem::path top_;
};

void expect_inside(RootFolder& folder, const std::string& root, const std::string& name) {
  const auto found = folder.open(name);
  if (!found.fd) return;
  char where[PATH_MAX];
  const auto link = "/proc/self/fd/" + std::to_string(found.fd.get());
  const auto size = ::readlink(link.c_str(), where, sizeof where);
  HOLDS(size > 0);
  const std::string_view opened(where, static_cast<std::size_t>(size));
  HOLDS(opened == root || opened.starts_with(root + "/"));
}

void expect_steps_inside(std::string_view name) {
  HOLDS(!name.starts_with('/') && !name.ends_with('/'));
  while (!name.empty()) {
    const auto slash = name.find('/');
    const auto step = name.substr(0, slash);
    HOLDS(!step.empty() && step != "." && step != "..");
    if (slash == name.npos) break;
    name.remove_prefix(slash + 1);
  }
}

void expect_part(std::string_view whole, std::string_view part) {
  HOLDS(part.empty() || part == "/" || whole.find(part) != whole.npos);
}

constexpr std::array kRoutes{Route{.methods = "GET", .path = "/healthz"},
                             Route{.methods = "GET POST", .path = "/system/functions"},
                             Route{.methods = "*", .path = "/function/{name}/{rest...}"},
                             Route{.methods = "POST", .path = "/system/scale-function/{name}"},
                             Route{.methods = "*", .path = "/async-function/{name}/{rest...}"}};

void check_router(std::string_view path) {
  const Router router(kRoutes);
  const auto match = router.match(Method::get, "GET", path);
  const auto other = router.match(Method::other, "FOO", path);
  HOLDS(match.route == other.route);
  if (match.route == nullptr) return;
  HOLDS(path.ends_with(match.rest));
  if (match.route->path.find("{name}") != std::string_view::npos) HOLDS(!match.name.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = faas::fuzz::text_of(data, size);
  RequestHead head;
  head.target = input;
  expect_part(input, head.path());
  expect_part(input, head.query());
  HOLDS(head.path().find_first_of("?#") == std::string_view::npos);
  HOLDS(head.query().find('#') == std::string_view::npos);

  const auto decoded = percent_decode(head.path());
  HOLDS(decoded.size() <= head.path().size());
  const auto name = inside_name(decoded);
  expect_steps_inside(name);
  HOLDS(inside_name(name) == name && inside_name("/" + name + "/") == name);
  if (head.path().starts_with('/')) check_router(head.path());

  static const Outside outside;
  static RootFolder following(outside.root());
  static RootFolder stepping(outside.root(), RootFolder::Links::none);
  if (name.find('\0') != name.npos) return 0;
  expect_inside(following, outside.root(), name);
  expect_inside(stepping, outside.root(), name);
  return 0;
}
