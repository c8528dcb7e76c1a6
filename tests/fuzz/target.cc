#include "target.h"

#include <cstdio>
#include <cstdlib>

namespace faas::fuzz {

void broken(const char* property, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, property);
  std::abort();
}

}  // namespace faas::fuzz
