#include "model/function_status.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <ctime>

#include "model/spec_json.h"

namespace faas {
namespace {

namespace json = boost::json;

// RFC 3339. The clock's zero stands for "unknown", which Go clients write as the year 1.
std::string print_time(std::chrono::system_clock::time_point time) {
  if (time.time_since_epoch().count() == 0) return "0001-01-01T00:00:00Z";
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

json::object print_condition(const Condition& condition) {
  json::object object;
  object["type"] = condition.type;
  object["status"] = condition.holds ? "True" : "False";
  object["reason"] = condition.reason;
  object["message"] = condition.message;
  return object;
}

json::object print_status(const FunctionStatus& status) {
  json::object object;
  print_spec_fields(status.spec, "name", object);
  if (status.invocation_count != 0) object["invocationCount"] = status.invocation_count;
  if (status.replicas != 0) object["replicas"] = status.replicas;
  if (status.available_replicas != 0) object["availableReplicas"] = status.available_replicas;
  object["createdAt"] = print_time(status.created_at);
  if (!status.conditions.empty()) {
    auto& conditions = object["conditions"].emplace_array();
    for (const auto& condition : status.conditions) conditions.push_back(print_condition(condition));
  }
  return object;
}

}  // namespace

std::string print_function_status(const FunctionStatus& status) {
  return json::serialize(print_status(status));
}

std::string print_function_statuses(const std::vector<FunctionStatus>& statuses) {
  std::string text = "[";
  for (const auto& status : statuses) {
    if (text.size() > 1) text += ',';
    text += print_function_status(status);
  }
  return text += ']';
}

}  // namespace faas
