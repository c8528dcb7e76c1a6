// The small things that clients send to the API: the first line as a function's name, an amount and a
// secret's name, the rest as the body of a request to scale or to delete, of a secret and of a namespace.
#include "model/requests.h"
#include "model/names.h"
#include "model/namespaces.h"
#include "model/resources.h"
#include "model/scale_labels.h"
#include "model/secret.h"
#include "target.h"

namespace {

using namespace faas;

void check_names(std::string_view text) {
  if (const auto name = parse_function_name(text)) {
    HOLDS(!name->name.empty() && !name->name_space.empty());
    HOLDS((name->name + name->name_space).find_first_of(std::string_view("/%?#\\ \r\n\0", 9)) ==
          std::string::npos);
    const auto printed = print_function_name(*name);
    const auto again = parse_function_name(printed, "other");
    HOLDS(again && *again == *name);
  }
  if (check_secret_name("secret", text)) {
    HOLDS(text.find_first_of(std::string_view("/\0", 2)) == text.npos && text != "." && text != "..");
  }
  if (const auto wrong = check_name("name", text); !wrong) {
    for (const char c : wrong.error().text) HOLDS(c >= 0x20 && c < 0x7f);
  } else {
    HOLDS(parse_function_name(text) && check_secret_name("secret", text));
  }
}

void check_amounts(std::string_view text) {
  constexpr auto most = std::uint64_t{1} << 63U;
  if (const auto bytes = parse_memory_bytes(text)) {
    HOLDS(*bytes <= most);
    if (*bytes < (std::uint64_t{1} << 53U)) HOLDS(parse_memory_bytes(std::to_string(*bytes)) == *bytes);
  }
  if (const auto thousandths = parse_milli_cpu(text)) {
    HOLDS(*thousandths <= most);
    if (*thousandths < (std::uint64_t{1} << 53U)) {
      HOLDS(parse_milli_cpu(std::to_string(*thousandths) + "m") == *thousandths);
    }
  }
}

void check_secret(std::string_view text) {
  const auto secret = parse_secret(text);
  if (!secret) {
    HOLDS(secret.error().origin == Origin::client && !secret.error().text.empty());
    return;
  }
  HOLDS(!secret->bytes.empty() && secret->bytes.size() <= kSecretBytesMax);
  HOLDS(check_secret_name("name", secret->name.name) && check_name("namespace", secret->name.name_space));
  const auto name = parse_secret_name(text);
  HOLDS(name && *name == secret->name);
}

void check_namespace(std::string_view text) {
  const auto spec = parse_namespace(text);
  if (!spec) {
    HOLDS(spec.error().origin == Origin::client && !spec.error().text.empty());
    return;
  }
  const auto again = parse_namespace(print_namespace(*spec), spec->name);
  HOLDS(again && *again == *spec);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const auto line = fuzz::take_line(rest);
  check_names(line);
  check_amounts(line);
  check_secret(rest);
  check_namespace(rest);
  if (const auto scale = parse_scale_request(rest)) {
    HOLDS(scale->replicas <= kReplicasMax);
  } else {
    HOLDS(scale.error().origin == Origin::client && !scale.error().text.empty());
  }
  if (const auto removal = parse_delete_request(rest)) {
    HOLDS(!removal->function_name.empty());
  } else {
    HOLDS(removal.error().origin == Origin::client && !removal.error().text.empty());
  }
  return 0;
}
