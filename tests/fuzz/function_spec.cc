// Any bytes as a deployment: what is taken is printed so that it is taken again, as the same, and keeps the
// limits that providers rely on.
#include "model/function_spec.h"
#include "model/names.h"
#include "model/resources.h"
#include "model/scale_labels.h"
#include "target.h"

namespace {

using namespace faas;

void expect_sound(const FunctionSpec& spec) {
  HOLDS(check_name("service", spec.name.name) && check_name("namespace", spec.name.name_space));
  HOLDS(!spec.image.empty() && spec.image.find('\0') == spec.image.npos);
  HOLDS(spec.env_process.find('\0') == spec.env_process.npos);
  for (const auto& [name, value] : spec.env_vars) {
    HOLDS(!name.empty() && name.find_first_of(std::string_view("=\0", 2)) == name.npos);
    HOLDS(value.find('\0') == value.npos);
  }
  for (const auto& secret : spec.secrets) {
    HOLDS(secret.find('/') == secret.npos && secret != "." && secret != ".." && !secret.empty());
  }
  for (const auto& part : {spec.limits, spec.requests}) {
    if (!part) continue;
    HOLDS(part->memory.empty() || parse_memory_bytes(part->memory));
    HOLDS(part->cpu.empty() || parse_milli_cpu(part->cpu));
  }
  const auto range = parse_scale_range(spec);
  HOLDS(range && range->min <= range->max && range->max >= 1 && range->max <= kReplicasMax);
  HOLDS(range->factor >= 1 && range->factor <= 100);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto spec = parse_function_spec(fuzz::text_of(data, size));
  if (!spec) {
    HOLDS(spec.error().origin == Origin::client && !spec.error().text.empty());
    return 0;
  }
  expect_sound(*spec);
  const auto printed = print_function_spec(*spec);
  const auto again = parse_function_spec(printed);
  HOLDS(again && *again == *spec);
  HOLDS(print_function_spec(*again) == printed);
  return 0;
}
