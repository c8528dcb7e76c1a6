#include "model/foreign_status.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "json/strict_json.h"
#include "model/json.h"
#include "model/names.h"

namespace faas {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kCountMax = std::numeric_limits<std::int32_t>::max();

Error of_provider(Error error) {
  error.code = Code::malformed;
  error.origin = Origin::platform;
  return error;
}

// "2023-11-02T03:04:05": what comes behind it, a fraction and "Z", adds nothing that we print.
std::chrono::system_clock::time_point parse_time(std::string_view text) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < shape.size()) return {};
  std::array<int, 6> parts{};
  std::size_t part = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 'd') {
      if (text[i] != shape[i]) return {};
      ++part;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return {};
    parts[part] = parts[part] * 10 + (text[i] - '0');
  }
  using namespace std::chrono;
  const year_month_day day{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                           std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!day.ok() || parts[0] < 1970) return {};
  return sys_days(day) + hours(parts[3]) + minutes(parts[4]) + seconds(parts[5]);
}

Result<std::optional<Resources>> read_resources(const JsonFields& fields, std::string_view name) {
  TRY_ASSIGN(const auto texts, fields.texts(name));
  if (!texts) return std::optional<Resources>();
  Resources resources;
  for (const auto& [key, value] : *texts) {
    if (key == "memory") {
      resources.memory = value;
    } else if (key == "cpu") {
      resources.cpu = value;
    } else if (!value.empty()) {
      resources.devices.emplace(key, value);
    }
  }
  return std::optional(std::move(resources));
}

Result<std::vector<Condition>> read_conditions(const json::object& object) {
  std::vector<Condition> conditions;
  const auto* listed = object.if_contains("conditions");
  if (listed == nullptr || !listed->is_array()) return conditions;
  for (const auto& one : listed->get_array()) {
    if (!one.is_object()) continue;
    const JsonFields fields(one.get_object(), "conditions.");
    Condition condition;
    TRY_ASSIGN(condition.type, fields.text("type"));
    TRY_ASSIGN(const auto status, fields.text("status"));
    TRY_ASSIGN(condition.reason, fields.text("reason"));
    TRY_ASSIGN(condition.message, fields.text("message"));
    condition.holds = status == "True";
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

Result<FunctionSpec> read_spec(const JsonFields& fields) {
  FunctionSpec spec;
  TRY_ASSIGN(spec.name.name, fields.text("name"));
  TRY_ASSIGN(spec.name.name_space, fields.text("namespace"));
  TRY(check_name("name", spec.name.name));
  if (!spec.name.name_space.empty()) {
    TRY(check_name("namespace", spec.name.name_space));
  }
  TRY_ASSIGN(spec.image, fields.text("image"));
  TRY_ASSIGN(spec.env_process, fields.text("envProcess"));
  TRY_ASSIGN(auto env_vars, fields.texts("envVars"));
  spec.env_vars = std::move(env_vars).value_or(JsonFields::Texts());
  TRY_ASSIGN(spec.constraints, fields.list("constraints"));
  TRY_ASSIGN(spec.secrets, fields.list("secrets"));
  TRY_ASSIGN(spec.labels, fields.texts("labels"));
  TRY_ASSIGN(spec.annotations, fields.texts("annotations"));
  TRY_ASSIGN(spec.limits, read_resources(fields, "limits"));
  TRY_ASSIGN(spec.requests, read_resources(fields, "requests"));
  TRY_ASSIGN(spec.read_only_root_filesystem, fields.flag("readOnlyRootFilesystem"));
  return spec;
}

Result<FunctionStatus> read_status(const json::object& object) {
  const JsonFields fields(object);
  FunctionStatus status;
  TRY_ASSIGN(status.spec, read_spec(fields));
  TRY_ASSIGN(const auto replicas, fields.count("replicas", kCountMax));
  TRY_ASSIGN(const auto available, fields.count("availableReplicas", kCountMax));
  TRY_ASSIGN(const auto created, fields.text("createdAt"));
  TRY_ASSIGN(status.conditions, read_conditions(object));
  status.replicas = replicas.value_or(0);
  status.available_replicas = available.value_or(0);
  status.created_at = parse_time(created);
  return status;
}

}  // namespace

Result<FunctionStatus> parse_foreign_status(std::string_view text) {
  auto object = parse_json_object(text);
  if (!object) return of_provider(std::move(object).error());
  auto status = read_status(*object);
  if (!status) return of_provider(std::move(status).error());
  return status;
}

Result<ForeignStatuses> parse_foreign_statuses(std::string_view text) {
  ForeignStatuses found;
  auto list =
      parse_strict_json("the body", text, {.bytes_max = kStatusListBytesMax, .depth_max = kJsonDepthMax});
  if (!list) return of_provider(std::move(list).error());
  if (list->is_null()) return found;
  if (!list->is_array()) {
    return of_provider(
        invalid_request("the body must be an array of functions, not " + std::string(json_kind(*list))));
  }
  for (const auto& one : list->get_array()) {
    auto status = one.is_object() ? read_status(one.get_object())
                                  : invalid_request("an element is " + std::string(json_kind(one)));
    if (status) {
      found.statuses.push_back(std::move(*status));
    } else if (++found.unusable == 1) {
      found.why = status.error().text;
    }
  }
  return found;
}

}  // namespace faas
