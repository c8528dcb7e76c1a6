#include "base/result.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace faas {

Error system_error(std::string_view what, int number, Code code) {
  return {.code = code, .origin = Origin::machine, .text = std::string(what) + ": " + std::strerror(number)};
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  std::fprintf(stderr, "%s:%u: a failed result was used as a value: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), error.text.c_str());
  std::abort();
}

}  // namespace faas
