#include "model/function_spec.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "base/units.h"
#include "model/json.h"
#include "model/names.h"
#include "model/resources.h"
#include "model/scale_labels.h"
#include "model/spec_json.h"

namespace faas {
namespace {

namespace json = boost::json;

constexpr std::size_t kImageBytesMax = 1024;
// The kernel's MAX_ARG_STRLEN: one string of an environment or command line, with its end.
constexpr std::size_t kEnvironmentStringBytesMax = 128 * 1024;

constexpr std::string_view kDeviceNames[] = {"nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu"};

Result<void> check_env_vars(const std::map<std::string, std::string>& vars) {
  for (const auto& [key, value] : vars) {
    TRY(check_variable_name("envVars", key));
    if (const auto bytes = key.size() + value.size() + 2; bytes > kEnvironmentStringBytesMax) {
      return invalid_request(fmt::format("envVars.{} has {} bytes, the limit is {}", key.substr(0, 64), bytes,
                                         kEnvironmentStringBytesMax));
    }
  }
  return {};
}

Result<void> check_device(std::string_view field, std::string_view device, const std::string& amount) {
  const auto count = parse_integer(amount);
  if (amount.empty() || (count && *count >= 0)) return {};
  return invalid_request(
      fmt::format("{}.{} \"{}\" is not a whole number", field, device, amount.substr(0, 64)));
}

// What clients of the first releases send; read for their types only.
Result<void> check_old_fields(const JsonFields& fields) {
  TRY(fields.text("network"));
  TRY(fields.text("registryAuth"));
  return {};
}

Result<std::optional<Resources>> parse_resources(const JsonFields& fields, std::string_view name) {
  TRY_ASSIGN(const auto* inner, fields.object(name));
  if (inner == nullptr) return std::optional<Resources>();
  const JsonFields parts(*inner, std::string(name) + ".");
  Resources resources;
  TRY_ASSIGN(resources.memory, parts.text("memory"));
  TRY_ASSIGN(resources.cpu, parts.text("cpu"));
  if (!resources.memory.empty() && !parse_memory_bytes(resources.memory)) {
    return invalid_request(fmt::format("{}.memory \"{}\" is not an amount of memory, such as 128Mi or 1.5G",
                                       name, resources.memory.substr(0, 64)));
  }
  if (!resources.cpu.empty() && !parse_milli_cpu(resources.cpu)) {
    return invalid_request(fmt::format("{}.cpu \"{}\" is not a number of CPUs, such as 0.5 or 500m", name,
                                       resources.cpu.substr(0, 64)));
  }
  for (const auto device : kDeviceNames) {
    TRY_ASSIGN(auto amount, parts.text(device));
    TRY(check_device(name, device, amount));
    if (!amount.empty()) resources.devices.emplace(device, std::move(amount));
  }
  return std::optional(std::move(resources));
}

Result<FunctionName> parse_name(const JsonFields& fields) {
  FunctionName name;
  TRY_ASSIGN(name.name, fields.text("service"));
  TRY_ASSIGN(name.name_space, fields.text("namespace"));
  if (name.name_space.empty()) name.name_space = kDefaultNamespace;
  TRY(check_name("service", name.name));
  TRY(check_name("namespace", name.name_space));
  return name;
}

json::object print_resources(const Resources& resources, json::storage_ptr memory) {
  json::object object(std::move(memory));
  if (!resources.memory.empty()) object["memory"] = resources.memory;
  if (!resources.cpu.empty()) object["cpu"] = resources.cpu;
  for (const auto& [name, amount] : resources.devices) object[name] = amount;
  return object;
}

}  // namespace

Result<FunctionSpec> parse_function_spec(std::string_view text) {
  TRY_ASSIGN(const auto body, parse_json_object(text));
  const JsonFields fields(body);
  FunctionSpec spec;
  TRY_ASSIGN(spec.name, parse_name(fields));
  TRY_ASSIGN(spec.image, fields.text("image", kImageBytesMax));
  if (spec.image.empty()) return invalid_request("image is required");
  TRY_ASSIGN(spec.env_process, fields.text("envProcess", kEnvironmentStringBytesMax - sizeof "fprocess="));
  TRY_ASSIGN(auto env_vars, fields.texts("envVars"));
  spec.env_vars = std::move(env_vars).value_or(JsonFields::Texts());
  TRY(check_env_vars(spec.env_vars));
  TRY_ASSIGN(spec.constraints, fields.list("constraints"));
  TRY_ASSIGN(spec.secrets, fields.list("secrets"));
  for (const auto& secret : spec.secrets) {
    TRY(check_secret_name("secrets", secret));
  }
  TRY_ASSIGN(spec.labels, fields.texts("labels"));
  TRY_ASSIGN(spec.annotations, fields.texts("annotations"));
  TRY(check_labels("labels", spec.labels));
  TRY(check_labels("annotations", spec.annotations));
  TRY_ASSIGN(spec.limits, parse_resources(fields, "limits"));
  TRY_ASSIGN(spec.requests, parse_resources(fields, "requests"));
  TRY_ASSIGN(spec.read_only_root_filesystem, fields.flag("readOnlyRootFilesystem"));
  TRY(check_old_fields(fields));
  TRY(parse_scale_range(spec));
  return spec;
}

json::object print_texts(const std::map<std::string, std::string>& texts, json::storage_ptr memory) {
  json::object object(texts.size(), std::move(memory));
  for (const auto& [key, value] : texts) object[key] = value;
  return object;
}

void print_spec_fields(const FunctionSpec& spec, std::string_view name_key, json::object& object) {
  const auto& memory = object.storage();
  const auto list = [&memory](const std::vector<std::string>& items) {
    return json::array(items.begin(), items.end(), memory);
  };
  object[name_key] = spec.name.name;
  object["image"] = spec.image;
  object["namespace"] = spec.name.name_space;
  if (!spec.env_process.empty()) object["envProcess"] = spec.env_process;
  if (!spec.env_vars.empty()) object["envVars"] = print_texts(spec.env_vars, memory);
  if (!spec.constraints.empty()) object["constraints"] = list(spec.constraints);
  if (!spec.secrets.empty()) object["secrets"] = list(spec.secrets);
  if (spec.labels) object["labels"] = print_texts(*spec.labels, memory);
  if (spec.annotations) object["annotations"] = print_texts(*spec.annotations, memory);
  if (spec.limits) object["limits"] = print_resources(*spec.limits, memory);
  if (spec.requests) object["requests"] = print_resources(*spec.requests, memory);
  if (spec.read_only_root_filesystem) object["readOnlyRootFilesystem"] = true;
}

std::string print_function_spec(const FunctionSpec& spec) {
  json::object object;
  print_spec_fields(spec, "service", object);
  return json::serialize(object);
}

}  // namespace faas
