#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "process/spawn.h"

namespace faas::process {
namespace {

bool is_program(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

}  // namespace

std::vector<std::string> split_command(std::string_view command) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= command.size();) {
    const auto end = std::min(command.find(' ', begin), command.size());
    words.emplace_back(command.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Result<std::string> find_program(std::string_view program) {
  if (program.empty()) return Error{Code::invalid, Origin::function, "exec: no command"};
  if (program.find('/') != program.npos) return std::string(program);
  const char* variable = std::getenv("PATH");
  for (std::string_view rest = variable == nullptr ? "" : variable; !rest.empty();) {
    const auto end = std::min(rest.find(':'), rest.size());
    const auto folder = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    // A program in the current folder is never what was meant: only absolute folders count.
    if (!folder.starts_with('/')) continue;
    auto path = std::string(folder) + "/" + std::string(program);
    if (is_program(path)) return path;
  }
  return Error{Code::not_found, Origin::function,
               "exec: \"" + std::string(program) + "\": executable file not found in $PATH"};
}

}  // namespace faas::process
